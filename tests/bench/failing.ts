// 20 sources, 5 of which hang, fail and trickle: how late the others are polled, against the same
// worker while all were well.
import { setTimeout as sleep } from 'node:timers/promises';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { until } from '../support/until.ts';
import { quantile, type BenchResult } from './bench.ts';
import { startWorkers } from './hub-process.ts';
import { addSources } from './many-sources.ts';
import { startPublisher, type Manner } from './publisher.ts';
import { createBenchDatabase } from './world.ts';

const SOURCES = 20;
const INTERVAL_MS = 1_000;
const PHASE_MS = 60_000;
const GOAL = 1.5;
/** Sources 0 to 4. */
const bad: readonly Manner[] = ['hang', 'hang', 'fail', 'trickle', 'trickle'];

/** Looks ten times a second at how late the start of each new poll of the others was, ms. */
const watchLag = async (sql: Sql, forMs: number): Promise<number[]> => {
	const lags: number[] = [];
	const planned = new Map<string, { gen: number; dueAt: number }>();
	const until = performance.now() + forMs;
	while (performance.now() < until) {
		const rows = await sql<{ key: string; gen: number; startedAt: number; dueAt: number }[]>`
			select key, poll_gen::int as gen,
				(extract(epoch from poll_started_at) * 1000)::float8 as "startedAt",
				(extract(epoch from next_poll_at) * 1000)::float8 as "dueAt"
			from sources where split_part(key, '-', 2)::int >= ${bad.length}`;
		for (const { key, gen, startedAt, dueAt } of rows) {
			const last = planned.get(key);
			if (last !== undefined && gen === last.gen + 1) lags.push(startedAt - last.dueAt);
			// Between claim and commit the row still shows the old plan.
			if (dueAt > startedAt) planned.set(key, { gen, dueAt });
		}
		await sleep(100);
	}
	return lags;
};

export const run = async (): Promise<BenchResult[]> => {
	const publisher = await startPublisher({ schedules: 10, slots: 2_000 });
	const database = await createBenchDatabase();
	const redis = await createEmbeddedRedis({ durable: false });
	await addSources(database.sql, publisher, { count: SOURCES, minIntervalMs: INTERVAL_MS });
	const workers = await startWorkers({ databaseUrl: database.url, redisUrl: redis.url });
	try {
		const isWarm = async (): Promise<boolean> => {
			const [row] = await database.sql<{ n: number }[]>`
				select count(*)::int as n from sources where committed_gen > 2`;
			return row?.n === SOURCES;
		};
		await until(isWarm, { timeoutMs: 60_000, stepMs: 200 });
		const normal = await watchLag(database.sql, PHASE_MS);
		for (const [nth, manner] of bad.entries()) publisher.setManner(nth, manner);
		const failing = await watchLag(database.sql, PHASE_MS);
		const ours = quantile(failing, 0.99);
		const base = quantile(normal, 0.99);
		return [
			{
				name: `5 of ${SOURCES} sources hang, fail or trickle: lag of the others' polls, p99`,
				unit: 'ms',
				ours: [ours],
				baseline: { name: 'all well', values: [base] },
				goal: `at most ${GOAL} ×`,
				met: ours <= GOAL * base,
				note: `p50 ${quantile(failing, 0.5).toFixed(0)} against ${quantile(normal, 0.5).toFixed(0)} ms; ${failing.length} and ${normal.length} polls`
			}
		];
	} finally {
		await workers.close();
		await redis.close();
		await database.close();
		await publisher.close();
	}
};
