-- Minimum notice: how long before its beginning a time must be held at the latest, as the operator
-- noted it for the source.
alter table sources add column min_notice interval not null generated always as (
	coalesce((notes ->> 'minNoticeMinutes')::integer, 0) * interval '1 minute'
) stored;

-- J27: place_hold(), but 'too_soon' for a time that has come too near. A request that was granted
-- before is answered as it was. `p_now` is for tests of the very millisecond.
create function place_hold_in_time(
	p_device text, p_request uuid, p_slot bigint, p_ttl_ms integer,
	p_max_live integer, p_max_hour integer, p_now timestamptz default null,
	out outcome text, out hold_id uuid, out schedule_id bigint, out fence bigint,
	out state text, out ttl_ms bigint, out entries jsonb
)
language plpgsql as $$
declare
	v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
	if exists (
		select 1 from slots s join sources o on o.id = s.source_id
		where s.id = p_slot and s.starts_at > v_now and s.starts_at - o.min_notice <= v_now
	) and not exists (
		select 1 from requests r where r.device_key = p_device and r.request_id = p_request
	) then
		outcome := 'too_soon';
		entries := '[]';
		return;
	end if;
	select p.outcome, p.hold_id, p.schedule_id, p.fence, p.state, p.ttl_ms, p.entries
	into outcome, hold_id, schedule_id, fence, state, ttl_ms, entries
	from place_hold(p_device, p_request, p_slot, p_ttl_ms, p_max_live, p_max_hour, p_now) p;
end $$;

alter function place_hold_in_time set enable_seqscan = off;
alter function place_hold_in_time set plan_cache_mode = force_generic_plan;
