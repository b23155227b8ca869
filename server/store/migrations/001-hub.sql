-- The hub's whole state. Postgres is the only truth; Redis may be emptied at any second.
-- Numbers of rooms (seq) are gapless: the counter row is updated last in its transaction.

create extension if not exists btree_gist;

-- Epoch: positions of viewers are only meaningful within one. Bound to the database's identity,
-- so that a restored copy starts a new one (server/store/epoch.ts).
create table epochs (
	one boolean primary key default true check (one),
	epoch text not null,
	database_identity text not null,
	started_at timestamptz not null default now()
);

create table sources (
	id bigint generated always as identity primary key,
	key text not null unique,
	name text not null,
	kind text not null,
	url text not null,
	notes jsonb not null default '{}',
	min_interval_ms integer not null,
	fresh_for_ms integer not null,
	window_ms bigint not null,
	allow_private boolean not null default false,
	booking text not null check (booking in ('fhir', 'link', 'phone')),
	enabled boolean not null default true,

	-- When to poll next: the truth of which BullMQ is a cache.
	next_poll_at timestamptz not null default now(),
	-- Generation fence: a commit carries the generation it was granted.
	poll_gen bigint not null default 0,
	polling_until timestamptz,
	poll_started_at timestamptz,

	-- Generation whose content the slots table shows; the basis of deltas.
	committed_gen bigint not null default 0,
	cursor jsonb not null default '{}',
	checked_at timestamptz,
	valid_at timestamptz,
	tried_at timestamptz,
	outcome text,
	detail text,
	failures integer not null default 0,
	-- A shrink that waits for a second opinion: {"gen": 7, "freeAfter": 0}.
	suspect jsonb,
	flags jsonb,
	refused jsonb not null default '[]',
	recent_changes integer[] not null default '{}'
);
create index sources_due on sources (next_poll_at) where enabled;

create table schedules (
	id bigint generated always as identity primary key,
	source_id bigint not null references sources (id) on delete cascade,
	key text not null,
	practitioner_name text not null,
	practitioner_npi text,
	organization_name text not null,
	specialty_ids text[] not null,
	regions text[] not null,
	kinds text[] not null,
	languages text[] not null,
	plan_ids text[],
	zone text not null,
	phone text,
	-- Ids of the rooms its slots are offered in, ascending.
	room_ids bigint[] not null default '{}',
	changed_at timestamptz not null default now(),
	unique (source_id, key)
);
create index schedules_rooms on schedules using gin (room_ids);

create table slots (
	id bigint generated always as identity primary key,
	source_id bigint not null,
	schedule_id bigint not null references schedules (id) on delete cascade,
	-- Natural key inside the source (domain/slot.ts, D1).
	key text not null,
	service text not null default '',
	starts_at timestamptz not null,
	ends_at timestamptz not null check (ends_at > starts_at),
	status text not null check (
		status in ('free', 'busy', 'busy-unavailable', 'busy-tentative', 'entered-in-error')
	),
	capacity integer not null default 1 check (capacity >= 0),
	remaining integer not null default 0 check (remaining >= 0),
	source_slot_id text not null,
	version text not null default '',
	kinds text[],
	book_url text,
	book_phone text,
	-- Set when a complete answer no longer lists it; it stays for history until upkeep.
	removed_at timestamptz,
	-- When it last went from open to taken or vanished; null when open. For the pace of filling.
	taken_at timestamptz,
	-- Our own claims, one pair per place: fence and until when ('infinity' = confirming or booked
	-- here and not yet seen at the source). Inline, so that a hold is one conditional UPDATE.
	claim_fences bigint[] not null default '{}',
	claim_untils timestamptz[] not null default '{}',
	fence bigint not null default 0,
	-- Last change by us (hold, booking). A poll that began before it may not re-open the slot.
	own_changed_at timestamptz not null default '-infinity',
	changed_at timestamptz not null default now(),
	unique (source_id, key)
) with (fillfactor = 80);
-- No index names what a poll or a hold changes: such an update stays on its page (HOT) and touches
-- no index, which makes it several times cheaper.
create index slots_by_schedule on slots (schedule_id, starts_at);
create index slots_by_start on slots (starts_at);

create table rooms (
	id bigint generated always as identity primary key,
	name text not null unique,
	seq bigint not null default 0
) with (fillfactor = 50);

create table change_log (
	room_id bigint not null,
	seq bigint not null,
	at timestamptz not null default clock_timestamp(),
	changes jsonb not null,
	primary key (room_id, seq, at)
) partition by range (at);
-- Rows land here when upkeep has not yet rolled a partition for the day: nothing is refused.
create table change_log_default partition of change_log default;

