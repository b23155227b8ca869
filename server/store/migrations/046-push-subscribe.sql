-- Subscriptions that the hub made itself at sources that offer them: when each is to be renewed, and
-- when the next try is due (for one that has none yet, too).
create table push_subscribing (
	source_id bigint primary key references sources (id) on delete cascade,
	-- Id at the source; null = none stands.
	subscription text,
	renew_at timestamptz not null default '-infinity',
	try_at timestamptz not null default '-infinity',
	failures integer not null default 0
);
