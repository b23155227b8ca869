-- What an operator asks for on the page is done by a worker: kept answers were read by one already, and
-- sources are tried by one too.

alter table source_drafts
	-- null = it was not read yet.
	alter column report drop not null,
	-- Why it could not be read.
	add column why text,
	-- A worker has it until then; one that went away is followed by another.
	add column taken_until timestamptz,
	add column taken_by text,
	add column tries integer not null default 0;
create index source_drafts_wished on source_drafts (made_at) where report is null and why is null;

alter table rereads
	add column taken_by text,
	-- When the stage it is in was asked for.
	add column wished_at timestamptz not null default clock_timestamp();
