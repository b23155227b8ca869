-- H43: a hold ends when its source says that the time is taken or gone: somebody booked it elsewhere.
-- The sweep finds such holds (within a second), so that polls need lock no hold.
alter table holds add column is_taken boolean not null default false;
-- Few rows: those that are held now.
create index holds_held on holds (slot_id) where state = 'held';

create function is_taken_elsewhere(p_slot slots) returns boolean
language sql immutable parallel safe
-- A tentative mark may go away again: it ends nothing.
return p_slot.removed_at is not null
	or p_slot.status in ('busy', 'busy-unavailable', 'entered-in-error')
	or (p_slot.status = 'free' and p_slot.remaining <= 0);

-- As in 022, and ends holds of times that were taken elsewhere.
create or replace function expire_holds(
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
		-- More than are wanted, because other sweeps may have locked the first ones.
		with due as (
			select d.id from holds d
			where d.state in ('held', 'confirming', 'booked') and d.expires_at <= clock_timestamp()
			order by d.expires_at limit 10 * least(p_limit, 500)
		), taken as (
			select t.id from holds t join slots s on s.id = t.slot_id
			where t.state = 'held' and is_taken_elsewhere(s) limit 10 * least(p_limit, 500)
		)
		select h.id, h.slot_id, h.fence, h.device_key, h.state,
			h.fence = any (s.claim_fences) as is_claimed,
			h.expires_at > clock_timestamp() as is_taken
		from holds h
		join slots s on s.id = h.slot_id
		where h.id in (select id from due union select id from taken)
			-- Said again, because a row may have changed until it was locked.
			and h.state in ('held', 'confirming', 'booked')
			and (h.expires_at <= clock_timestamp() or (h.state = 'held' and is_taken_elsewhere(s)))
		order by h.expires_at
		limit least(p_limit, 500)
		for update of h, s skip locked
	loop
		if v_hold.state = 'booked' then
			update holds set expires_at = 'infinity' where id = v_hold.id;
			continue when not v_hold.is_claimed;
		else
			update holds
			set state = case when v_hold.state = 'held' then 'expired' else 'released' end,
				ended_at = clock_timestamp(), is_taken = v_hold.is_taken
			where id = v_hold.id;
		end if;
		v_slot := drop_claim(v_hold.slot_id, v_hold.fence);
		v_slots := v_slots || v_hold.slot_id;
		if v_hold.state = 'held' then
			v_clinic := v_clinic || hold_change(v_slot, false);
			ended := ended || jsonb_build_object(
				'holdId', v_hold.id, 'deviceKey', v_hold.device_key, 'isTaken', v_hold.is_taken
			);
		else
			handed_back := handed_back + 1;
		end if;
	end loop;
	entries := log_own_changes(v_slots, v_clinic);
end $$;

alter function expire_holds set enable_seqscan = off;
alter function expire_holds set plan_cache_mode = force_generic_plan;

-- As in 030; who lost an offered time to somebody at the clinic let nothing pass.
create or replace function settle_offers(p_max_lapses integer) returns integer
language plpgsql as $$
declare
	v_entry record;
	v_count integer := 0;
begin
	for v_entry in
		select e.id, h.slot_id,
			case
				when h.state = 'booked' or b.state = 'handed_over' then 'answered'
				when h.state in ('released', 'rejected') then 'passed'
				when h.state = 'expired' and h.is_taken then 'lost'
				when h.state = 'expired' then 'lapsed'
				when h.state = 'held' and h.expires_at <= clock_timestamp() then 'lapsed'
				else 'open'
			end as became
		from waiting_entries e
		join holds h on h.id = e.hold_id
		left join bookings b on b.hold_id = h.id
		where e.state = 'offered'
		order by e.nr
		-- The hold too: who is just confirming or extending it is left for the next round.
		for update of e, h skip locked
	loop
		continue when v_entry.became = 'open';
		v_count := v_count + 1;
		if v_entry.became = 'answered' then
			delete from waiting_entries where id = v_entry.id;
			continue;
		end if;
		if v_entry.became <> 'lost' then
			insert into waiting_passed (entry_id, slot_id) values (v_entry.id, v_entry.slot_id)
			on conflict do nothing;
		end if;
		update waiting_entries e
		set hold_id = null,
			lapses = e.lapses + case when v_entry.became = 'lapsed' then 1 else 0 end,
			state = case when v_entry.became = 'lapsed' and e.lapses + 1 >= p_max_lapses
				then 'paused' else 'waiting' end
		where e.id = v_entry.id;
	end loop;
	-- The hold is no longer known: the slot was forgotten with it.
	update waiting_entries set state = 'waiting' where state = 'offered' and hold_id is null;
	return v_count;
end $$;
