-- G15: how many people wait for a clinic's practitioners, as its console was last told.
alter table sources add column waiting_count integer not null default 0;
