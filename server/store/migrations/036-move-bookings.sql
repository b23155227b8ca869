-- Moving a visit: the new booking names the one it takes the place of. What people have in their
-- calendars is one event all along, so its id passes from the old booking to the new one.
alter table bookings
	add column replaces uuid references bookings (id),
	-- UID of its calendar event; null = the booking's own id.
	add column calendar_uid uuid;
create unique index bookings_one_replacement on bookings (replaces)
	where replaces is not null and state in ('confirming', 'unconfirmed', 'booked');
