// Holds: the hub's own SQL through pgbench (the ceiling), through the `postgres` client, and
// through the hub's HTTP endpoint, over many slots and over 50 hot ones.
import { execFile, fork, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createHash, randomUUID } from 'node:crypto';
import { createPostgres } from '#server/platform/postgres.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { median, type BenchResult } from './bench.ts';
import { createBenchDatabase, fillWorld, resetWorld, type BenchDatabase } from './world.ts';
import { startHub } from './hub-process.ts';

const CONNECTIONS = 16;
const SECONDS = 4;
const ROUNDS = 3;
/** More slots than can be held in one round, so that a hold is a hold and not a refusal. */
const SLOTS = 60_000;
const HOT_SLOTS = 50;
/** On hot slots holds end soon: the next caller may win again. The hub's shortest is a second. */
const HOT_TTL_MS = 1_000;
const LONG_TTL_MS = 300_000;
const NO_LIMIT = 1_000_000;

/** Postgres has a core of its own, whoever calls it the other one, as far as the machine lets us. */
const pin = (pid: number, core: number): void => {
	spawnSync('taskset', ['-acp', String(core), String(pid)], { stdio: 'ignore' });
};

type Load = { readonly slots: number; readonly ttlMs: number };
const cold: Load = { slots: SLOTS, ttlMs: LONG_TTL_MS };
const hot: Load = { slots: HOT_SLOTS, ttlMs: HOT_TTL_MS };

export const pgbenchProgram = process.env['PGBENCH_BIN'] ?? 'pgbench';

/** Holds a second by pgbench, over the hub's own statement. */
export const pgbench = async (database: BenchDatabase, load: Load): Promise<number> => {
	const folder = mkdtempSync(join(tmpdir(), 'slotcast-bench-'));
	const script = join(folder, 'hold.sql');
	writeFileSync(
		script,
		`\\set slot random(1, ${load.slots})
select outcome, hold_id, schedule_id, fence, state, ttl_ms, entries
from place_hold(md5(random()::text) || md5(random()::text), gen_random_uuid(), :slot, ${load.ttlMs}, ${NO_LIMIT}, ${NO_LIMIT});
`
	);
	const { hostname, port, username, password, pathname } = new URL(database.url);
	try {
		const { stdout } = await promisify(execFile)(
			pgbenchProgram,
			`-n -M prepared -c ${CONNECTIONS} -j 1 -T ${SECONDS} -f ${script} -h ${hostname} -p ${port} -U ${username} ${pathname.slice(1)}`.split(
				' '
			),
			{ env: { ...process.env, PGPASSWORD: password } }
		);
		return Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
	} finally {
		rmSync(folder, { recursive: true });
	}
};

const untilTime = async (
	ms: number,
	callers: number,
	once: () => Promise<void>
): Promise<number> => {
	const startedAt = performance.now();
	let done = 0;
	const caller = async (): Promise<void> => {
		while (performance.now() - startedAt < ms) {
			await once();
			done += 1;
		}
	};
	await Promise.all(Array.from({ length: callers }, caller));
	return done / ((performance.now() - startedAt) / 1_000);
};

const throughClient = async (database: BenchDatabase, load: Load): Promise<number> => {
	const sql = createPostgres(database.url, { max: CONNECTIONS, applicationName: 'bench-client' });
	const once = async (): Promise<void> => {
		const slot = 1 + Math.floor(Math.random() * load.slots);
		const device = createHash('sha256').update(String(Math.random())).digest('hex');
		await sql`
			select outcome, hold_id, schedule_id, fence, state, ttl_ms, entries
			from place_hold(${device}, ${randomUUID()}, ${slot}, ${load.ttlMs}, ${NO_LIMIT}, ${NO_LIMIT})`;
	};
	await untilTime(500, CONNECTIONS, once);
	const perSecond = await untilTime(SECONDS * 1_000, CONNECTIONS, once);
	await sql.end();
	return perSecond;
};

