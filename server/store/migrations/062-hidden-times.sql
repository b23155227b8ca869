-- K25: a clinic's word that a practitioner takes no (more) visits here: for a span of time (today), or
-- without end (off). E20: of twins (one practitioner of one clinic in several sources) one is shown.
-- Times that begin in `hidden` are shown to nobody and cannot be held.
alter table schedules
	add column closed tstzrange not null default 'empty',
	-- Id of the twin that is shown instead; null = this one is. No reference: when that one is gone,
	-- the next look at twins finds it and tells viewers of what is back.
	add column shown_by bigint;
alter table schedules add column hidden tstzrange not null generated always as (
	case when shown_by is null then closed else '(,)'::tstzrange end
) stored;
create index schedules_npi on schedules (practitioner_npi) where practitioner_npi is not null;

-- E21: what was decided about twins, and why.
create table twin_trace (
	id bigint generated always as identity primary key,
	at timestamptz not null default clock_timestamp(),
	schedule_id bigint not null,
	shown_by bigint,
	because text not null
);
create index twin_trace_schedule on twin_trace (schedule_id, id);

-- As in 010; an open time that is hidden is gone for viewers. What is held stays held until it ends.
create or replace function wire_change(p_slot slots, p_at timestamptz) returns jsonb
language plpgsql stable as $$
declare
	v_live integer := live_claims(p_slot.claim_untils, p_at);
	v_state integer :=
		slot_state(p_slot.status, p_slot.remaining, v_live, p_slot.removed_at is not null);
begin
	if v_state = 1 and exists (
		select 1 from schedules c where c.id = p_slot.schedule_id and c.hidden @> p_slot.starts_at
	) then
		v_state := 0;
	end if;
	if v_state <> 1 then
		return jsonb_build_array(p_slot.id, v_state);
	end if;
	return jsonb_build_array(
		p_slot.id, p_slot.schedule_id, start_minute(p_slot.starts_at),
		slot_minutes(p_slot.starts_at, p_slot.ends_at), v_state, p_slot.remaining - v_live
	);
end $$;

-- As in 039; 'slot_gone' for a time that is hidden.
create or replace function place_hold_in_time(
	p_device text, p_request uuid, p_slot bigint, p_ttl_ms integer,
	p_max_live integer, p_max_hour integer, p_now timestamptz default null,
	out outcome text, out hold_id uuid, out schedule_id bigint, out fence bigint,
	out state text, out ttl_ms bigint, out entries jsonb
)
language plpgsql as $$
declare
	v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
	select case when c.hidden @> s.starts_at then 'slot_gone' else 'too_soon' end into outcome
	from slots s join sources o on o.id = s.source_id join schedules c on c.id = s.schedule_id
	where s.id = p_slot and s.starts_at > v_now
		and (s.starts_at - o.min_notice <= v_now or c.hidden @> s.starts_at);
	if found and not exists (
		select 1 from requests r where r.device_key = p_device and r.request_id = p_request
	) then
		entries := '[]';
		return;
	end if;
	select p.outcome, p.hold_id, p.schedule_id, p.fence, p.state, p.ttl_ms, p.entries
	into outcome, hold_id, schedule_id, fence, state, ttl_ms, entries
	from place_hold(p_device, p_request, p_slot, p_ttl_ms, p_max_live, p_max_hour, p_now) p;
end $$;

alter function place_hold_in_time set enable_seqscan = off;
alter function place_hold_in_time set plan_cache_mode = force_generic_plan;
