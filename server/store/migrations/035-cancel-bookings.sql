-- A visit that is being cancelled still stands: its row stays `booked`, so that every fence below
-- bookings goes on holding, and what people are shown is `cancelling`.
alter table bookings
	add column cancel_asked_at timestamptz,
	-- Counts how often cancelling was asked for: part of our key at the clinic.
	add column cancel_round integer not null default 0,
	-- Why the clinic did not cancel when it was last asked.
	add column change_refused text
		check (change_refused in ('clinic_refused', 'too_late', 'call_clinic')),
	add column shown_state text generated always as (
		case when state = 'booked' and cancel_asked_at is not null then 'cancelling' else state end
	) stored;
create index bookings_cancelling on bookings (next_attempt_at)
	where state = 'booked' and cancel_asked_at is not null;
