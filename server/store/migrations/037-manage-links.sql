-- Links that lead a person back to one visit without a login. A link shows nothing by itself: the
-- date of birth must be typed, and only so many wrong ones.
create table manage_links (
	id uuid primary key default gen_random_uuid(),
	booking_id uuid not null unique references bookings (id) on delete cascade,
	-- Tries since the last right one, counted before each is judged.
	tries integer not null default 0,
	created_at timestamptz not null default clock_timestamp()
);

-- Devices that proved to be the patient's, beside the one that booked; for an hour.
create table booking_guests (
	booking_id uuid not null references bookings (id) on delete cascade,
	device_key text not null,
	until timestamptz not null,
	primary key (booking_id, device_key)
);

create function is_of_device(p_booking uuid, p_owner text, p_device text) returns boolean
language sql stable
return p_owner = p_device or exists (
	select 1 from booking_guests g
	where g.booking_id = p_booking and g.device_key = p_device and g.until > clock_timestamp()
);

-- Whoever holds the link of a visit is compared with its patient, and sees nothing else.
create policy patients_by_link on patients for select using (
	actor_part(1) = 'link' and exists (
		select 1 from bookings b
		where b.patient_id = patients.id and b.id::text = actor_part(2)
	)
);
