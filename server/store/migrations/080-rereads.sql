-- Kept answers that an operator asked to be read again, on the page. A worker reads: what is wished and
-- what came of it stand here, for an hour.
create table rereads (
	id uuid primary key,
	source_id bigint not null references sources (id) on delete cascade,
	-- Generation of the poll that heard the answer.
	gen bigint not null,
	stage text not null check (stage in ('reading', 'read', 'applying', 'applied', 'failed')),
	-- Why it failed.
	why text,
	-- What the answer says today, and what that would change.
	found jsonb,
	changes integer,
	-- A worker has it until then; one that went away is followed by another.
	taken_until timestamptz,
	tries integer not null default 0,
	-- Who asked for the stage it is in.
	wished_by text not null,
	made_at timestamptz not null default clock_timestamp()
);
create index rereads_wished on rereads (made_at) where stage in ('reading', 'applying');
create index rereads_of_source on rereads (source_id);
