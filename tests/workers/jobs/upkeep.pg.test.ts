// The nightly upkeep: once a night, and what it removes.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createPhiCipher } from '#server/platform/phi.ts';
import { upsertSource } from '#server/store/sources.ts';
import { runUpkeep, scheduleUpkeep, type UpkeepDeps } from '#workers/jobs/upkeep.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { until } from '../../support/until.ts';
import { createTestLog, makeSource } from '../fakes.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
	await database.sql`truncate upkeep_runs`;
});
afterEach(async () => {
	await database.sql`truncate patients, bookings, holds, slots, schedules, sources cascade`;
});

const phi = createPhiCipher(new Map([['k1', Buffer.alloc(32, 'a key for tests')]]));

const createDeps = () => {
	const { log, lines, events } = createTestLog();
	const limits = { changeLogDays: 3, slotDays: 30, patientDays: 365 };
	const deps: UpkeepDeps = { sql: database.sql, phi, limits, log };
	return { deps, lines, events };
};

test('[W20] of many workers one does the upkeep of the night', async () => {
	const workers = Array.from({ length: 4 }, createDeps);
	const done = await Promise.all(workers.map(({ deps }) => runUpkeep(deps)));
	expect(done.filter((counts) => counts !== null)).toHaveLength(1);
	expect(await runUpkeep(createDeps().deps)).toBeNull();
	expect(workers.flatMap(({ events }) => events())).toEqual(['upkeep_done']);
	const [run] = await database.sql`select finished_at is not null as done, counts from upkeep_runs`;
	expect(run).toMatchObject({ done: true, counts: { shredded: 0 } });
});

test('[W20] a night whose worker died is taken over after an hour', async () => {
	await database.sql`
		insert into upkeep_runs (night, started_at)
		values ((clock_timestamp() at time zone 'UTC')::date, clock_timestamp() - interval '59 minutes')`;
	expect(await runUpkeep(createDeps().deps)).toBeNull();
	await database.sql`update upkeep_runs set started_at = clock_timestamp() - interval '61 minutes'`;
	expect(await runUpkeep(createDeps().deps)).not.toBeNull();
});

const addVisit = async (daysAgo: number): Promise<string> => {
	const { sql } = database;
	const sourceId = await upsertSource(sql, makeSource());
	const [schedule] = await sql<{ id: number }[]>`
		insert into schedules (source_id, key, practitioner_name, organization_name, specialty_ids,
			regions, kinds, languages, zone)
		values (${sourceId}, ${randomUUID()}, 'Ana Ruiz', 'Big Sky', '{}', '{}', '{}', '{}', 'UTC')
		returning id`;
	const [slot] = await sql<{ id: number }[]>`
		insert into slots (source_id, schedule_id, key, starts_at, ends_at, status, source_slot_id)
		values (${sourceId}, ${schedule?.id ?? 0}, ${randomUUID()},
			now() - (${daysAgo}::int + 1) * interval '1 day', now() - ${daysAgo} * interval '1 day',
			'busy', 's')
		returning id`;
	const [patient, hold] = [randomUUID(), randomUUID()];
	await sql`
		insert into patients (id, device_key, key_id, wrapped_key, details, created_at)
		values (${patient}, ${'c'.repeat(64)}, 'k1', 'a', 'b',
			now() - (${daysAgo}::int + 2) * interval '1 day')`;
	await sql`
		insert into holds (id, slot_id, fence, device_key, state, expires_at)
		values (${hold}, ${slot?.id ?? 0}, 1, ${'c'.repeat(64)}, 'booked', now())`;
	await sql`
		insert into bookings (id, hold_id, slot_id, fence, schedule_id, source_id, patient_id,
			device_key, state, starts_at, ends_at, exclusive)
		select ${randomUUID()}, ${hold}, id, 1, schedule_id, source_id, ${patient},
			${'c'.repeat(64)}, 'booked', starts_at, ends_at, true from slots where id = ${slot?.id ?? 0}`;
	return patient;
};

test('[W20] details of patients whose last visit is long over are destroyed', async () => {
	const [old, recent] = [await addVisit(366), await addVisit(364)];
	// Keys of another generation are re-wrapped only when they open: these rows hold no real key.
	await database.sql`update patients set key_id = ${phi.currentKeyId}`;
	expect(await runUpkeep(createDeps().deps)).toMatchObject({ shredded: 1 });
	const rows = await database.sql<{ id: string; kept: boolean }[]>`
		select id, length(wrapped_key) > 0 as kept from patients`;
	expect(new Map(rows.map(({ id, kept }) => [id, kept]))).toEqual(
		new Map([
			[old, false],
			[recent, true]
		])
	);
	const audited = await database.sql`select 1 from audit where action = 'patient_shredded'`;
	expect(audited).toHaveLength(1);
});

test('[W20] node-cron starts it', async () => {
	const { deps, events } = createDeps();
	const task = scheduleUpkeep('* * * * * *', deps, 0);
	onTestFinished(async () => {
		await task.destroy();
	});
	await until(() => events().includes('upkeep_done'));
});

test('[W20] a fault is logged and ends nothing', async () => {
	const { deps, events } = createDeps();
	const task = scheduleUpkeep('* * * * * *', { ...deps, limits: null as never }, 0);
	onTestFinished(async () => {
		await task.destroy();
	});
	await until(() => events().includes('upkeep_failed'));
});

test('[W20] a line that is no cron line is refused at the start', () => {
	expect(() => scheduleUpkeep('every night', createDeps().deps)).toThrow('5 or 6 fields');
});
