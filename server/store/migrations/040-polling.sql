-- How often each source changes, how much it matters, and the hub-wide price of a poll. All of it may
-- be emptied: sources then begin as newcomers.
create table poll_estimates (
	source_id bigint primary key references sources (id) on delete cascade,
	-- domain/polling/stored.ts, with the zone whose clock it is told in.
	learned jsonb not null,
	zone text not null default 'UTC',
	-- Unpacked for the price: changes per hour on average, and cost of an answer (1 = a full one).
	per_hour double precision not null,
	cost double precision not null,
	-- When the last good poll was begun.
	last_good_at timestamptz not null,
	-- Shortest interval and max-age as of that poll: no plan is brought forward beyond it.
	not_before timestamptz not null,
	-- From that poll to the next, as planned: the alarm begins to count then.
	planned_ms double precision not null,
	-- What the standing plan was made on.
	weight double precision not null,
	price double precision not null,
	-- Changes that a push or signal told of since then, and whether the source sends such at all.
	signalled integer not null default 0,
	pushes boolean not null default false
);

create table poll_attention (
	source_id bigint primary key references sources (id) on delete cascade,
	viewers integer not null,
	subscribers integer not null,
	live_holds integer not null
);

create table poll_prices (
	one boolean primary key default true check (one),
	hub double precision not null,
	-- Host to price, only where it is higher than the hub's.
	hosts jsonb not null default '{}',
	trim double precision not null default 1,
	-- Hard cap on staleness.
	cap_ms double precision not null,
	-- Whether the budget keeps all sources fresh by their own terms (sources.fresh_for_ms).
	keeps_fresh boolean not null,
	-- Zone to pool (domain/polling/estimate.ts); '' is the pool of all.
	pools jsonb not null default '{}',
	pooled_at timestamptz not null default '-infinity',
	set_at timestamptz not null
);
