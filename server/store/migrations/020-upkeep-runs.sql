-- One row per night: which worker process does the upkeep, and what it did.
create table upkeep_runs (
	night date primary key,
	started_at timestamptz not null default clock_timestamp(),
	finished_at timestamptz,
	counts jsonb
);
