// Which process does tonight's upkeep. One row per night keeps any number of workers apart, also
// when their clocks or their random delays differ.
import type { Queryable } from '../platform/postgres.ts';
import type { AuditHead } from './audit.ts';

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

/** What one night did; `auditHead` null = the chain was broken. */
export type UpkeepRun = {
	readonly auditHead: AuditHead | null;
	readonly [count: string]: number | AuditHead | null;
};

/** Writes what was done, so that the operator can look it up. */
export const finishUpkeep = async (
	sql: Queryable,
	night: string,
	run: UpkeepRun
): Promise<void> => {
	await sql`
		update upkeep_runs set finished_at = clock_timestamp(),
			counts = ${JSON.stringify(run)}::text::jsonb
		where night = ${night}`;
	await sql`delete from upkeep_runs where night < ${night}::date - ${KEPT_NIGHTS}::integer`;
};

/** The end of the audit as the last night saw it that found the chain whole; null = none did. */
export const lastAuditHead = async (sql: Queryable): Promise<AuditHead | null> => {
	const [row] = await sql<{ head: AuditHead }[]>`
		select counts -> 'auditHead' as head from upkeep_runs
		where jsonb_typeof(counts -> 'auditHead') = 'object'
		order by night desc limit 1`;
	return row?.head ?? null;
};
