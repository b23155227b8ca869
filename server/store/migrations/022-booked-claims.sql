-- The claim of a booking whose source goes on listing the time as free ends after a while: a visit
-- that the clinic cancelled between two polls was never seen taken, and kept its time off the board
-- for ever (K21). Until then the hold of such a booking has an end of its own.
drop index holds_due;
create index holds_due on holds (expires_at) where state in ('held', 'confirming', 'booked');

-- Claims of before get their time from now on.
with kept as (
	update holds h set expires_at = clock_timestamp() + interval '10 minutes'
	from slots s
	where h.state = 'booked' and s.id = h.slot_id and h.fence = any (s.claim_fences)
	returning h.slot_id, h.fence, h.expires_at
)
update slots s set claim_untils = (
	select array_agg(case when c.fence = kept.fence then kept.expires_at else c.until end order by c.nr)
	from unnest(s.claim_fences, s.claim_untils) with ordinality as c (fence, until, nr)
)
from kept where kept.slot_id = s.id;

-- K21: gives the claim of a booking that stands its end.
create function end_booked_claim_in(p_slot bigint, p_fence bigint, p_ms integer) returns void
language plpgsql as $$
declare
	v_until timestamptz := clock_timestamp() + p_ms * interval '1 millisecond';
begin
	update slots s
	set claim_untils = (
		select array_agg(case when c.fence = p_fence then v_until else c.until end order by c.nr)
		from unnest(s.claim_fences, s.claim_untils) with ordinality as c (fence, until, nr)
	)
	where s.id = p_slot and p_fence = any (s.claim_fences);
	if found then
		update holds set expires_at = v_until where slot_id = p_slot and fence = p_fence;
	end if;
end $$;

-- As in 010, and ends the claims of bookings whose time is over: the booking stands, the source's
-- word about the time counts from here on.
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
		select h.id, h.slot_id, h.fence, h.device_key, h.state,
			h.fence = any (s.claim_fences) as is_claimed
		from holds h
		join slots s on s.id = h.slot_id
		where h.state in ('held', 'confirming', 'booked') and h.expires_at <= clock_timestamp()
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
				ended_at = clock_timestamp()
			where id = v_hold.id;
		end if;
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

alter function end_booked_claim_in set enable_seqscan = off;
alter function expire_holds set enable_seqscan = off;
alter function expire_holds set plan_cache_mode = force_generic_plan;
