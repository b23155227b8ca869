-- By what any worker recognises that a source still says what the store shows (server/store/fingerprints.ts).
-- A row is there only while that is so: whatever writes something else of the source takes it away.
create table fingerprints (
	source_id bigint not null references sources on delete cascade,
	reach text not null check (reach in ('near', 'whole')),
	-- The poll whose answer it is of.
	token text not null,
	-- When all of that answer was last read in full.
	full_at timestamptz not null,
	-- The connector's own: addresses, validators, digests.
	made jsonb not null,
	primary key (source_id, reach)
);
