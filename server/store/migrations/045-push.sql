-- What sources push to us. Nothing of a payload is kept but slot and schedule ids, times, statuses and
-- event numbers; a row of the inbox goes when it was acted upon.
create table push_links (
	source_id bigint primary key references sources (id) on delete cascade,
	way text not null check (way in ('fhir', 'webhook', 'cal-com')),
	-- FHIR: id of the Subscription at the source, what it said of itself, and its numbers.
	subscription text not null default '',
	status text not null default 'active' check (status in ('requested', 'active', 'error', 'off')),
	last_event bigint,
	missing bigint[] not null default '{}',
	heartbeat_ms integer,
	heard_at timestamptz not null default clock_timestamp(),
	-- It has been quiet for longer than it promised.
	silent boolean not null default false,
	-- Events that never came (or not yet), and those that came twice.
	lost bigint not null default 0,
	repeated bigint not null default 0
);

-- Ids of signed messages, so that each counts once over all hubs, whatever becomes of Redis.
create table push_seen (
	source_id bigint not null references sources (id) on delete cascade,
	id bytea not null,
	until timestamptz not null,
	primary key (source_id, id)
);
create index push_seen_until on push_seen (until);

create table push_inbox (
	id bigint generated always as identity primary key,
	source_id bigint not null references sources (id) on delete cascade,
	at timestamptz not null default clock_timestamp(),
	-- Changes that only a poll can find.
	changes integer not null default 0,
	-- Slots told in full (domain/push/pushed-slot.ts).
	slots jsonb not null default '[]'
);
create index push_inbox_source on push_inbox (source_id, id);

-- A push changed slots after the last good poll began: the next one reads everything.
alter table sources add column pushed_at timestamptz;
-- When a push last changed this slot, and when the source itself says it changed.
alter table slots add column pushed_at timestamptz not null default '-infinity',
	add column told_at timestamptz not null default '-infinity';
-- Changes that pushes wrote since the last good poll: the rate is learned from them too. When the last
-- signal came: a poll that began before it does not answer it.
alter table poll_estimates add column told integer not null default 0,
	add column signalled_at timestamptz not null default '-infinity';
