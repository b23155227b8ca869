// 200 changes a second in a room of 250: what it costs the hub per change and viewer, in CPU, bytes
// and waiting, against stock Socket.IO with the Redis adapter that emits each change. And what an
// idle viewer costs. Peers alternate in the same run; server, viewers and publisher are apart.
import { fork, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import type { SlotId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import type { WireChange } from '#domain/protocol.ts';
import { createPublisher } from '#server/feed/publish.ts';
import { createLog } from '#server/platform/log.ts';
import { createRedis } from '#server/platform/redis.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { median, quantile, type BenchResult } from './bench.ts';
import type { ServerOrder, Usage } from './fan-out-server.ts';
import type { ViewersOrder, ViewersReport } from './fan-out-viewers.ts';
import { createBenchDatabase, type BenchDatabase } from './world.ts';

const ROOM = 'dermatology:us-mt';
const VIEWERS = 250;
const PER_SECOND = 200;
const MEASURE_MS = 6_000;
const WARM_MS = 1_500;
const ROUNDS = 3;
const SAMPLES = 5;
const FIRST_VIEWERS = 20;
const IDLE_VIEWERS = 2_000;
const IDLE_MS = 61_000;

type Kind = ServerOrder['kind'];
type Ground = { database: BenchDatabase; redisUrl: string; epoch: string };
type Told = { readonly seq: number; readonly at: number };
type Publish = { tell(change: WireChange): Promise<Told>; close(): Promise<void> };

const now = (): number => performance.timeOrigin + performance.now();

const heard = <T>(child: ChildProcess): Promise<T> =>
	new Promise((resolve, reject) => {
		child.once('message', (message) => resolve(message as T));
		child.once('exit', () => reject(new Error('a process of the benchmark ended')));
	});

const ask = async <T>(child: ChildProcess, message: string): Promise<T> => {
	child.send(message);
	return await heard<T>(child);
};

/** The server has a core of its own, as far as the machine lets us: viewers get the other one. */
const pin = (child: ChildProcess, core: number): void => {
	spawnSync('taskset', ['-acp', String(core), String(child.pid)], { stdio: 'ignore' });
};

const start = (file: string, order: ServerOrder | ViewersOrder): ChildProcess => {
	const child = fork(new URL(file, import.meta.url), [JSON.stringify(order)], {
		execArgv: ['--expose-gc'],
		stdio: ['ignore', 'ignore', 'inherit', 'ipc']
	});
	pin(child, 'kind' in order ? 0 : 1);
	return child;
};

/** A slot opens, or goes: half of the changes travel whole. */
const makeChange = (n: number): WireChange => {
	const id = (100_000 + ((n * 7_919) % 3_000)) as SlotId;
	return n % 2 === 0 ? [id, 3] : [id, 1_234 as never, 29_654_320 + n, 20, 1, 1];
};

/** Ours: one commit per change, then the hint on Redis, as every process of the hub does it. */
const publishOurs = async ({ database, redisUrl, epoch }: Ground): Promise<Publish> => {
	const redis = createRedis(redisUrl, { role: 'publisher' });
	const log = createLog({ name: 'bench', level: 'silent' });
	const publisher = createPublisher({ redis, epoch, log });
	return {
		tell: async (change) => {
			const [row] = await database.sql<{ seq: number }[]>`
				with room as (update rooms set seq = seq + 1 where name = ${ROOM} returning id, seq)
				insert into change_log (room_id, seq, changes)
				select id, seq, ${JSON.stringify([change])}::text::jsonb from room returning seq`;
			const { seq } = must(row, 'entry');
			publisher.publish([{ room: ROOM, seq, changes: [change] }]);
			return { seq, at: now() };
		},
		close: async () => {
			await publisher.close();
			redis.disconnect();
		}
	};
};

/** What a stock server sends of a changed slot: the slot, as JSON of about 290 bytes. */
const plainSlot = (change: WireChange, seq: number) => {
	const [id] = change;
	return {
		seq,
		room: ROOM,
		slot: {
			id,
			scheduleId: 1_234,
			practitioner: 'Dr. Ana Reyes',
			organization: 'Big Sky Dermatology',
			start: '2026-11-24T16:40:00.000Z',
			end: '2026-11-24T17:00:00.000Z',
			zone: 'America/Denver',
			status: change.length === 2 ? 'busy' : 'free',
			left: change.length === 2 ? 0 : 1,
			changedAt: '2026-11-21T23:40:12.345Z'
		}
	};
};

/** Stock: a peer server with the adapter emits each change. */
const publishStock = async ({ redisUrl }: Ground): Promise<Publish> => {
	const http = createServer();
	const io = new Server(http, { serveClient: false });
	const publishing = new Redis(redisUrl);
	const following = publishing.duplicate();
	io.adapter(createAdapter(publishing, following));
	const namespace = io.of('/patients');
	await wait(300);
	let seq = 0;
	return {
		tell: async (change) => {
			seq += 1;
			namespace.to(ROOM).emit('slots:changed', plainSlot(change, seq));
			return { seq, at: now() };
		},
		close: async () => {
			await io.close();
			publishing.disconnect();
			following.disconnect();
		}
	};
};

/** Keeps to the rate as long as the machine can; what is late is made up for. */
const tellFor = async (publish: Publish, ms: number): Promise<Told[]> => {
	const told: Told[] = [];
	const startedAt = performance.now();
	for (let n = 0; ; n += 1) {
		const elapsed = performance.now() - startedAt;
		if (elapsed >= ms) return told;
		const dueAt = (n * 1_000) / PER_SECOND;
		if (dueAt > elapsed) await wait(dueAt - elapsed);
		told.push(await publish.tell(makeChange(n)));
	}
};

const headOf = async ({ sql }: BenchDatabase): Promise<number> => {
	const [row] = await sql<{ seq: number }[]>`select seq from rooms where name = ${ROOM}`;
	return must(row, 'room').seq;
};

type Stage = { server: ChildProcess; port: number; close(): void };

const openStage = async (kind: Kind, ground: Ground): Promise<Stage> => {
	const { database, redisUrl } = ground;
	const server = start('./fan-out-server.ts', {
		kind,
		databaseUrl: database.url,
		redisUrl,
		room: ROOM
	});
	const { port } = await heard<{ port: number }>(server);
	return { server, port, close: () => void server.kill('SIGKILL') };
};

const openViewers = async (
	stage: Stage,
	ground: Ground,
	{ count, samples }: { count: number; samples: number }
): Promise<ChildProcess> => {
	const have = { epoch: ground.epoch, seq: await headOf(ground.database) };
	const join = { room: ROOM, have };
	const viewers = start('./fan-out-viewers.ts', { port: stage.port, count, join, samples });
	await heard(viewers);
	return viewers;
};

type Measured = {
	/** CPU ms of the server per 1,000 changes × viewers. */
	readonly cpu: number;
	readonly bytes: number;
	readonly waits: readonly number[];
	readonly serverCore: number;
	readonly loadCore: number;
};

const waitsOf = (told: readonly Told[], { arrivals }: ViewersReport): number[] => {
	const at = new Map(told.map((one) => [one.seq, one.at]));
	return arrivals.flatMap(([seq, arrivedAt]) => {
		const toldAt = at.get(seq);
		return toldAt === undefined ? [] : [Math.max(0, arrivedAt - toldAt)];
	});
};

const measure = async (kind: Kind, ground: Ground): Promise<Measured> => {
	const stage = await openStage(kind, ground);
	const publish = await (kind === 'ours' ? publishOurs(ground) : publishStock(ground));
	const viewers = await openViewers(stage, ground, { count: VIEWERS, samples: SAMPLES });
	try {
		await tellFor(publish, WARM_MS);
		await wait(200);
		await ask(viewers, 'reset');
		const before = await ask<Usage>(stage.server, 'cpu');
		const told = await tellFor(publish, MEASURE_MS);
		await wait(300);
		const after = await ask<Usage>(stage.server, 'cpu');
		const report = await ask<ViewersReport>(viewers, 'report');
		const arrived = report.arrivals.length / SAMPLES;
		if (arrived < told.length) {
			process.stderr.write(`${kind}: ${told.length - arrived} of ${told.length} late\n`);
		}
		return {
			cpu: ((after.cpuMs - before.cpuMs) * 1_000) / (told.length * VIEWERS),
			bytes: report.bytes / (told.length * VIEWERS),
			waits: waitsOf(told, report),
			serverCore: (after.cpuMs - before.cpuMs) / MEASURE_MS,
			loadCore: report.cpuMs / MEASURE_MS
		};
	} finally {
		viewers.kill('SIGKILL');
		await publish.close();
		stage.close();
	}
};

/** KiB of the server's memory that one more idle viewer takes. */
const measureMemory = async (kind: Kind, ground: Ground): Promise<number> => {
	const stage = await openStage(kind, ground);
	// A crowd before the one that is measured: what a process takes once, above all the room that a
	// crowd's arrival needs for short-lived objects, is no viewer's.
	const first = await openViewers(stage, ground, { count: IDLE_VIEWERS, samples: 0 });
	const before = await ask<Usage>(stage.server, 'usage');
	const viewers = await openViewers(stage, ground, { count: IDLE_VIEWERS, samples: 0 });
	const after = await ask<Usage>(stage.server, 'usage');
	for (const process of [viewers, first, stage.server]) process.kill('SIGKILL');
	return (after.residentBytes - before.residentBytes) / 1_024 / IDLE_VIEWERS;
};

/** Bytes of WebSocket frames to one viewer in an hour in which nothing happens. */
const measureIdleBytes = async (kind: Kind, ground: Ground): Promise<number> => {
	const stage = await openStage(kind, ground);
	const viewers = await openViewers(stage, ground, { count: FIRST_VIEWERS, samples: 0 });
	await ask(viewers, 'reset');
	await wait(IDLE_MS);
	const { bytes } = await ask<ViewersReport>(viewers, 'report');
	for (const process of [viewers, stage.server]) process.kill('SIGKILL');
	return (bytes / FIRST_VIEWERS) * (3_600_000 / IDLE_MS);
};

/** A median wait above this means that the machine was too busy for the peer to keep up. */
const STARVED_MS = 100;
const TRIES = 3;

/** A starved server merges what it writes and looks cheaper than it is: such a round is repeated. */
const measureFairly = async (kind: Kind, ground: Ground): Promise<Measured> => {
	for (let tries = 1; ; tries += 1) {
		const measured = await measure(kind, ground);
		if (median(measured.waits) <= STARVED_MS || tries === TRIES) return measured;
		process.stderr.write(`${kind} was starved by the machine: measured again\n`);
	}
};

const STOCK = 'socket.io + redis-adapter, each change';

const loadResults = (ours: readonly Measured[], stock: readonly Measured[]): BenchResult[] => {
	const cpu = { ours: ours.map((m) => m.cpu), stock: stock.map((m) => m.cpu) };
	const bytes = { ours: ours.map((m) => m.bytes), stock: stock.map((m) => m.bytes) };
	const waits = (all: readonly Measured[], share: number) =>
		all.map((m) => quantile(m.waits, share));
	const addedAt = (share: number) => median(waits(ours, share)) - median(waits(stock, share));
	const [added, addedTail] = [addedAt(0.5), addedAt(0.99)];
	const core = (all: readonly Measured[]) => median(all.map((m) => m.serverCore)).toFixed(2);
	const load = (all: readonly Measured[]) => median(all.map((m) => m.loadCore)).toFixed(2);
	return [
		{
			name: '200 changes/s, room of 250: CPU per 1,000 changes × viewers',
			unit: 'ms',
			ours: cpu.ours,
			baseline: { name: STOCK, values: cpu.stock },
			goal: 'at most 1/6 of stock',
			met: median(cpu.ours) <= median(cpu.stock) / 6,
			note: `server core: ${core(ours)} ours, ${core(stock)} stock; viewers' core: ${load(ours)}, ${load(stock)}`
		},
		{
			name: '200 changes/s, room of 250: bytes per change and viewer',
			unit: 'B',
			ours: bytes.ours,
			baseline: { name: STOCK, values: bytes.stock },
			goal: 'at most 60 B',
			met: median(bytes.ours) <= 60,
			note: 'frame headers and beacons included'
		},
		{
			name: '200 changes/s, room of 250: commit → viewer, median',
			unit: 'ms',
			ours: waits(ours, 0.5),
			baseline: { name: STOCK, values: waits(stock, 0.5) },
			goal: 'at most 50 ms added',
			met: added <= 50,
			note: `added wait ${added.toFixed(1)} ms`
		},
		{
			name: '200 changes/s, room of 250: commit → viewer, p99',
			unit: 'ms',
			ours: waits(ours, 0.99),
			baseline: { name: STOCK, values: waits(stock, 0.99) },
			goal: 'at most 50 ms added',
			met: addedTail <= 50,
			note: `added wait ${addedTail.toFixed(1)} ms`
		}
	];
};

type Pair<T> = { readonly ours: T; readonly stock: T };

const idleResults = (memory: Pair<readonly number[]>, bytes: Pair<number>): BenchResult[] => [
	{
		name: 'memory of an idle viewer in the hub',
		unit: 'KiB',
		ours: memory.ours,
		baseline: { name: 'socket.io', values: memory.stock },
		goal: 'at most 1.1 × stock',
		met: median(memory.ours) <= 1.1 * median(memory.stock),
		note: `${IDLE_VIEWERS} viewers beside as many, after a collection`
	},
	{
		name: 'bytes to an idle viewer in an hour',
		unit: 'B',
		ours: [bytes.ours],
		baseline: { name: 'socket.io', values: [bytes.stock] },
		goal: 'at most 60,000 B',
		met: bytes.ours <= 60_000,
		note: 'measured over a minute; the hub tells heads every 5 s'
	}
];

export const run = async (): Promise<BenchResult[]> => {
	const database = await createBenchDatabase(false);
	const redis = await createEmbeddedRedis({ durable: false });
	try {
		await database.sql`insert into rooms (name) values (${ROOM})`;
		const epoch = await ensureEpoch(database.sql);
		const ground = { database, redisUrl: redis.url, epoch };
		const ours: Measured[] = [];
		const stock: Measured[] = [];
		for (let round = 0; round < ROUNDS; round += 1) {
			stock.push(await measureFairly('stock', ground));
			ours.push(await measureFairly('ours', ground));
		}
		const memory: { ours: number[]; stock: number[] } = { ours: [], stock: [] };
		for (let round = 0; round < ROUNDS; round += 1) {
			memory.stock.push(await measureMemory('stock', ground));
			memory.ours.push(await measureMemory('ours', ground));
		}
		const [idleOurs, idleStock] = await Promise.all([
			measureIdleBytes('ours', ground),
			measureIdleBytes('stock', ground)
		]);
		const idleBytes = { ours: idleOurs, stock: idleStock };
		return [...loadResults(ours, stock), ...idleResults(memory, idleBytes)];
	} finally {
		await redis.close();
		await database.close();
	}
};