type LoadReply = { readonly perSecond: number; readonly statuses: Record<string, number> };

/** The callers live in a process of their own, so that their work is not the hub's. */
const throughEndpoint = async (url: string, load: Load): Promise<LoadReply> => {
	const child: ChildProcess = fork(new URL('./holds-load.ts', import.meta.url), [
		JSON.stringify({ url, slots: load.slots, callers: CONNECTIONS * 2, seconds: SECONDS })
	]);
	const reply = await new Promise<LoadReply>((resolve, reject) => {
		child.once('message', resolve);
		child.once('exit', (code) => reject(new Error(`the callers ended with ${code}`)));
	});
	return reply;
};

const hasPgbench = async (): Promise<boolean> =>
	promisify(execFile)(pgbenchProgram, ['--version']).then(
		() => true,
		() => false
	);

type Rounds = { ceiling: number[]; client: number[]; endpoint: number[]; note: string };

const measure = async (database: BenchDatabase, redisUrl: string, load: Load): Promise<Rounds> => {
	const rounds: Rounds = { ceiling: [], client: [], endpoint: [], note: '' };
	const hub = await startHub({
		databaseUrl: database.url,
		redisUrl,
		env: {
			HUB_HOLD_TTL_MS: String(load.ttlMs),
			HUB_MAX_HOLDS_PER_DEVICE: '100',
			HUB_MAX_HOLDS_PER_HOUR: '100000',
			HUB_DATABASE_POOL: String(CONNECTIONS)
		}
	});
	try {
		for (let round = 0; round < ROUNDS; round += 1) {
			await resetWorld(database.sql);
			rounds.ceiling.push(await pgbench(database, load));
			await resetWorld(database.sql);
			rounds.client.push(await throughClient(database, load));
			await resetWorld(database.sql);
			const { perSecond, statuses } = await throughEndpoint(hub.url, load);
			rounds.endpoint.push(perSecond);
			rounds.note = Object.entries(statuses)
				.map(([status, count]) => `${status}: ${count}`)
				.join(', ');
		}
	} finally {
		await hub.close();
	}
	return rounds;
};

const results = (name: string, rounds: Rounds): BenchResult[] => {
	const baseline = { name: 'pgbench, same SQL', values: rounds.ceiling };
	const share = (values: number[]): number => median(values) / median(rounds.ceiling);
	return [
		{
			name: `${name}, data layer, ${CONNECTIONS} connections`,
			unit: 'holds/s',
			ours: rounds.client,
			baseline,
			goal: 'at least 0.9 of pgbench',
			met: share(rounds.client) >= 0.9
		},
		{
			name: `${name}, POST /api/v1/holds`,
			unit: 'holds/s',
			ours: rounds.endpoint,
			baseline,
			goal: 'at least 0.6 of pgbench',
			met: share(rounds.endpoint) >= 0.6,
			note: `answers ${rounds.note}; Postgres on one core, hub and callers on the other`
		}
	];
};

export const run = async (): Promise<BenchResult[]> => {
	if (!(await hasPgbench())) {
		return [
			{
				name: 'holds',
				unit: 'holds/s',
				ours: [],
				note: 'pgbench was not found: install the PostgreSQL client tools or set PGBENCH_BIN'
			}
		];
	}
	const database = await createBenchDatabase();
	pin(database.pid, 0);
	pin(process.pid, 1);
	const redis = await createEmbeddedRedis({ durable: false });
	try {
		// As the demo: 12 clinics, practitioners licensed in three regions on average.
		await fillWorld(database.sql, {
			sources: 12,
			schedules: 500,
			slotsEach: SLOTS / 500,
			rooms: 400,
			roomsEach: 3
		});
		return [
			...results('holds over 60,000 slots', await measure(database, redis.url, cold)),
			...results('holds on 50 hot slots', await measure(database, redis.url, hot))
		];
	} finally {
		await database.close();
		await redis.close();
	}
};
