// The operator's page: readable also when half of the hub is down.
import { freshnessOf } from '#domain/source.ts';
import type { HubStatus, QueueStatus } from '#domain/status.ts';
import type { Clock } from '#domain/time.ts';
import type { Sql } from '../platform/postgres.ts';
import { readCounts, readSourceStatuses } from '../store/status.ts';

type Deps = {
	readonly sql: Sql;
	readonly clock: Clock;
	readonly queueStatus: () => Promise<readonly QueueStatus[] | null>;
	readonly socketCounts: () => HubStatus['sockets'];
	readonly feedLagMs: () => number | null;
};

type Stored = Pick<
	HubStatus,
	'asOf' | 'epoch' | 'postgres' | 'sources' | 'liveHolds' | 'bookingsToday' | 'unsettledBookings'
>;

const readStored = async (sql: Sql): Promise<Stored> => {
	const [counts, rows] = await Promise.all([readCounts(sql), readSourceStatuses(sql)]);
	const sources = rows.map((row) => {
		const ageMs = row.lastGoodAt === null ? null : counts.asOf - row.lastGoodAt;
		return { ...row, freshness: freshnessOf(ageMs, row.freshForMs) };
	});
	return { ...counts, postgres: 'up', sources };
};

export const readStatus =
	({ sql, clock, queueStatus, socketCounts, feedLagMs }: Deps) =>
	async (): Promise<HubStatus> => {
		const nothing: Stored = {
			asOf: clock.now(),
			epoch: '',
			postgres: 'down',
			sources: [],
			liveHolds: 0,
			bookingsToday: 0,
			unsettledBookings: 0
		};
		// The page must say "down", not be down.
		const [stored, queues] = await Promise.all([
			readStored(sql).catch(() => nothing),
			queueStatus().catch(() => null)
		]);
		const redis = queues === null ? 'down' : 'up';
		return { ...stored, redis, queues, sockets: socketCounts(), feedLagMs: feedLagMs() };
	};
