// 10,000 sources with 5,000,000 slots on one machine: how long the first reading takes, what the
// processes and the database grow to, and what one unchanged poll costs. One worker, durable Postgres.
import { setTimeout as sleep } from 'node:timers/promises';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { readPricedSources } from '#server/store/poll-prices.ts';
import { readFreeTimes } from '#server/store/waiting.ts';
import { until } from '../support/until.ts';
import { cpuSecondsOf, type BenchResult } from './bench.ts';
import { startHub, startWorkers } from './hub-process.ts';
import { addSources, familyCpuSeconds, MB, peakBytesOf, residentMb } from './many-sources.ts';
import { startPublisher } from './publisher.ts';
import { createBenchDatabase, type BenchDatabase } from './world.ts';

const SOURCES = Number(process.env['BENCH_SOURCES'] ?? 10_000);
const SLOTS_EACH = 500;
const SCHEDULES_EACH = 10;
const MOST_FIRST_MS = 12 * 60_000;
/** Until the first plans have spread the polls. */
const SETTLE_MS = 120_000;
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

const readPrices = ({ sql }: BenchDatabase): Promise<unknown> =>
	sql.begin((tx) => readPricedSources(tx, new Map([['dermatology:us-mt', 40]])));

const timeOf = async (work: () => Promise<unknown>): Promise<number> => {
	const from = performance.now();
	await work();
	return performance.now() - from;
};

/** The round of offers while somebody waits for what no calendar has: it looks at all that could fit. */
const timeOffers = async ({ sql }: BenchDatabase): Promise<number> => {
	await sql`
		insert into waiting_entries (id, device_key, specialty, region, kinds, day_part, zone)
		select gen_random_uuid(), 'bench', specialty_ids[1], regions[1], '{chat}', 'any', zone
		from schedules limit 1`;
	return await timeOf(() => readFreeTimes(sql, { leadMs: 0, limit: 1_000 }));
};

const told = (name: string, unit: string, value: number, note = ''): BenchResult => ({
	name,
	unit,
	ours: [value],
	note
});

type Span = { readonly from: Usage; readonly to: Usage };

const firstReading = ({ from, to }: Span): BenchResult => {
	const seconds = (to.at - from.at) / 1_000;
	const slots = SOURCES * SLOTS_EACH;
	return told(
		`first reading of ${SOURCES} sources, ${slots} slots`,
		's',
		seconds,
		`${Math.round(slots / seconds)} slots/s; CPU: worker ${(to.worker - from.worker).toFixed(0)} s, Postgres ${(to.postgres - from.postgres).toFixed(0)} s`
	);
};

const steadyPolls = ({ from, to }: Span): BenchResult => {
	const polls = to.polls - from.polls;
	const seconds = (to.at - from.at) / 1_000;
	const workerMs = ((to.worker - from.worker) * 1_000) / polls;
	const postgresMs = ((to.postgres - from.postgres) * 1_000) / polls;
	return told(
		'one poll, nothing changed: CPU of the worker',
		'ms',
		workerMs,
		`Postgres ${postgresMs.toFixed(1)} ms; ${(polls / seconds).toFixed(0)} polls/s were made; one worker is full at about ${Math.round(1_000 / workerMs)} polls/s`
	);
};

const databaseSize = async (database: BenchDatabase): Promise<BenchResult> => {
	const sizes = await sizesOf(database);
	const each = Math.round(sizes.slots / (SOURCES * SLOTS_EACH));
	return told(
		'database',
		'MB',
		sizes.database / MB,
		`slots with indexes ${(sizes.slots / MB).toFixed(0)} MB = ${each} bytes a slot; change log ${(sizes.log / MB).toFixed(0)} MB; kept answers ${(sizes.raw / MB).toFixed(0)} MB`
	);
};

export const run = async (): Promise<BenchResult[]> => {
	const publisher = await startPublisher({ schedules: SCHEDULES_EACH, slots: SLOTS_EACH });
	const database = await createBenchDatabase();
	const redis = await createEmbeddedRedis({ durable: false });
	await addSources(database.sql, publisher, { count: SOURCES, minIntervalMs: 60_000 });
	const parts = { databaseUrl: database.url, redisUrl: redis.url };
	const workers = await startWorkers(parts);
	const usage = () => readUsage(database, workers.pid);
	try {
		const started = await usage();
		const isRead = async (): Promise<boolean> => (await countRead(database)) === SOURCES;
		await until(isRead, { timeoutMs: MOST_FIRST_MS, stepMs: 500 });
		const first = { from: started, to: await usage() };
		await sleep(SETTLE_MS);
		const from = await usage();
		await sleep(STEADY_MS);
		const steady = { from, to: await usage() };
		const lag = await lagOf(database);
		const peakMb = peakBytesOf(workers.pid) / MB;
		const hub = await startHub(parts);
		const hubMb = residentMb(hub.pid);
		await hub.close();
		return [
			firstReading(first),
			told('worker, resident', 'MB', residentMb(workers.pid), `peak ${peakMb.toFixed(0)} MB`),
			told('hub, resident, nobody watching', 'MB', hubMb),
			await databaseSize(database),
			steadyPolls(steady),
			told('lag behind the plan, p99', 'ms', lag.p99Ms, `${lag.due} of ${SOURCES} due`),
			told('reading all sources for the price', 'ms', await timeOf(() => readPrices(database))),
			told('a round of offers, one in line', 'ms', await timeOffers(database))
		];
	} finally {
		await workers.close();
		await redis.close();
		await database.close();
		await publisher.close();
	}
};