create table holds (
	id uuid primary key,
	slot_id bigint not null references slots (id) on delete cascade,
	fence bigint not null,
	device_key text not null,
	state text not null check (
		state in ('held', 'confirming', 'booked', 'released', 'expired', 'rejected')
	),
	placed_at timestamptz not null default clock_timestamp(),
	expires_at timestamptz not null,
	ended_at timestamptz,
	unique (slot_id, fence)
);
-- One range serves both limits: holds of the last hour, of which some are live.
create index holds_by_device on holds (device_key, placed_at);
create index holds_due on holds (expires_at) where state in ('held', 'confirming');

-- Idempotency: the request's key, what it asked, and what was answered, in the same transaction
-- as the effect.
create table requests (
	device_key text not null,
	request_id uuid not null,
	fingerprint text not null,
	reply jsonb not null,
	at timestamptz not null default now(),
	primary key (device_key, request_id)
);
create index requests_at on requests (at);

create table patients (
	id uuid primary key,
	device_key text not null,
	-- Data key of this patient, wrapped by the key-encryption key named by key_id.
	key_id text not null,
	wrapped_key bytea not null,
	version integer not null default 1,
	-- AES-256-GCM, AAD = table, column, row, patient, version (server/platform/phi.ts).
	details bytea not null,
	created_at timestamptz not null default now()
);

create table bookings (
	id uuid primary key,
	hold_id uuid not null unique references holds (id),
	slot_id bigint not null references slots (id),
	fence bigint not null,
	schedule_id bigint not null,
	source_id bigint not null,
	patient_id uuid not null references patients (id),
	device_key text not null,
	state text not null check (
		state in ('confirming', 'booked', 'rejected', 'unconfirmed', 'handed_over', 'cancelled')
	),
	kind text,
	starts_at timestamptz not null,
	ends_at timestamptz not null,
	-- One place only: the constraints below forbid a second live booking of the slot or the time.
	exclusive boolean not null,
	rejected_because text,
	appointment_id text,
	join_url text,
	-- Where the patient goes on when the publisher books itself (state handed_over).
	link_url text,
	phone text,
	sequence integer not null default 0,
	attempts integer not null default 0,
	next_attempt_at timestamptz not null default now(),
	created_at timestamptz not null default clock_timestamp(),
	settled_at timestamptz,
	acknowledged_at timestamptz,
	unique (slot_id, fence)
);
-- A handed-over booking is not in these fences: there the publisher decides, not the hub.
create unique index bookings_one_live_per_slot on bookings (slot_id)
	where exclusive and state in ('confirming', 'unconfirmed', 'booked');
alter table bookings add constraint bookings_one_live_per_time
	exclude using gist (schedule_id with =, tstzrange(starts_at, ends_at) with &&)
	where (exclusive and state in ('confirming', 'unconfirmed', 'booked'));
create index bookings_by_source on bookings (source_id, starts_at);
create index bookings_unsettled on bookings (next_attempt_at)
	where state in ('confirming', 'unconfirmed');
create index bookings_by_device on bookings (device_key);

create table alert_subscriptions (
	id uuid primary key,
	device_key text not null,
	specialty text not null,
	region text not null,
	schedule_id bigint references schedules (id) on delete cascade,
	kinds text[] not null,
	plan text,
	language text,
	day_part text not null,
	zone text not null,
	created_at timestamptz not null default now()
);
create index alert_subscriptions_device on alert_subscriptions (device_key);
create index alert_subscriptions_match on alert_subscriptions (specialty, region);

-- What the last look at a schedule's supply found: "opened" is told against it. No row = never
-- looked, and the first look tells nobody anything.
create table supplies (
	schedule_id bigint primary key references schedules (id) on delete cascade,
	left_count integer not null,
	of_count integer not null,
	looked_at timestamptz not null,
	-- Newest slots.changed_at then seen. One source is polled one poll at a time, so that whatever
	-- changes later has a later one.
	seen_change_at timestamptz not null default '-infinity'
);

create table episodes (
	id bigint generated always as identity primary key,
	schedule_id bigint not null references schedules (id) on delete cascade,
	kind text not null check (kind in ('opened', 'filling_up')),
	started_at timestamptz not null default clock_timestamp(),
	ended_at timestamptz,
	left_count integer not null,
	of_count integer not null,
	per_hour integer not null
);
create unique index episodes_running on episodes (schedule_id, kind) where ended_at is null;

create table alert_notices (
	subscription_id uuid not null references alert_subscriptions (id) on delete cascade,
	episode_id bigint not null references episodes (id) on delete cascade,
	device_key text not null,
	schedule_id bigint not null,
	kind text not null,
	raised_at timestamptz not null default clock_timestamp(),
	notice jsonb not null,
	primary key (subscription_id, episode_id)
);
create index alert_notices_device on alert_notices (device_key, raised_at);
create index alert_notices_at on alert_notices (raised_at);

-- Who read or wrote patient data. A hash chain: each row's hash covers the one before it.
create table audit (
	id bigint primary key,
	at timestamptz not null,
	actor text not null,
	action text not null,
	-- Ids of the patients whose data was touched.
	objects text[] not null,
	previous_hash bytea not null,
	hash bytea not null
);
create index audit_objects on audit using gin (objects);
