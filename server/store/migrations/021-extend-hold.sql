-- Someone who is still typing may begin the minutes of a live hold anew, once.
alter table holds add column extended_at timestamptz;

-- H15: 'extended', or in one word why not. Locks the hold, then its slot, as releasing and
-- confirming do. Nobody else sees a change: held stays held, so nothing is logged. `p_now` is for
-- tests of the very millisecond; everyone else leaves it out.
create function extend_hold(
	p_device text, p_hold uuid, p_ttl_ms integer, p_now timestamptz default null, out outcome text
)
language plpgsql as $$
declare
	v_hold holds;
	v_now timestamptz;
	v_until timestamptz;
begin
	select * into v_hold from holds h where h.id = p_hold and h.device_key = p_device for update;
	-- Read after the lock: waiting for it takes time off the hold.
	v_now := coalesce(p_now, clock_timestamp());
	outcome := case
		when v_hold.id is null then 'hold_unknown'
		when v_hold.state = 'expired' then 'hold_expired'
		when v_hold.state <> 'held' then 'hold_unknown'
		when v_hold.expires_at <= v_now then 'hold_expired'
		when v_hold.extended_at is not null then 'hold_extended'
		else 'extended'
	end;
	if outcome <> 'extended' then
		return;
	end if;
	v_until := greatest(v_hold.expires_at, v_now + p_ttl_ms * interval '1 millisecond');
	update slots s
	set claim_untils = (
		select array_agg(case when c.fence = v_hold.fence then v_until else c.until end order by c.nr)
		from unnest(s.claim_fences, s.claim_untils) with ordinality as c (fence, until, nr)
	)
	where s.id = v_hold.slot_id and v_hold.fence = any (s.claim_fences);
	if not found then
		outcome := 'hold_expired';
		return;
	end if;
	update holds set expires_at = v_until, extended_at = v_now where id = p_hold;
end $$;

alter function extend_hold set enable_seqscan = off;
alter function extend_hold set plan_cache_mode = force_generic_plan;
