// What the operator sees of the hub's state: every source, and counts of people's matters.
import type { SourceStatus } from '#domain/status.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable } from '../platform/postgres.ts';

export type SourceStatusRow = Omit<SourceStatus, 'freshness'>;

export const readSourceStatuses = (sql: Queryable): Promise<SourceStatusRow[]> =>
	sql<SourceStatusRow[]>`
		select o.id, o.key, o.name, o.kind, o.checked_at as "lastGoodAt",
			o.tried_at as "lastTriedAt", o.outcome as "lastOutcome", o.detail as "lastDetail",
			o.failures, o.fresh_for_ms as "freshForMs",
			case when o.enabled then o.next_poll_at end as "nextPollAt",
			coalesce(c.schedules, 0) as schedules, coalesce(s.open, 0) as "openSlots",
			o.flags, o.refused, o.recent_changes as "recentChanges",
			o.suspect is not null as suspect, o.paused_at as "pausedAt",
			o.paused_because as "pausedBecause",
			case when o.emptied_at is not null then jsonb_build_object(
				'at', floor(extract(epoch from o.emptied_at) * 1000)::bigint,
				'count', o.emptied_count) end as emptied,
			exists (select 1 from source_secrets x where x.source_id = o.id and x.name = 'key') as "hasSecret",
			case when l.source_id is not null then jsonb_build_object(
				'state', case when l.silent then 'silent' when l.status in ('error', 'off') then 'broken'
					when l.status = 'requested' then 'asked' else 'telling' end,
				'heardAt', floor(extract(epoch from l.heard_at) * 1000)::bigint, 'lost', l.lost) end as push
		from sources o
		left join push_links l on l.source_id = o.id
		left join (
			select source_id, count(*) as schedules from schedules group by source_id
		) c on c.source_id = o.id
		left join (
			select s.source_id, count(*) as open
			from slots s
			where s.removed_at is null and s.status = 'free' and s.starts_at > clock_timestamp()
				and (s.claim_untils = '{}'
					or live_claims(s.claim_untils, clock_timestamp()) < s.remaining)
			group by s.source_id
		) s on s.source_id = o.id
		where o.removed_at is null
		order by o.key limit 1000`;

export type HubCounts = {
	readonly epoch: string;
	readonly asOf: Instant;
	readonly liveHolds: number;
	/** Made since midnight, UTC. */
	readonly bookingsToday: number;
	readonly unsettledBookings: number;
};

export const readCounts = async (sql: Queryable): Promise<HubCounts> => {
	const [row] = await sql<HubCounts[]>`
		select coalesce((select epoch from epochs), '') as epoch, clock_timestamp() as "asOf",
			(select count(*) from holds
				where state = 'held' and expires_at > clock_timestamp()) as "liveHolds",
			(select count(*) from bookings
				where created_at >= date_trunc('day', clock_timestamp(), 'UTC')) as "bookingsToday",
			(select count(*) from bookings where shown_state in ('confirming', 'unconfirmed', 'cancelling'))
				as "unsettledBookings"`;
	if (row === undefined) throw new Error('no counts');
	return row;
};
