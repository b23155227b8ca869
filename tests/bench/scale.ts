// 10,000 sources with 5,000,000 slots on one machine: how long the first reading takes, what the
// processes and the database grow to, and what one unchanged poll costs. One worker, durable Postgres.
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { readPricedSources } from '#server/store/poll-prices.ts';
import { cpuSecondsOf, type BenchResult } from './bench.ts';
import { startHub, startWorkers } from './hub-process.ts';
import {
	addSources,
	familyCpuSeconds,
	MB,
	peakBytesOf,
	residentMb,
	sleep,
	waitFor
} from './many-sources.ts';
import { startPublisher } from './publisher.ts';
import { createBenchDatabase, type BenchDatabase } from './world.ts';

const SOURCES = Number(process.env['BENCH_SOURCES'] ?? 10_000);
const SLOTS_EACH = 500;
const SCHEDULES_EACH = 10;
const MOST_FIRST_MS = 12 * 60_000;
const STEADY_MS = 60_000;

const countRead = async ({ sql }: BenchDatabase): Promise<number> => {
	const [row] = await sql<{ n: number }[]>`
		select count(*)::int as n from sources where committed_gen > 0`;
	return row?.n ?? 0;
};

type Sizes = { database: number; slots: number; log: number; raw: number };

const sizesOf = async ({ sql }: BenchDatabase): Promise<Sizes> => {
	const [row] = await sql<Sizes[]>`
		select pg_database_size(current_database())::float8 as database,
			pg_total_relation_size('slots')::float8 as slots,
			pg_total_relation_size('raw_answers')::float8 as raw,
			(select sum(pg_total_relation_size(relid)) from pg_partition_tree('change_log'))::float8
				as log`;
	return row ?? { database: NaN, slots: NaN, log: NaN, raw: NaN };
};

type Usage = { at: number; worker: number; postgres: number; polls: number };

const readUsage = async (database: BenchDatabase, workerPid: number): Promise<Usage> => {
	const [row] = await database.sql<{ polls: number }[]>`
		select sum(poll_gen)::float8 as polls from sources`;
	return {
		at: performance.now(),
		worker: cpuSecondsOf(workerPid),
		postgres: familyCpuSeconds(database.pid),
		polls: row?.polls ?? NaN
	};
};

/** The 99th percentile of how long due sources have waited, and how many are due, at this moment. */
const lagOf = async ({ sql }: BenchDatabase): Promise<{ due: number; p99Ms: number }> => {
	const [row] = await sql<{ due: number; p99Ms: number }[]>`
		select count(*) filter (where next_poll_at < now())::int as due,
			coalesce(percentile_cont(0.99) within group (order by
				greatest(0, extract(epoch from now() - next_poll_at) * 1000)), 0)::float8 as "p99Ms"
		from sources`;
	return row ?? { due: NaN, p99Ms: NaN };
};

const timePrices = async ({ sql }: BenchDatabase): Promise<number> => {
	const from = performance.now();
	await sql.begin((tx) => readPricedSources(tx, new Map([['dermatology:us-mt', 40]])));
	return performance.now() - from;
};

const told = (name: string, unit: string, value: number, note = ''): BenchResult => ({
	name,
	unit,
	ours: [value],
	note
});

export const run = async (): Promise<BenchResult[]> => {
	const publisher = await startPublisher({ schedules: SCHEDULES_EACH, slots: SLOTS_EACH });
	const database = await createBenchDatabase();
	const redis = await createEmbeddedRedis({ durable: false });
	await addSources(database.sql, publisher, { count: SOURCES, minIntervalMs: 60_000 });
	const parts = { databaseUrl: database.url, redisUrl: redis.url };
	const startedAt = performance.now();
	const workers = await startWorkers(parts);
	try {
		const before = await readUsage(database, workers.pid);
		await waitFor(async () => (await countRead(database)) === SOURCES, MOST_FIRST_MS);
		const read = await countRead(database);
		const first = await readUsage(database, workers.pid);
		const firstS = (performance.now() - startedAt) / 1_000;
		await sleep(5_000);
		const from = await readUsage(database, workers.pid);
		await sleep(STEADY_MS);
		const to = await readUsage(database, workers.pid);
		const lag = await lagOf(database);
		const polls = to.polls - from.polls;
		const seconds = (to.at - from.at) / 1_000;
		const workerMs = ((to.worker - from.worker) * 1_000) / polls;
		const postgresMs = ((to.postgres - from.postgres) * 1_000) / polls;
		const sizes = await sizesOf(database);
		const hub = await startHub(parts);
		const pricesMs = await timePrices(database);
		const hubMb = residentMb(hub.pid);
		await hub.close();
		return [
			told(
				`first reading of ${read} of ${SOURCES} sources, ${read * SLOTS_EACH} slots`,
				's',
				firstS,
				`${Math.round((read * SLOTS_EACH) / firstS)} slots/s; CPU: worker ${(first.worker - before.worker).toFixed(0)} s, Postgres ${(first.postgres - before.postgres).toFixed(0)} s`
			),
			told(
				'worker, resident',
				'MB',
				residentMb(workers.pid),
				`peak ${(peakBytesOf(workers.pid) / MB).toFixed(0)} MB`
			),
			told('hub, resident, nobody watching', 'MB', hubMb),
			told(
				'database',
				'MB',
				sizes.database / MB,
				`slots with indexes ${(sizes.slots / MB).toFixed(0)} MB = ${Math.round(sizes.slots / (read * SLOTS_EACH))} bytes a slot; change log ${(sizes.log / MB).toFixed(0)} MB; kept answers ${(sizes.raw / MB).toFixed(0)} MB`
			),
			told(
				'one poll, nothing changed: CPU of the worker',
				'ms',
				workerMs,
				`Postgres ${postgresMs.toFixed(1)} ms; ${(polls / seconds).toFixed(0)} polls/s were made; one worker is full at about ${Math.round(1_000 / workerMs)} polls/s`
			),
			told('lag behind the plan, p99', 'ms', lag.p99Ms, `${lag.due} of ${SOURCES} due`),
			told('reading all sources for the price', 'ms', pricesMs)
		];
	} finally {
		await workers.close();
		await redis.close();
		await database.close();
		await publisher.close();
	}
};
