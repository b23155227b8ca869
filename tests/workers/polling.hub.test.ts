// Whole worker processes against simulated clinics: one poll at a time, whatever dies or hangs.
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import { upsertSource } from '#server/store/sources.ts';
import { createQueues, type Queues } from '#workers/queues.ts';
import { startSystem, type System } from '../support/system.ts';
import { connectRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { makeSource } from './fakes.ts';
import { createMortalRedis } from './mortal-redis.ts';

type Standing = { key: string; gen: number; committed: number; outcome: string | null };

/** FHIR servers: publishers of bulk files ask not to be polled for a minute or so. */
const fhirClinics = [
	'prairie-lantern',
	'copper-mesa',
	'cedar-harbor',
	'bluestem',
	'islands-path',
	'quiet-ridge'
];

const readStanding = async (system: System): Promise<Map<string, Standing>> => {
	const rows = await system.database.sql<Standing[]>`
		select key, poll_gen as gen, committed_gen as committed, outcome from sources`;
	return new Map(rows.map((row) => [row.key, row]));
};

const openQueues = async (system: System): Promise<Queues> => {
	const queues = createQueues(system.redis.url, system.redis.prefix);
	onTestFinished(() => queues.close());
	await until(() => queues.isUp());
	return queues;
};

/** Every source has committed more polls than in `before`. */
const allWentOn = async (system: System, before: Map<string, Standing>): Promise<boolean> => {
	const now = [...(await readStanding(system)).values()];
	return now.every(({ key, committed }) => committed > (before.get(key)?.committed ?? 0));
};

/** Rooms whose log has a hole, or tells the same of a slot twice in a row. */
const findBrokenRooms = async (system: System): Promise<string[]> => {
	type Row = { room: string; seq: number; head: number; changes: [number, ...number[]][] };
	const rows = await system.database.sql<Row[]>`
		select r.name as room, l.seq, r.seq as head, l.changes
		from rooms r join change_log l on l.room_id = r.id order by r.id, l.seq`;
	const broken = new Set<string>();
	const last = new Map<string, { seq: number; slots: Map<number, string> }>();
	for (const { room, seq, changes } of rows) {
		const known = last.get(room) ?? { seq: 0, slots: new Map<number, string>() };
		if (seq !== known.seq + 1) broken.add(`${room}: ${seq} follows ${known.seq}`);
		for (const change of changes) {
			const [slot] = change;
			const told = change.length === 2 ? String(change[1]) : change.slice(4).join();
			if (known.slots.get(slot) === told) broken.add(`${room}: slot ${slot} is told twice`);
			known.slots.set(slot, told);
		}
		last.set(room, { seq, slots: known.slots });
	}
	return [...broken];
};

test('[W5] two worker processes and a heap of jobs: one poll of a source at a time', async () => {
	await using system = await startSystem({ organisations: 1 });
	const asked = { now: 0, most: 0, all: 0 };
	const publisher = createServer((_request, response) => {
		asked.now += 1;
		asked.all += 1;
		asked.most = Math.max(asked.most, asked.now);
		// Long enough for another worker to meet it, if it could.
		setTimeout(() => {
			asked.now -= 1;
			response.writeHead(500).end();
		}, 40);
	});
	publisher.listen(0, '127.0.0.1');
	await once(publisher, 'listening');
	onTestFinished(() => void publisher.close());
	const { port } = publisher.address() as AddressInfo;
	const { sql } = system.database;
	const sourceId = await upsertSource(
		sql,
		makeSource({ kind: 'smart-scheduling-links', url: `http://127.0.0.1:${port}/manifest.json` })
	);
	await Promise.all([system.startWorkers(), system.startWorkers()]);
	const queues = await openQueues(system);
	for (let round = 0; round < 5; round += 1) {
		await until(async () => {
			const rows = await sql`
				update sources set next_poll_at = clock_timestamp()
				where id = ${sourceId} and polling_until is null returning id`;
			return rows.length === 1;
		});
		const seen = asked.all;
		for (let job = 0; job < 20; job += 1) {
			await queues.addPoll(SourceId.parse(sourceId), 0, round, round * 100 + job);
		}
		await until(() => asked.all > seen);
	}
	expect(asked.most).toBe(1);
});

test('[W8] workers are killed in the middle of polls: the log stays whole, polling goes on', async () => {
	await using system = await startSystem({ keys: fhirClinics.slice(0, 4), slotCount: 400 });
	const { sql } = system.database;
	let victim = await system.startWorkers();
	for (let death = 0; death < 2; death += 1) {
		for (const clinic of system.clinics.clinics) {
			clinic.setFault({ kind: 'slow', delayMs: 300, forMs: 2_000 });
		}
		const heir = system.startWorkers();
		await until(async () => {
			const [row] = await sql<{ n: number }[]>`
				select count(*)::int as n from sources where polling_until > clock_timestamp()`;
			return (row?.n ?? 0) > 0;
		});
		await victim.kill('SIGKILL');
		victim = await heir;
		const before = await readStanding(system);
		system.clinics.step(3_600_000);
		// The claims of the dead run out in seconds; here time is helped along.
		await sql`update sources set polling_until = null where polling_until is not null`;
		await until(() => allWentOn(system, before), { timeoutMs: 25_000 });
	}
	expect(await findBrokenRooms(system)).toEqual([]);
	const heads = await sql`
		select r.name from rooms r
		where r.seq <> (select count(*) from change_log l where l.room_id = r.id)`;
	expect(heads).toEqual([]);
});

test('[W7] Redis is emptied: every source is polled again', async () => {
	await using system = await startSystem({ keys: fhirClinics.slice(0, 4), minIntervalMs: 500 });
	await system.startWorkers();
	await until(async () => await allWentOn(system, new Map()));
	await using redis = connectRedis(system.redis.url);
	await redis.client.flushdb();
	const before = await readStanding(system);
	await until(() => allWentOn(system, before), { timeoutMs: 25_000 });
});

test('[W7] Redis dies and comes back empty: every source is polled again', async () => {
	await using redis = await createMortalRedis();
	await using system = await startSystem({
		keys: fhirClinics.slice(0, 4),
		minIntervalMs: 500,
		env: { REDIS_URL: redis.url }
	});
	await system.startWorkers();
	await until(async () => await allWentOn(system, new Map()));
	await redis.kill();
	await redis.revive();
	const before = await readStanding(system);
	await until(() => allWentOn(system, before), { timeoutMs: 40_000 });
});

test('[W7][W18] workers started before Redis poll as soon as it is there, and drain without it', async () => {
	await using redis = await createMortalRedis();
	await using system = await startSystem({
		keys: fhirClinics.slice(0, 2),
		minIntervalMs: 500,
		env: { REDIS_URL: redis.url }
	});
	await redis.kill();
	const workers = await system.startWorkers();
	await redis.revive();
	await until(() => allWentOn(system, new Map()), { timeoutMs: 20_000 });
	await redis.kill();
	expect(await workers.kill('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('[W22] connections to Postgres are cut: the workers go on', async () => {
	await using system = await startSystem({ keys: fhirClinics.slice(0, 2), minIntervalMs: 500 });
	const workers = await system.startWorkers();
	await until(() => allWentOn(system, new Map()));
	for (let cut = 0; cut < 3; cut += 1) {
		await system.database.sql`
			select pg_terminate_backend(pid) from pg_stat_activity
			where datname = current_database() and application_name = 'slotcast-workers'`;
		const before = await readStanding(system);
		await until(() => allWentOn(system, before), { timeoutMs: 30_000 });
	}
	expect(workers.output()).not.toContain('"event":"uncaught"');
});

test('[W10] clinics that hang delay nobody else', async () => {
	await using system = await startSystem({ keys: fhirClinics });
	const hanging = system.clinics.clinics.slice(0, 3);
	const others = system.clinics.clinics.slice(3).map(({ key }) => key);
	for (const clinic of hanging) clinic.setFault({ kind: 'hang' });
	await system.startWorkers();
	await until(async () => {
		const standing = await readStanding(system);
		return others.every((key) => (standing.get(key)?.committed ?? 0) >= 2);
	});
	const standing = await readStanding(system);
	expect(hanging.map(({ key }) => standing.get(key)?.committed)).toEqual([0, 0, 0]);
});

test('[W18] on SIGTERM the poll under way is committed and the process exits with 0', async () => {
	await using system = await startSystem({
		keys: fhirClinics.slice(0, 1),
		env: { HUB_DRAIN_MS: '15000' }
	});
	const [clinic] = system.clinics.clinics;
	clinic?.setFault({ kind: 'slow', delayMs: 700, count: 1 });
	const workers = await system.startWorkers();
	await until(async () => {
		const [row] = await system.database.sql`select 1 from sources where polling_until is not null`;
		return row !== undefined;
	});
	expect(await workers.kill('SIGTERM')).toEqual({ code: 0, signal: null });
	expect(await readStanding(system)).toEqual(
		new Map([[clinic?.key, expect.objectContaining({ committed: 1, outcome: 'complete' })]])
	);
	expect(workers.output()).toContain('workers_stopped');
});

test('[W18] a second signal ends a draining process at once', async () => {
	await using system = await startSystem({
		keys: fhirClinics.slice(0, 1),
		env: { HUB_DRAIN_MS: '60000' }
	});
	system.clinics.clinics[0]?.setFault({ kind: 'hang' });
	const workers = await system.startWorkers();
	await until(async () => {
		const [row] = await system.database.sql`select 1 from sources where polling_until is not null`;
		return row !== undefined;
	});
	process.kill(workers.pid, 'SIGTERM');
	await until(() => workers.output().includes('workers_draining'));
	expect(await workers.kill('SIGTERM')).toEqual({ code: 130, signal: null });
});
