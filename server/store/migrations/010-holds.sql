-- Holds in the database: one function call is one transaction, one round trip, and pgbench can run
-- the very same statement. Only the database's clock decides; it is read once, before the row is
-- locked, so a claim can only look more alive than it is, never less.

-- H1: at the very moment of its end a claim is over. Not inlined by the planner, because it counts
-- rows: a query over many slots calls it only for those that have claims.
create function live_claims(p_untils timestamptz[], p_at timestamptz) returns integer
language sql immutable parallel safe
return (select count(*)::integer from unnest(p_untils) as claim (until) where claim.until > p_at);

-- D4 (domain/slot.ts, slotStateOf): 0 gone, 1 open, 2 held, 3 taken.
create function slot_state(p_status text, p_remaining integer, p_live integer, p_removed boolean)
returns integer
language sql immutable parallel safe
return case
	when p_removed or p_status = 'entered-in-error' then 0
	when p_status = 'busy-tentative' then 2
	when p_status <> 'free' or p_remaining <= 0 then 3
	when p_live >= p_remaining then 2
	else 1
end;

create function start_minute(p_at timestamptz) returns bigint
language sql immutable parallel safe
-- Through an interval, because that is immutable, and so the planner can put it in line.
return floor(date_part('epoch', p_at - timestamptz '1970-01-01 00:00:00+00') / 60)::bigint;

create function slot_minutes(p_from timestamptz, p_to timestamptz) returns integer
language sql immutable parallel safe
return greatest(1, floor(date_part('epoch', p_to - p_from) / 60 + 0.5))::integer;

-- A WireChange: open slots travel whole, every other change as [slot, state].
create function wire_change(p_slot slots, p_at timestamptz) returns jsonb
language plpgsql stable as $$
declare
	v_live integer := live_claims(p_slot.claim_untils, p_at);
	v_state integer :=
		slot_state(p_slot.status, p_slot.remaining, v_live, p_slot.removed_at is not null);
begin
	if v_state <> 1 then
		return jsonb_build_array(p_slot.id, v_state);
	end if;
	return jsonb_build_array(
		p_slot.id, p_slot.schedule_id, start_minute(p_slot.starts_at),
		slot_minutes(p_slot.starts_at, p_slot.ends_at), v_state, p_slot.remaining - v_live
	);
end $$;

create function hold_change(p_slot slots, p_held boolean) returns jsonb
language sql stable
return jsonb_build_object(
	'source', p_slot.source_id,
	'change', jsonb_build_object(
		'kind', 'hold', 'slotId', p_slot.id, 'scheduleId', p_slot.schedule_id,
		'startsAt', (extract(epoch from p_slot.starts_at) * 1000)::bigint, 'held', p_held
	)
);

-- The room of a clinic's console; made on first use.
create function clinic_room(p_source bigint) returns bigint
language plpgsql as $$
declare
	v_room bigint;
begin
	select id into v_room from rooms where name = 'clinic:' || p_source;
	if v_room is null then
		insert into rooms (name) values ('clinic:' || p_source) on conflict (name) do nothing;
		select id into v_room from rooms where name = 'clinic:' || p_source;
	end if;
	return v_room;
end $$;

-- One numbered entry of one room.
create function append_entry(p_room bigint, p_changes jsonb) returns jsonb
language plpgsql as $$
declare
	v_seq bigint;
	v_name text;
begin
	update rooms set seq = seq + 1 where id = p_room returning seq, name into v_seq, v_name;
	insert into change_log (room_id, seq, changes) values (p_room, v_seq, p_changes);
	return jsonb_build_object('room', v_name, 'seq', v_seq, 'changes', p_changes);
end $$;

-- What log_own_changes() does, for one slot whose row is at hand: the hold path counts its
-- microseconds.
create function log_held_slot(p_slot slots, p_held boolean) returns jsonb
language plpgsql as $$
declare
	v_clinic bigint := clinic_room(p_slot.source_id);
	v_told jsonb := jsonb_build_array(wire_change(p_slot, clock_timestamp()));
	v_clinic_told jsonb := jsonb_build_array(hold_change(p_slot, p_held) -> 'change');
	v_rooms bigint[];
	v_room bigint;
	v_entries jsonb := '[]';
begin
	select array(select r from unnest(c.room_ids || v_clinic) as room (r) order by r)
	into v_rooms from schedules c where c.id = p_slot.schedule_id;
	foreach v_room in array v_rooms loop
		v_entries := v_entries || append_entry(
			v_room, case when v_room = v_clinic then v_clinic_told else v_told end
		);
	end loop;
	return v_entries;
end $$;

