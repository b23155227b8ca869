// The Postgres client when the server stands still or the network swallows everything: connections
// stay open and no byte comes.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createPostgres } from '#server/platform/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openMuteDoor } from '../support/mute-door.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());

const openPool = (url: string, max: number) => {
	const sql = createPostgres(url, { max, applicationName: 'waiting', statementTimeoutMs: 500 });
	onTestFinished(() => sql.end({ timeout: 0 }));
	return sql;
};

const fault = (asked: Promise<unknown>): Promise<string> =>
	asked.then(
		() => 'answered',
		(error: Error) => String(Reflect.get(error, 'code'))
	);

test('[S34] a server that falls silent fails what waits for it, and the pool works afterwards', async () => {
	await using door = await openMuteDoor(database.url);
	const sql = openPool(door.url, 3);
	await Promise.all([sql`select 1`, sql`select 2`, sql`select 3`]);
	const plain: Promise<string>[] = [];
	const inTransaction = sql.begin(async (tx) => {
		await tx`select 1`;
		door.mute();
		plain.push(...Array.from({ length: 4 }, (_, nr) => fault(sql`select ${nr}::int`)));
		await tx`select 2`;
	});
	expect(await fault(inTransaction)).toBe('CONNECTION_CLOSED');
	const faults = await Promise.all(plain);
	expect(faults).toContain('CONNECTION_CLOSED');
	// Those that were in line for a connection find none.
	const inLine = faults.filter((code) => code !== 'CONNECTION_CLOSED');
	expect(inLine.filter((code) => code !== 'CONNECT_TIMEOUT')).toEqual([]);
	door.open();
	expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
});

test('[S34] an answer that stops in its middle is given up too', async () => {
	await using door = await openMuteDoor(database.url);
	const sql = openPool(door.url, 1);
	await sql`select 1`;
	const large = fault(
		sql`select repeat('x', 8000) as x from generate_series(1, 2000)`.forEach(() => door.mute())
	);
	expect(await large).toBe('CONNECTION_CLOSED');
});

test('[S34] who asks nothing, and who gets its answer late but in time, is left alone', async () => {
	const sql = openPool(database.url, 1);
	const [before] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
	await new Promise((resolve) => setTimeout(resolve, 5_000));
	const lasting = createPostgres(database.url, {
		max: 1,
		applicationName: 'lasting',
		statementTimeoutMs: Infinity
	});
	onTestFinished(() => lasting.end({ timeout: 0 }));
	await lasting`select pg_sleep(4)`;
	expect(await lasting`show statement_timeout`).toEqual([{ statement_timeout: '0' }]);
	const [after] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
	expect(after).toEqual(before);
});
