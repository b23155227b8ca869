// How long a hold and a confirmation take when 200 people ask at once: over HTTP, against the real hub,
// spread over 20,000 times and on 50 hot ones. What 200 callers must wait at least, when everybody is
// served at the rate of pgbench with the same SQL, is the baseline.
import { execFile, fork } from 'node:child_process';
import { promisify } from 'node:util';
import type { Sql } from '#server/platform/postgres.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { quantile, type BenchResult } from './bench.ts';
import { pgbench, pgbenchProgram } from './holds.ts';
import { startHub } from './hub-process.ts';
import { createBenchDatabase, fillWorld, resetWorld, type BenchDatabase } from './world.ts';

const CLIENTS = 200;
const SLOTS = 20_000;
const HOT_SLOTS = 50;
const SECONDS = 15;
const HOT_TTL_MS = 1_000;
const LONG_TTL_MS = 300_000;
/** How often the hot times are given free again after they were booked, ms. */
const FREE_EVERY_MS = 250;

type Load = { readonly slots: number; readonly ttlMs: number };
type Reply = {
	readonly held: number[];
	readonly refused: number[];
	readonly confirmed: number[];
	readonly statuses: Record<string, number>;
};

/** The clinic cancels what was booked on the hot times, so that there is always something to hold. */
const freeHot = async (sql: Sql): Promise<void> => {
	await sql`
		with gone as (
			update bookings set state = 'cancelled' where state = 'confirming' returning slot_id, hold_id
		), let_go as (
			update holds set state = 'released' from gone where holds.id = gone.hold_id
		)
		update slots set claim_fences = '{}', claim_untils = '{}' from gone
		where slots.id = gone.slot_id and not exists (
			select 1 from unnest(claim_untils) u where u < 'infinity' and u > clock_timestamp())`;
};

const callers = (url: string, load: Load): Promise<Reply> =>
	new Promise((resolve, reject) => {
		const order = { url, slots: load.slots, callers: CLIENTS, seconds: SECONDS };
		const program = new URL('./holds-latency-load.ts', import.meta.url);
		const child = fork(program, [JSON.stringify(order)]);
		child.once('message', (reply: Reply) => resolve(reply));
		child.once('exit', (code) => reject(new Error(`the callers ended with ${code}`)));
	});

type Measured = { readonly reply: Reply; readonly floorMs: number };

const measure = async (
	database: BenchDatabase,
	redisUrl: string,
	load: Load
): Promise<Measured> => {
	await resetWorld(database.sql);
	const perSecond = await pgbench(database, load);
	await database.sql`truncate bookings, patients cascade`;
	await resetWorld(database.sql);
	const hub = await startHub({
		databaseUrl: database.url,
		redisUrl,
		// What it warns of belongs beside the figures.
		onLine: (line) => console.log(line.slice(0, 500)),
		env: { HUB_HOLD_TTL_MS: String(load.ttlMs), HUB_DATABASE_POOL: '16' }
	});
	const isHot = load.slots === HOT_SLOTS;
	const timer = isHot ? setInterval(() => void freeHot(database.sql), FREE_EVERY_MS) : undefined;
	try {
		return { reply: await callers(hub.url, load), floorMs: (CLIENTS / perSecond) * 1_000 };
	} finally {
		clearInterval(timer);
		await hub.close();
	}
};

const results = (name: string, { reply, floorMs }: Measured): BenchResult[] => {
	const baseline = { name: `${CLIENTS} callers at the rate of pgbench`, values: [floorMs] };
	const counts = Object.entries(reply.statuses).map(([status, count]) => `${status}: ${count}`);
	const one = (what: string, share: number, times: readonly number[]): BenchResult => ({
		name: `${what}, ${name}, p${share * 100}`,
		unit: 'ms',
		ours: [quantile(times, share)],
		baseline,
		note: `${times.length} answers; ${counts.join(', ')}`
	});
	return [
		one('hold granted', 0.5, reply.held),
		one('hold granted', 0.99, reply.held),
		...(reply.refused.length > 100
			? [one('hold refused', 0.5, reply.refused), one('hold refused', 0.99, reply.refused)]
			: []),
		one('confirm', 0.5, reply.confirmed),
		one('confirm', 0.99, reply.confirmed)
	];
};

export const run = async (): Promise<BenchResult[]> => {
	await promisify(execFile)(pgbenchProgram, ['--version']);
	const database = await createBenchDatabase();
	const redis = await createEmbeddedRedis({ durable: false });
	try {
		await fillWorld(database.sql, {
			sources: 12,
			schedules: 500,
			slotsEach: SLOTS / 500,
			rooms: 400,
			roomsEach: 3
		});
		const spread = await measure(database, redis.url, { slots: SLOTS, ttlMs: LONG_TTL_MS });
		const hot = await measure(database, redis.url, { slots: HOT_SLOTS, ttlMs: HOT_TTL_MS });
		return [
			...results(`${CLIENTS} clients over 20,000 slots`, spread),
			...results(`${CLIENTS} clients on 50 hot slots`, hot)
		];
	} finally {
		await database.close();
		await redis.close();
	}
};
