-- H42: visits to come are counted by person, whatever the device: a keyed digest of name and birth date
-- (domain/person.ts), which goes when the patient's data go.
alter table bookings add column person text;
create index bookings_by_person on bookings (person, ends_at) where person is not null;
