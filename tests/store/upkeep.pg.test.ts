import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { DAY_MS } from '#domain/time.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { appendChanges, readEntries, roomIds } from '#server/store/change-log.ts';
import { purgeOld, rollPartitions } from '#server/store/upkeep.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { makeFact, makePolledSource } from './poll-world.ts';

let database: TestDatabase;
let sql: Sql;

beforeAll(async () => {
	database = await createTestDatabase();
	sql = database.sql;
});
afterAll(() => database.close());
beforeEach(async () => {
	await sql`truncate sources, rooms, change_log, bookings, holds, patients, requests,
		alert_subscriptions restart identity cascade`;
});

const partitions = async (): Promise<string[]> => {
	const rows = await sql<{ name: string }[]>`
		select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = 'change_log'::regclass order by 1`;
	return rows.map((row) => row.name);
};

const nameOf = (daysAhead: number): string =>
	`change_log_${new Date(Date.now() + daysAhead * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`;

const append = async (count: number): Promise<void> => {
	const id = must((await roomIds(sql, ['a:us'])).get('a:us'));
	for (let n = 0; n < count; n += 1) {
		await sql.begin((tx) => appendChanges(tx, new Map([[id, [[1 as never, 3]]]])));
	}
};

test('[S22] today and the next three days have a partition, however often it is asked', async () => {
	await Promise.all([rollPartitions(sql), rollPartitions(sql), rollPartitions(sql)]);
	const wanted = [0, 1, 2, 3].map(nameOf);
	expect(await partitions()).toEqual(expect.arrayContaining([...wanted, 'change_log_default']));
	expect(await rollPartitions(sql)).toBe(0);
	await append(1);
	expect(await sql`select tableoid::regclass::text as name from change_log`).toEqual([
		{ name: nameOf(0) }
	]);
});

test('[S22] entries written while a partition was missing move into it and stay readable', async () => {
	await append(2);
	await sql.unsafe(`alter table change_log detach partition ${nameOf(0)}`);
	await sql.unsafe(`drop table ${nameOf(0)}`);
	await sql`update rooms set seq = 0`;
	await append(3);
	expect(await sql`select 1 from change_log_default`).toHaveLength(3);
	expect(await rollPartitions(sql)).toBe(1);
	expect(await sql`select 1 from change_log_default`).toHaveLength(0);
	await append(1);
	const entries = await readEntries(sql, 'a:us', 0, 10);
	expect(entries?.map((entry) => entry.seq)).toEqual([1, 2, 3, 4]);
});

test('[S23] whole days behind the limit go, and whoever stands there learns of the hole', async () => {
	await append(1);
	const old = nameOf(-5);
	const from = new Date(Date.now() - 5 * DAY_MS).toISOString().slice(0, 10);
	const to = new Date(Date.now() - 4 * DAY_MS).toISOString().slice(0, 10);
	await sql.unsafe(
		`create table ${old} partition of change_log for values from ('${from}') to ('${to}')`
	);
	await sql`update change_log set at = at - interval '5 days' where seq = 1`;
	await append(1);
	expect(await readEntries(sql, 'a:us', 0, 9)).toHaveLength(2);
	const counts = await purgeOld(sql, { changeLogDays: 3, slotDays: 30 });
	expect(counts.partitions).toBe(1);
	expect(await partitions()).not.toContain(old);
	expect(await readEntries(sql, 'a:us', 0, 9)).toBeNull();
	expect(await readEntries(sql, 'a:us', 1, 9)).toHaveLength(1);
});

test('[S23] old rows go, young ones and those of a booking stay', async () => {
	await makePolledSource(sql, [makeFact(0), makeFact(1), makeFact(2)]);
	await sql`update slots set starts_at = now() - interval '40 days',
		ends_at = now() - interval '39 days' where source_slot_id in ('s0', 's1')`;
	const device = 'd'.repeat(64);
	await sql`insert into holds (id, slot_id, fence, device_key, state, expires_at, ended_at)
		select gen_random_uuid(), id, 1, ${device}, 'booked', now(), now() - interval '40 days'
		from slots where source_slot_id = 's0'`;
	await sql`insert into holds (id, slot_id, fence, device_key, state, expires_at, ended_at)
		select gen_random_uuid(), s.id, n, ${device}, 'expired', now(), now() - n * interval '1 day'
		from slots s, generate_series(1, 4) n where s.source_slot_id = 's2'`;
	await sql`insert into patients (id, device_key, key_id, wrapped_key, details)
		values (gen_random_uuid(), ${device}, 'k', '', '')`;
	await sql`insert into bookings (id, hold_id, slot_id, fence, schedule_id, source_id, patient_id,
			device_key, state, starts_at, ends_at, exclusive)
		select gen_random_uuid(), h.id, s.id, 1, s.schedule_id, s.source_id, p.id, ${device},
			'booked', s.starts_at, s.ends_at, true
		from slots s join holds h on h.slot_id = s.id, patients p where s.source_slot_id = 's0'`;
	await sql`insert into requests (device_key, request_id, fingerprint, reply, at)
		select ${device}, gen_random_uuid(), '', '{}', now() - n * interval '6 days'
		from generate_series(0, 2) n`;
	const counts = await purgeOld(sql, { changeLogDays: 3, slotDays: 30 });
	expect(counts).toMatchObject({ slots: 1, holds: 3, requests: 1, notices: 0, episodes: 0 });
	expect(await sql`select source_slot_id as id from slots order by 1`).toEqual([
		{ id: 's0' },
		{ id: 's2' }
	]);
	expect(await sql`select 1 from bookings`).toHaveLength(1);
});
