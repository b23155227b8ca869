-- A source that twice in a row answered in full with no times at all is believed, and all of its times go.
-- Until it has times again an operator sees when that was and how many there were.

alter table sources
	add column emptied_at timestamptz,
	add column emptied_count integer;
