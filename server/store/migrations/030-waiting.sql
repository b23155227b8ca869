-- The waiting list. An offer is an ordinary hold of the waiting device, so that a place is never
-- offered twice: whoever holds it, holds it. No patient data: a device, a search and a time.
create table waiting_entries (
	id uuid primary key,
	-- The order of joining.
	nr bigint generated always as identity unique,
	device_key text not null,
	specialty text not null,
	region text not null,
	schedule_id bigint references schedules (id) on delete cascade,
	kinds text[] not null,
	plan text,
	language text,
	day_part text not null,
	zone text not null,
	joined_at timestamptz not null default clock_timestamp(),
	state text not null default 'waiting' check (state in ('waiting', 'offered', 'paused')),
	-- Offers that ran out unanswered.
	lapses integer not null default 0,
	hold_id uuid unique references holds (id) on delete set null
);
create index waiting_entries_device on waiting_entries (device_key);
create index waiting_entries_line on waiting_entries (specialty, region, nr);

-- Times a person let pass: they are not offered to them again.
create table waiting_passed (
	entry_id uuid not null references waiting_entries (id) on delete cascade,
	slot_id bigint not null references slots (id) on delete cascade,
	primary key (entry_id, slot_id)
);

-- What became of offers, looked up from their holds: answered ones leave the list, passed ones go
-- back to their old place in line, and after p_max_lapses unanswered ones we ask first.
create function settle_offers(p_max_lapses integer) returns integer
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
		insert into waiting_passed (entry_id, slot_id) values (v_entry.id, v_entry.slot_id)
		on conflict do nothing;
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

-- Whether somebody who waits for these could be offered a time of this provider.
create function may_want(p_entry waiting_entries, p_schedule schedules) returns boolean
language sql immutable parallel safe
return p_entry.specialty = any (p_schedule.specialty_ids)
	and (p_entry.schedule_id is null or p_entry.schedule_id = p_schedule.id)
	and (cardinality(p_schedule.regions) = 0 or p_entry.region = any (p_schedule.regions));