-- Logs the present state of slots into their schedules' rooms and changes into clinic rooms
-- (`p_clinic`: [{"source": 7, "change": {…}}]). The last thing a transaction does: counters are
-- taken in ascending room id, which is what keeps them gapless and free of deadlocks. At most 500
-- slots. Writes what server/store/change-log.ts would write (tested). Returns the entries.
create function log_own_changes(p_slots bigint[], p_clinic jsonb) returns jsonb
language plpgsql as $$
declare
	v_entries jsonb := '[]';
	v_at timestamptz := clock_timestamp();
	v_room record;
begin
	for v_room in
		select told.room_id, jsonb_agg(told.change order by told.place) as changes
		from (
			select room.id as room_id, wire_change(s, v_at) as change, s.id as place
			from slots s
			join schedules c on c.id = s.schedule_id
			cross join unnest(c.room_ids) as room (id)
			where s.id = any (p_slots)
			union all
			select clinic_room((item.value ->> 'source')::bigint), item.value -> 'change', item.nr
			from jsonb_array_elements(p_clinic) with ordinality as item (value, nr)
		) told
		group by told.room_id
		order by told.room_id
	loop
		v_entries := v_entries || append_entry(v_room.room_id, v_room.changes);
	end loop;
	return v_entries;
end $$;

-- Takes one place of a slot for a device, or says in one word why not. A granted request is kept
-- with its effect: asked again, it gets the same hold (P5). A refusal has no effect and is not
-- kept. `p_now` is for tests of the very millisecond; everyone else leaves it out.
create function place_hold(
	p_device text, p_request uuid, p_slot bigint, p_ttl_ms integer,
	p_max_live integer, p_max_hour integer, p_now timestamptz default null,
	out outcome text, out hold_id uuid, out schedule_id bigint, out fence bigint,
	out state text, out ttl_ms bigint, out entries jsonb
)
language plpgsql as $$
declare
	v_now timestamptz := coalesce(p_now, clock_timestamp());
	v_until timestamptz;
	v_asked text := 'hold:' || p_slot;
	v_request requests;
	v_slot slots;
	v_live integer;
	v_hour integer;
begin
	entries := '[]';
	-- One device at a time: its limits hold under any number of parallel requests.
	perform pg_advisory_xact_lock(hashtextextended(p_device, 1));

	select * into v_request from requests r where r.device_key = p_device and r.request_id = p_request;
	if found then
		if v_request.fingerprint <> v_asked then
			outcome := 'request_reused';
			return;
		end if;
		select 'granted', h.id, s.schedule_id, h.fence,
			case when h.state = 'held' and h.expires_at <= v_now then 'expired' else h.state end,
			case when h.state = 'held'
				then greatest(0, extract(epoch from h.expires_at - v_now) * 1000)::bigint else 0 end
		into outcome, hold_id, schedule_id, fence, state, ttl_ms
		from holds h join slots s on s.id = h.slot_id
		where h.id = (v_request.reply ->> 'id')::uuid;
		if found then
			return;
		end if;
	end if;

	select count(*) filter (where h.state = 'held' and h.expires_at > v_now), count(*)
	into v_live, v_hour
	from holds h
	where h.device_key = p_device and h.placed_at > v_now - interval '1 hour';
	if v_live >= p_max_live or v_hour >= p_max_hour then
		outcome := case when v_live >= p_max_live then 'hold_limit' else 'hour_limit' end;
		return;
	end if;

	v_until := v_now + p_ttl_ms * interval '1 millisecond';
	update slots s
	set fence = s.fence + 1,
		(claim_fences, claim_untils) = (
			select
				array_append(array_agg(c.fence order by c.fence), s.fence + 1),
				array_append(array_agg(c.until order by c.fence), v_until)
			from unnest(s.claim_fences, s.claim_untils) as c (fence, until)
			where c.until > v_now
		),
		own_changed_at = clock_timestamp()
	where s.id = p_slot
		and s.removed_at is null
		and s.status = 'free'
		and s.starts_at > v_now
		and live_claims(s.claim_untils, v_now) < s.remaining
	returning s.* into v_slot;

	if v_slot.id is null then
		select * into v_slot from slots s where s.id = p_slot;
		outcome := case
			when v_slot.id is null or v_slot.removed_at is not null
				or v_slot.status = 'entered-in-error' then 'slot_gone'
			when v_slot.starts_at <= v_now then 'slot_past'
			else 'slot_taken'
		end;
		return;
	end if;

	outcome := 'granted';
	hold_id := gen_random_uuid();
	schedule_id := v_slot.schedule_id;
	fence := v_slot.fence;
	state := 'held';
	insert into holds (id, slot_id, fence, device_key, state, placed_at, expires_at)
	-- It was placed when the row was ours, which may be a little after v_now.
	values (
		hold_id, p_slot, v_slot.fence, p_device, 'held', coalesce(p_now, clock_timestamp()), v_until
	);
	insert into requests (device_key, request_id, fingerprint, reply)
	values (p_device, p_request, v_asked, jsonb_build_object('id', hold_id))
	-- Only when the hold it once got is no longer known.
	on conflict (device_key, request_id) do update
	set fingerprint = excluded.fingerprint, reply = excluded.reply;
	entries := log_held_slot(v_slot, true);
	ttl_ms := greatest(
		0, extract(epoch from v_until - coalesce(p_now, clock_timestamp())) * 1000
	)::bigint;
