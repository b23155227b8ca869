// What everybody may know of the sources: nothing of how they are asked, nothing of people.
import type { Coverage, CoveredSource } from '#domain/coverage.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable } from '../platform/postgres.ts';

type Row = CoveredSource & { readonly asOf: Instant };

const withoutTime = ({ asOf: _, ...source }: Row): CoveredSource => source;

/**
 * Sources with a schedule for the region (null = all), and those that never answered, by name; at
 * most 1,000. One scan of the open slots, some ms per 10,000 of them.
 */
export const readCoverage = async (sql: Queryable, region: string | null): Promise<Coverage> => {
	const rows = await sql<Row[]>`
		with here as (
			select c.id, c.source_id, c.hidden from schedules c
			where ${region}::text is null or c.regions = '{}' or ${region} = any (c.regions)
		), open as (
			select h.source_id, count(distinct h.id)::int as providers,
				count(s.id)::int as times
			from here h left join slots s on s.schedule_id = h.id
				and s.removed_at is null and s.status = 'free' and s.starts_at > clock_timestamp()
				and not h.hidden @> s.starts_at
				and (s.claim_untils = '{}'
					or live_claims(s.claim_untils, clock_timestamp()) < s.remaining)
			group by h.source_id
		)
		select o.name, o.checked_at as "lastGoodAt", o.fresh_for_ms as "freshForMs",
			o.paused_at is not null as "isPaused", o.suspect is not null as "isSuspect",
			o.outcome = 'partial' as "isPartial", coalesce(n.providers, 0) as providers,
			coalesce(n.times, 0) as "openTimes", clock_timestamp() as "asOf"
		from sources o left join open n on n.source_id = o.id
		where o.removed_at is null and (n.source_id is not null or o.checked_at is null)
		order by o.name, o.key limit 1000`;
	const [first] = rows;
	if (first !== undefined) return { asOf: first.asOf, sources: rows.map(withoutTime) };
	const [clock] = await sql<{ asOf: Instant }[]>`select clock_timestamp() as "asOf"`;
	if (clock === undefined) throw new Error('no clock');
	return { asOf: clock.asOf, sources: [] };
};
