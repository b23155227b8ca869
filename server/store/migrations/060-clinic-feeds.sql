-- Addresses under which a clinic's own calendar programs read its visits. Only a hash of the secret
-- part is kept; one of a source works at a time, an ended one is remembered to be told as ended.
create table clinic_feeds (
	token_hash bytea primary key,
	source_id bigint not null references sources (id) on delete cascade,
	made_at timestamptz not null default clock_timestamp(),
	ended_at timestamptz
);
create unique index clinic_feeds_one_open on clinic_feeds (source_id) where ended_at is null;