end $$;

-- Takes a claim off a slot; the slot's row as it then is.
create function drop_claim(p_slot bigint, p_fence bigint) returns slots
language plpgsql as $$
declare
	v_slot slots;
begin
	update slots s
	set (claim_fences, claim_untils) = (
			select
				coalesce(array_agg(c.fence order by c.fence), '{}'),
				coalesce(array_agg(c.until order by c.fence), '{}')
			from unnest(s.claim_fences, s.claim_untils) as c (fence, until)
			where c.fence <> p_fence
		),
		own_changed_at = clock_timestamp()
	where s.id = p_slot
	returning s.* into v_slot;
	return v_slot;
end $$;

-- Gives a held place back: 'released' (also when it already was), 'hold_expired', 'hold_unknown'.
create function release_hold(p_device text, p_hold uuid, out outcome text, out entries jsonb)
language plpgsql as $$
declare
	v_hold holds;
	v_slot slots;
begin
	entries := '[]';
	select * into v_hold from holds h where h.id = p_hold and h.device_key = p_device for update;
	outcome := case
		when v_hold.id is null then 'hold_unknown'
		when v_hold.state = 'released' then 'released'
		when v_hold.state = 'expired' then 'hold_expired'
		when v_hold.state <> 'held' then 'hold_unknown'
		when v_hold.expires_at <= clock_timestamp() then 'hold_expired'
		else 'release'
	end;
	if outcome <> 'release' then
		return;
	end if;
	outcome := 'released';
	update holds set state = 'released', ended_at = clock_timestamp() where id = p_hold;
	v_slot := drop_claim(v_hold.slot_id, v_hold.fence);
	entries := log_held_slot(v_slot, false);
end $$;

-- Ends holds whose time is over and shows their slots free: at most p_limit (500), skipping what
-- another sweeper or a confirmation has locked. A confirming hold has an end only when the booking
-- was handed over to the publisher: then the publisher's own word counts from here on.
create function expire_holds(
	p_limit integer, out ended jsonb, out handed_back integer, out entries jsonb
)
language plpgsql as $$
declare
	v_hold record;
	v_slots bigint[] := '{}';
	v_clinic jsonb := '[]';
	v_slot slots;
begin
	ended := '[]';
	handed_back := 0;
	for v_hold in
		select h.id, h.slot_id, h.fence, h.device_key, h.state
		from holds h
		join slots s on s.id = h.slot_id
		where h.state in ('held', 'confirming') and h.expires_at <= clock_timestamp()
		order by h.expires_at
		limit least(p_limit, 500)
		for update of h, s skip locked
	loop
		update holds
		set state = case when v_hold.state = 'held' then 'expired' else 'released' end,
			ended_at = clock_timestamp()
		where id = v_hold.id;
		v_slot := drop_claim(v_hold.slot_id, v_hold.fence);
		v_slots := v_slots || v_hold.slot_id;
		if v_hold.state = 'held' then
			v_clinic := v_clinic || hold_change(v_slot, false);
			ended := ended || jsonb_build_object('holdId', v_hold.id, 'deviceKey', v_hold.device_key);
		else
			handed_back := handed_back + 1;
		end if;
	end loop;
	entries := log_own_changes(v_slots, v_clinic);
end $$;

-- Every statement above finds its rows by an index, and each has one good plan. Without this a
-- session that planned them while the tables were still empty goes on reading whole tables, more
-- slowly with every hold, and the log's statement is planned anew each time (0.4 ms).
alter function place_hold set enable_seqscan = off;
alter function place_hold set plan_cache_mode = force_generic_plan;
alter function release_hold set enable_seqscan = off;
alter function release_hold set plan_cache_mode = force_generic_plan;
alter function expire_holds set enable_seqscan = off;
alter function expire_holds set plan_cache_mode = force_generic_plan;
alter function log_own_changes set plan_cache_mode = force_generic_plan;
