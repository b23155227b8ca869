-- The last answers of each source as they came, so that a reader that was mended can read them again
-- without asking. One packed, compressed and encrypted blob per answer: a calendar may name people.
create table raw_answers (
	source_id bigint not null references sources (id) on delete cascade,
	-- Generation of the poll that heard it.
	gen bigint not null,
	-- When that poll began: what "now" was for its requests.
	asked_at timestamptz not null,
	outcome text not null,
	-- Before compression.
	plain_bytes bigint not null,
	key_id text not null,
	wrapped_key bytea not null,
	sealed bytea not null,
	primary key (source_id, gen)
);
-- Compressed already.
alter table raw_answers alter column sealed set storage external;
create index raw_answers_at on raw_answers (asked_at);
