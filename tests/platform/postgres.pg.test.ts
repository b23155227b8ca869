import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toInstant } from '#domain/time.ts';
import { readArray, writeArray } from '#server/platform/postgres-arrays.ts';
import {
	checkPostgres,
	createPostgres,
	formatTimestamp,
	parseTimestamp,
	type Queryable
} from '#server/platform/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;

beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());

const first = async <T>(rows: Promise<readonly { v: T }[]>): Promise<T | undefined> =>
	(await rows)[0]?.v;

const oldest = Date.UTC(1970, 0, 1);
const youngest = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const instant = fc.oneof(
	fc.integer({ min: oldest, max: youngest }),
	fc.constantFrom(Infinity, -Infinity, 0, oldest, youngest, Date.UTC(2026, 2, 8, 9, 59, 59, 999))
);
const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((s) => !s.includes('\0'));

describe('values', () => {
	test('[S24] instants come back as they went, also without end', async () => {
		const { sql } = database;
		await fc.assert(
			fc.asyncProperty(fc.array(instant, { maxLength: 5 }), async (list) => {
				const sent = list.map(toInstant);
				expect(await first(sql`select ${sent}::timestamptz[] as v`)).toEqual(sent);
				for (const one of sent) {
					expect(await first(sql`select ${one}::timestamptz as v`)).toBe(one);
					expect(parseTimestamp(formatTimestamp(one).replace('T', ' ').replace('Z', '+00'))).toBe(
						one
					);
				}
			}),
			{ numRuns: 40 }
		);
	});

	test('[S24] lists of texts and numbers come back as they went', async () => {
		const { sql } = database;
		const tricky = ['', 'NULL', 'null', '{}', '"', '\\', ',', ' a ', 'é', "'", '\n', '{"a"}'];
		expect(await first(sql`select ${tricky}::text[] as v`)).toEqual(tricky);
		await fc.assert(
			fc.asyncProperty(fc.array(text), fc.array(fc.maxSafeInteger()), async (texts, numbers) => {
				expect(await first(sql`select ${texts}::text[] as v`)).toEqual(texts);
				expect(await first(sql`select ${numbers}::bigint[] as v`)).toEqual(numbers);
			}),
			{ numRuns: 40 }
		);
		expect(await first(sql`select array['a', null] as v`)).toEqual(['a', null]);
		expect(await first(sql`select '{}'::bigint[] as v`)).toEqual([]);
		expect(await first(sql`select array[true, false] as v`)).toEqual([true, false]);
	});

	test('[S24] lists are written and read as Postgres does it', () => {
		fc.assert(
			fc.property(fc.array(fc.option(text)), (items) => {
				const written = writeArray(items, (item) => item);
				expect(readArray(written, (item) => item)).toEqual(items);
			})
		);
		expect(() => readArray('{{1}}', Number)).toThrow('array of arrays');
		expect(() => readArray('[0:1]={1,2}', Number)).toThrow('one-dimensional');
	});

	test('[S24] numbers, dates and JSON', async () => {
		const { sql } = database;
		expect(await first(sql`select 9007199254740991::bigint as v`)).toBe(Number.MAX_SAFE_INTEGER);
		await expect(sql`select 9007199254740993::bigint as v`).rejects.toThrow('out of a number');
		expect(await first(sql`select ${'1961-05-23'}::date as v`)).toBe('1961-05-23');
		expect(await first(sql`select ${sql.json({ a: [1, null] })}::jsonb as v`)).toEqual({
			a: [1, null]
		});
		expect(await first(sql`select count(*) as v from generate_series(1, 3)`)).toBe(3);
		await expect(sql`select '0044-03-15 BC'::timestamptz as v`).rejects.toThrow('0001 to 9999');
	});

	test('[S24] a session speaks UTC in the server’s every zone', async () => {
		const { sql } = database;
		const name = new URL(database.url).pathname.slice(1);
		await sql`alter database ${sql(name)} set timezone = 'Asia/Kathmandu'`;
		await sql`alter database ${sql(name)} set datestyle = 'German'`;
		const other = createPostgres(database.url, { max: 1, applicationName: 'zone' });
		const at = toInstant(Date.UTC(2026, 6, 1, 23, 30));
		expect(await first(other`select ${at}::timestamptz as v`)).toBe(at);
		expect(await first(other`select (${at}::timestamptz)::date as v`)).toBe('2026-07-01');
		await other.end({ timeout: 5 });
	});
});

describe('connections', () => {
	test('[S25] that break at any moment fail their statement and nothing else', async () => {
		const pool = createPostgres(database.url, { max: 3, applicationName: 'breaking' });
		let failed = 0;
		let answered = 0;
		for (let round = 0; round < 60; round += 1) {
			const asked = Array.from({ length: 3 }, () =>
				pool`select pg_sleep(0.001)`.then(
					() => (answered += 1),
					() => (failed += 1)
				)
			);
			await database.sql`select pg_terminate_backend(pid) from pg_stat_activity
				where application_name = 'breaking'`;
			await Promise.all(asked);
		}
		expect(failed).toBeGreaterThan(0);
		expect(failed + answered).toBe(180);
		// The last breaks may come late, and then fail their statement too.
		await until(async () => (await first(pool`select 1 as v`)) === 1);
		await pool.end({ timeout: 5 });
	});

	test('[S25] to nowhere fail each statement at once and use up no connection', async () => {
		const pool = createPostgres('postgres://nobody@127.0.0.1:1/none', {
			max: 2,
			applicationName: 'nowhere'
		});
		for (let n = 0; n < 10; n += 1) {
			await expect(pool`select 1`).rejects.toThrow('ECONNREFUSED');
		}
		await pool.end({ timeout: 5 });
	});

	test('[S25] may not idle in a transaction or run a statement for ever', async () => {
		const pool = createPostgres(database.url, {
			max: 1,
			applicationName: 'slow',
			statementTimeoutMs: 50
		});
		await expect(pool`select pg_sleep(5)`).rejects.toThrow('statement timeout');
		expect(
			await first(
				pool`show idle_in_transaction_session_timeout`.then((rows) =>
					rows.map((row) => ({ v: row['idle_in_transaction_session_timeout'] }))
				)
			)
		).toBe('1min');
		await pool.end({ timeout: 5 });
	});

	test('[S24] take the role they were asked to take', async () => {
		const pool = createPostgres(database.url, {
			max: 1,
			applicationName: 'role',
			role: 'pg_read_all_data'
		});
		expect(await first(pool`select current_user::text as v`)).toBe('pg_read_all_data');
		await expect(pool`delete from slots`).rejects.toThrow('permission denied');
		await pool.end({ timeout: 5 });
	});

	test('[S26] to a server that is too old are refused in one sentence', async () => {
		await checkPostgres(database.sql);
		const old = (() => Promise.resolve([{ number: 140_011, version: '14.11' }])) as unknown;
		await expect(checkPostgres(old as Queryable)).rejects.toThrow(
			'Slotcast needs PostgreSQL 15 or newer, and DATABASE_URL leads to 14.11: point it to a newer server.'
		);
	});
});
