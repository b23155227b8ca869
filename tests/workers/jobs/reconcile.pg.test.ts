// What the reconcile loops read from Postgres and what they do about it.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DeviceKey, HoldId, ScheduleId, type SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import type { SourceSettings } from '#domain/source.ts';
import { systemClock } from '#server/platform/clock.ts';
import { upsertSource } from '#server/store/sources.ts';
import {
	lookAtIdleEpisodes,
	reconcileLoops,
	repairPolls,
	sweepHolds,
	watchSources
} from '#workers/jobs/reconcile.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTestLog, makeSource } from '../fakes.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
	await database.sql`update sources set enabled = false`;
});

let made = 0;
const addSource = (over: Partial<SourceSettings> = {}): Promise<SourceId> => {
	made += 1;
	return upsertSource(database.sql, makeSource({ key: `source-${made}`, ...over }));
};

type Added = { sourceId: SourceId; delayMs: number; gen: number; again: number | undefined };

const repair = async (isUp = true): Promise<Added[]> => {
	const added: Added[] = [];
	const queues = {
		isUp: () => isUp,
		addPoll: async (sourceId: SourceId, delayMs: number, gen: number, again?: number) => {
			added.push({ sourceId, delayMs, gen, again });
			return true;
		}
	};
	await repairPolls({ sql: database.sql, queues, clock: systemClock })();
	return added;
};

const setDue = async (sourceId: SourceId, inMs: number): Promise<void> => {
	await database.sql`
		update sources
		set next_poll_at = clock_timestamp() + ${inMs} * interval '1 millisecond', poll_gen = 7
		where id = ${sourceId}`;
};

test('[W7] sources due before the next run are armed for their time', async () => {
	const [now, soon, later] = [await addSource(), await addSource(), await addSource()];
	await setDue(now, -1_000);
	await setDue(soon, 8_000);
	await setDue(later, 120_000);
	const added = await repair();
	expect(added.map(({ sourceId, gen, again }) => ({ sourceId, gen, again }))).toEqual([
		{ sourceId: now, gen: 7, again: undefined },
		{ sourceId: soon, gen: 7, again: undefined }
	]);
	expect(added[0]?.delayMs).toBeLessThanOrEqual(0);
	expect(added[1]?.delayMs).toBeGreaterThan(4_000);
});

test('[W7] a source that nobody took up gets a job that no stuck one can swallow', async () => {
	const stuck = await addSource();
	await setDue(stuck, -60_000);
	expect(await repair()).toEqual([
		{ sourceId: stuck, delayMs: 0, gen: 7, again: expect.any(Number) }
	]);
});

test('[W7] sources in flight or switched off are left alone', async () => {
	const [flying, off] = [await addSource(), await addSource()];
	await database.sql`
		update sources set polling_until = clock_timestamp() + interval '10 seconds'
		where id = ${flying}`;
	await database.sql`update sources set enabled = false where id = ${off}`;
	expect(await repair()).toEqual([]);
});

test('[W17] while Redis is down nothing is tried', async () => {
	await setDue(await addSource(), -1_000);
	expect(await repair(false)).toEqual([]);
});

test('[W19][O26] an overdue source raises one alarm, and one all-clear, by the name an operator knows', async () => {
	const sourceId = await addSource({ minIntervalMs: 20_000 });
	const answered = async (agoMs: number) => {
		await database.sql`
			update sources set failures = 1, tried_at = clock_timestamp(),
				checked_at = clock_timestamp() - ${agoMs} * interval '1 millisecond'
			where id = ${sourceId}`;
	};
	const { log, lines } = createTestLog();
	const watch = watchSources({ sql: database.sql, log });
	await answered(59_000);
	expect(await watch()).toBe(0);
	await answered(61_000);
	expect(await watch()).toBe(1);
	expect(await watch()).toBe(1);
	await answered(0);
	expect(await watch()).toBe(0);
	const [row] = await database.sql`select key from sources where id = ${sourceId}`;
	const key = must(row, 'source')['key'];
	expect(lines.map((line) => [line.level, line.event, line.sourceId, line.source])).toEqual([
		['error', 'source_overdue', sourceId, key],
		['info', 'source_back', sourceId, key]
	]);
});

test('[W19] a source that asked to be polled rarely is not overdue; one that never answered is', async () => {
	const rare = await addSource({ minIntervalMs: 1_000 });
	await database.sql`
		update sources set failures = 0, checked_at = clock_timestamp() - interval '10 minutes',
			next_poll_at = clock_timestamp() + interval '50 minutes'
		where id = ${rare}`;
	const never = await addSource();
	const watch = watchSources({ sql: database.sql, log: createTestLog().log });
	expect(await watch()).toBe(0);
	await database.sql`update sources set failures = 3 where id = ${never}`;
	expect(await watch()).toBe(1);
});

const deviceKey = DeviceKey.parse('b'.repeat(64));
const holdId = HoldId.parse('0191d3c4-6f00-4c3e-9f6e-3f6e6c1f2a11');

test('[W21] the sweep goes on until nothing is left, and tells each device', async () => {
	const counts = [500, 500, 3];
	const told: [HoldId, DeviceKey][] = [];
	const sweep = sweepHolds({
		expireHolds: async () => ({
			count: counts.shift() ?? 0,
			entries: [],
			ended: [{ holdId, deviceKey, isTaken: false }]
		}),
		tellEnded: (ended) => void told.push([ended.holdId, ended.deviceKey])
	});
	expect(await sweep()).toBe(1_003);
	expect(told).toEqual(Array.from({ length: 3 }, () => [holdId, deviceKey]));
});

test('[W21] a sweep that never gets to the end gives way after a while', async () => {
	let batches = 0;
	const sweep = sweepHolds({
		expireHolds: async () => {
			batches += 1;
			return { count: 500, entries: [], ended: [] };
		},
		tellEnded: () => {}
	});
	await sweep();
	expect(batches).toBe(20);
});

test('[W7] running episodes that nobody looked at are looked at', async () => {
	const sourceId = await addSource();
	const [schedule] = await database.sql<{ id: ScheduleId }[]>`
		insert into schedules (source_id, key, practitioner_name, organization_name, specialty_ids,
			regions, kinds, languages, zone)
		values (${sourceId}, '116', 'Ana Ruiz', 'Big Sky', '{dermatology}', '{US-MT}', '{video}',
			'{en}', 'America/Denver')
		returning id`;
	const id = ScheduleId.parse(schedule?.id);
	await database.sql`
		insert into episodes (schedule_id, kind, left_count, of_count, per_hour)
		values (${id}, 'filling_up', 2, 10, 3)`;
	const looked: ScheduleId[] = [];
	const look = lookAtIdleEpisodes({
		sql: database.sql,
		addAlerts: async (ids) => looked.push(...ids) > 0
	});
	expect(await look()).toBe(1);
	expect(looked).toEqual([id]);
});

test('[W7] the loops are the seven that are told, each with its own beat', () => {
	const nothing = async () => {};
	const loops = reconcileLoops({
		sweep: nothing,
		offers: nothing,
		repair: nothing,
		episodes: nothing,
		watch: nothing,
		twins: nothing,
		counts: nothing
	});
	expect(loops.map(({ name, everyMs }) => [name, everyMs])).toEqual([
		['sweep-holds', 500],
		['offer-times', 500],
		['repair-polls', 5_000],
		['look-at-episodes', 60_000],
		['watch-sources', 15_000],
		['settle-twins', 10_000],
		['count-waiting', 1_000]
	]);
});
