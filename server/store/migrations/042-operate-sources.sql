-- What operators do to sources: pausing with a reason, removing, and trying one before it is saved.

alter table sources
	-- `enabled` is false while a source is paused, and for ever once it was removed.
	add column paused_at timestamptz,
	add column paused_because text,
	-- It stays, out of sight, while somebody holds or booked a visit there.
	add column removed_at timestamptz;

-- A source that was tried on the page and is not saved yet. The form is not sent twice, so that a
-- secret, once typed, never travels back to the browser.
create table source_drafts (
	id uuid primary key,
	settings jsonb not null,
	report jsonb not null,
	key_id text,
	wrapped_key bytea,
	sealed bytea,
	made_by text not null,
	made_at timestamptz not null default clock_timestamp()
);
