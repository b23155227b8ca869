// The nightly upkeep: once a night, and what it removes.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { DeviceKey, PatientId } from '#domain/ids.ts';
import { createPhiCipher, type PhiCipher } from '#server/platform/phi.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { actAs, insertPatient, readPatients } from '#server/store/patients.ts';
import { readSourceSecret, saveSourceSecret } from '#server/store/source-secrets.ts';
import { upsertSource } from '#server/store/sources.ts';
import { runUpkeep, scheduleUpkeep, type UpkeepDeps } from '#workers/jobs/upkeep.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { until } from '../../support/until.ts';
import { makePatient } from '../../scheduling/world.ts';
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

const keys = new Map([['k1', Buffer.alloc(32, 'a key for tests')]]);
const phi = createPhiCipher(keys);
const secrets = createSecretCipher(keys);

const createDeps = () => {
	const { log, lines, events } = createTestLog();
	const limits = { changeLogDays: 3, slotDays: 30, patientDays: 365 };
	const deps: UpkeepDeps = { sql: database.sql, phi, secrets, limits, log };
	return { deps, lines, events };
};

test('[W20] of many workers one does the upkeep of the night', async () => {
	const workers = Array.from({ length: 4 }, createDeps);
	const done = await Promise.all(workers.map(({ deps }) => runUpkeep(deps)));
	expect(done.filter((counts) => counts !== null)).toHaveLength(1);
	expect(await runUpkeep(createDeps().deps)).toBeNull();
	expect(workers.flatMap(({ events }) => events())).toEqual(['audit_intact', 'upkeep_done']);
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

test('[P9] links, e-mail notes and let-in devices go a week after the visit, or with their hour', async () => {
	const { sql } = database;
	const [old, recent] = [await addVisit(8), await addVisit(6)];
	const bookingOf = sql`select id from bookings`;
	await sql`insert into manage_links (booking_id) ${bookingOf}`;
	await sql`insert into mails (booking_id, kind) select id, 'booked' from bookings`;
	await sql`
		insert into booking_guests (booking_id, device_key, until)
		select b.id, g.key, now() + g.minutes * interval '1 minute'
		from bookings b, (values ('early', -1), ('late', 1)) g (key, minutes)
		where b.patient_id = ${recent}`;
	expect(await runUpkeep(createDeps().deps)).toMatchObject({ traces: 3 });
	const left = await sql`
		select b.patient_id as patient, (select count(*)::int from manage_links where booking_id = b.id) as links,
			(select count(*)::int from mails where booking_id = b.id) as mails,
			(select array_agg(device_key) from booking_guests where booking_id = b.id) as guests
		from bookings b`;
	expect(new Map(left.map(({ patient, ...rest }) => [patient, rest]))).toEqual(
		new Map([
			[old, { links: 0, mails: 0, guests: null }],
			[recent, { links: 1, mails: 1, guests: ['late'] }]
		])
	);
});

const device = DeviceKey.parse('c'.repeat(64));

const addPatient = async (cipher: PhiCipher): Promise<PatientId> => {
	const id = PatientId.parse(randomUUID());
	const details = makePatient();
	await database.sql.begin(async (tx) => {
		await actAs(tx, `device:${device}`);
		await insertPatient(tx, cipher, { id, device, details });
	});
	return id;
};

const readAll = (cipher: PhiCipher, ids: readonly PatientId[]) =>
	database.sql.begin(async (tx) => {
		await actAs(tx, `device:${device}`);
		return await readPatients(tx, cipher, `device:${device}`, ids);
	});

const keyOf = (text: string): Uint8Array => Buffer.alloc(32, text);
const rotated = createPhiCipher(
	new Map([
		['k2', keyOf('the next key')],
		['k1', keyOf('a key for tests')]
	])
);

/** Tonight's upkeep once more. */
const nextNight = () => database.sql`update upkeep_runs set night = night - 1`;

test('[P3] the night after a rotation everything is under the new key, in batches', async () => {
	const ids: PatientId[] = [];
	for (let made = 0; made < 501; made += 1) ids.push(await addPatient(phi));
	const { deps } = createDeps();
	expect(await runUpkeep({ ...deps, phi: rotated })).toMatchObject({
		rewrapped: 501,
		otherKeys: 0
	});
	const batches = await database.sql<{ size: number }[]>`
		select cardinality(objects) as size from audit where action = 'patient_rewrapped' order by id`;
	expect(batches.map(({ size }) => size)).toEqual([500, 1]);
	const withoutOld = createPhiCipher(new Map([['k2', keyOf('the next key')]]));
	expect((await readAll(withoutOld, ids)).size).toBe(501);
	await nextNight();
	expect(await runUpkeep({ ...deps, phi: rotated })).toMatchObject({ rewrapped: 0 });
});

test('[P3] a key nobody has is counted, and a row that does not open stops nothing else', async () => {
	await addPatient(createPhiCipher(new Map([['k0', keyOf('long lost')]])));
	const { deps, events } = createDeps();
	expect(await runUpkeep({ ...deps, phi: rotated })).toMatchObject({ rewrapped: 0, otherKeys: 1 });
	await database.sql`update patients set key_id = 'k1'`;
	const old = await addVisit(366);
	await nextNight();
	expect(await runUpkeep({ ...deps, phi: rotated })).toMatchObject({ shredded: 1, otherKeys: 1 });
	expect(events()).toEqual([
		'audit_intact',
		'upkeep_done',
		'rewrap_failed',
		'audit_intact',
		'upkeep_done'
	]);
	const [row] = await database.sql`select details from patients where id = ${old}`;
	expect(row?.['details']).toHaveLength(0);
});

test('[P8] an audit that was changed, or cut off since the last night, is an alarm', async () => {
	const { sql } = database;
	await addPatient(phi);
	await addPatient(phi);
	const { deps, lines } = createDeps();
	const nightly = async (): Promise<unknown> => {
		lines.length = 0;
		await runUpkeep(deps);
		await nextNight();
		return lines.find(({ event }) => event.startsWith('audit_'));
	};
	const [last] = await sql<{ id: number }[]>`select max(id) as id from audit`;
	const rowId = last?.id ?? 0;
	expect(await nightly()).toMatchObject({ level: 'info', event: 'audit_intact', rowId });
	const broken = { level: 'error', event: 'audit_broken' };

	await sql`update audit set actor = actor || 'x' where id = ${rowId - 1}`;
	expect(await nightly()).toMatchObject({ ...broken, rowId: rowId - 1 });
	await sql`update audit set actor = left(actor, -1) where id = ${rowId - 1}`;

	await sql`create table cut as select * from audit where id = ${rowId}`;
	await sql`delete from audit where id = ${rowId}`;
	expect(await nightly()).toMatchObject({ ...broken, rowId });
	await sql`insert into audit select * from cut`;
	expect(await nightly()).toMatchObject({ event: 'audit_intact', rowId });
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

test('[E2] the night after a rotation wraps the secrets of sources anew too', async () => {
	const { sql } = database;
	const sourceId = await upsertSource(sql, makeSource());
	const of = { sourceId, name: 'key' };
	await sql.begin((tx) => saveSourceSecret(tx, secrets, { ...of, secret: 'abc' }, 'operator:test'));
	const next = new Map([
		['k2', keyOf('the next key')],
		['k1', keyOf('a key for tests')]
	]);
	const { deps } = createDeps();
	const turned = { ...deps, phi: rotated, secrets: createSecretCipher(next) };
	expect(await runUpkeep(turned)).toMatchObject({ rewrapped: 1, otherKeys: 0 });
	const after = createSecretCipher(new Map([['k2', keyOf('the next key')]]));
	expect(await readSourceSecret(sql, after, of)).toBe('abc');
});
