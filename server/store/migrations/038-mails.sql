-- E-mails to patients: what is to be sent, and whether it was. Whom to, and what it says, is opened
-- only at the moment of sending.
alter table bookings add column has_email boolean not null default false;

create table mails (
	id uuid primary key default gen_random_uuid(),
	booking_id uuid not null references bookings (id) on delete cascade,
	kind text not null check (kind in ('booked', 'moved', 'cancelled')),
	created_at timestamptz not null default clock_timestamp(),
	attempts integer not null default 0,
	next_attempt_at timestamptz not null default clock_timestamp(),
	sent_at timestamptz,
	-- Refused for good, too old, or overtaken by what happened since.
	dropped_at timestamptz,
	unique (booking_id, kind)
);
create index mails_due on mails (next_attempt_at) where sent_at is null and dropped_at is null;

-- A worker opens the details of whoever an e-mail is still to be sent to.
create policy patients_by_mail on patients for select using (
	actor_part(1) = 'worker' and exists (
		select 1 from bookings b join mails m on m.booking_id = b.id
		where b.patient_id = patients.id and m.sent_at is null and m.dropped_at is null
	)
);
