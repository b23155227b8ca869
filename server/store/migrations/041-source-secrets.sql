-- What sources need to let us in: API keys, tokens, secrets that sign what they push. Encrypted like
-- patients' details: each under a data key of its own, wrapped by the key-encryption key `key_id`
-- (server/platform/secret-cipher.ts; authenticated with the source's id and the name).
create table source_secrets (
	source_id bigint not null references sources (id) on delete cascade,
	-- `key` is what the connector sends; other names belong to whoever saved them.
	name text not null check (name ~ '^[a-z0-9-]{1,40}$'),
	key_id text not null,
	wrapped_key bytea not null,
	sealed bytea not null,
	saved_at timestamptz not null default clock_timestamp(),
	primary key (source_id, name)
);
