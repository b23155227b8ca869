// Sources that have not answered well for too long: what the alarm looks at.
import type { SourceId } from '#domain/ids.ts';
import { SECOND_MS } from '#domain/time.ts';
import type { Queryable } from '../platform/postgres.ts';

export type OverdueSource = {
	readonly id: SourceId;
	readonly key: string;
	/** Since its last complete or partial answer, ms; null = it never answered. */
	readonly ageMs: number | null;
	readonly failures: number;
};

/** No alarm for less, however often a source is polled. */
const LEAST_AGE_MS = 30 * SECOND_MS;

/**
 * Enabled sources without a good answer for three intervals. The interval is the source's own, or
 * what the last good poll planned when the source asked for more; one that never answered is
 * overdue after three tries.
 */
export const listOverdueSources = async (
	sql: Queryable,
	limit: number
): Promise<OverdueSource[]> => {
	const rows = await sql<OverdueSource[]>`
		select sources.id, sources.key, failures,
			(extract(epoch from clock_timestamp() - good_at) * 1000)::bigint as "ageMs"
		from (select *, greatest(o.checked_at, o.near_checked_at) as good_at from sources o) as sources
			left join poll_estimates e on e.source_id = sources.id
		where enabled and case
			when good_at is null then failures >= 3
			else clock_timestamp() - good_at > greatest(
				3 * min_interval_ms * interval '1 millisecond',
				-- Planned further ahead than that: the intervals count from the planned poll on.
				(e.planned_ms + 2 * min_interval_ms) * interval '1 millisecond',
				case when failures = 0 then 3 * (next_poll_at - good_at) end,
				${LEAST_AGE_MS} * interval '1 millisecond')
			end
		order by good_at nulls first, sources.id limit ${limit}`;
	return [...rows];
};
