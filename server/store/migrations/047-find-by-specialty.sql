-- Who waits for a specialty is matched with its schedules twice a second.
create index schedules_specialties on schedules using gin (specialty_ids);
