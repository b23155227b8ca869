// Which process does tonight's upkeep. One row per night keeps any number of workers apart, also
// when their clocks or their random delays differ.
import type { Queryable } from '../platform/postgres.ts';

/** A run that has not finished by then died; another may take the night over. */
const STALE_MINUTES = 60;
const KEPT_NIGHTS = 90;

/** The night that this process now does, as an ISO date; null = somebody else does or did it. */
export const beginUpkeep = async (sql: Queryable): Promise<string | null> => {
	const [row] = await sql<{ night: string }[]>`
		insert into upkeep_runs as r (night) values ((clock_timestamp() at time zone 'UTC')::date)
		on conflict (night) do update set started_at = excluded.started_at
			where r.finished_at is null
				and r.started_at < clock_timestamp() - ${STALE_MINUTES} * interval '1 minute'
		returning night`;
	return row?.night ?? null;
};

/** Writes what was done, so that the operator can look it up. */
export const finishUpkeep = async (
	sql: Queryable,
	night: string,
	counts: Readonly<Record<string, number>>
): Promise<void> => {
	await sql`
		update upkeep_runs set finished_at = clock_timestamp(),
			counts = ${JSON.stringify(counts)}::text::jsonb
		where night = ${night}`;
	await sql`delete from upkeep_runs where night < ${night}::date - ${KEPT_NIGHTS}::integer`;
};
