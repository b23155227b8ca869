-- Near polls ask a source for its next days only (domain/polling/near.ts). What they must know of the
-- poll that last asked for the whole window: when that was (null = the last good answer was it), and
-- how many near polls came since.
alter table sources add column far_checked_at timestamptz,
	-- While it is silent: its last good answer, where checked_at has gone back to that of the far days.
	add column near_checked_at timestamptz,
	add column near_polls integer not null default 0,
	-- The last answer allows that the next poll asks for less.
	add column may_narrow boolean not null default false,
	-- When an answer about the near days told of the others too, or was of no use: no asking for less
	-- for a day.
	add column window_ignored_at timestamptz;
-- Rates are learned from whole polls only: since when changes are counted (null = since the last good
-- poll). What near polls found meanwhile is in `told`.
alter table poll_estimates add column counted_from timestamptz;
