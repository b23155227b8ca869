import { expect, test } from 'vitest';
import { createPostgres } from '#server/platform/postgres.ts';
import { ensureEpoch, readEpochAndHeads, renewEpoch } from '#server/store/epoch.ts';
import { createTestDatabase } from '../support/database.ts';

test('[S21] everyone who asks gets the same epoch, as long as the database is the same', async () => {
	await using database = await createTestDatabase();
	const epochs = await Promise.all(Array.from({ length: 8 }, () => ensureEpoch(database.sql)));
	expect(new Set(epochs).size).toBe(1);
	expect(epochs[0]).toMatch(/^[\w-]{12}$/);
	expect(await ensureEpoch(database.sql)).toBe(epochs[0]);
});

test('[S21] a copy put in another place begins a new epoch', async () => {
	await using database = await createTestDatabase();
	const first = await ensureEpoch(database.sql);
	const [row] = await database.sql<{ identity: string }[]>`
		select database_identity as identity from epochs`;
	expect(row?.identity).toMatch(/^\d+:[0-9A-F]{8}:\d+$/);
	// What a dump read into this database, a restore or a failover leaves behind.
	await database.sql`update epochs set database_identity = 'another:00000001:1'`;
	const raced = await Promise.all(Array.from({ length: 8 }, () => ensureEpoch(database.sql)));
	expect(new Set(raced).size).toBe(1);
	expect(raced[0]).not.toBe(first);
	expect(await ensureEpoch(database.sql)).toBe(raced[0]);
});

test('[S21] where the server does not tell its identity, the database is the identity', async () => {
	await using database = await createTestDatabase();
	const role = `nobody_${process.pid}`;
	await database.sql`create role ${database.sql(role)}`;
	await database.sql`grant all on epochs to ${database.sql(role)}`;
	await database.sql`revoke execute on function pg_control_system() from public`;
	const limited = createPostgres(database.url, { max: 2, applicationName: 'test', role });
	const epoch = await ensureEpoch(limited);
	expect(await ensureEpoch(limited)).toBe(epoch);
	expect(await database.sql`select database_identity as identity from epochs`).toEqual([
		{ identity: expect.stringMatching(/^database:\d+$/) }
	]);
	await limited.end({ timeout: 5 });
	await database.sql`drop owned by ${database.sql(role)}`;
	await database.sql`drop role ${database.sql(role)}`;
});

test('[F6] an epoch is renewed once for one reason', async () => {
	await using database = await createTestDatabase();
	const first = await ensureEpoch(database.sql);
	const renewed = await Promise.all(
		Array.from({ length: 4 }, () => renewEpoch(database.sql, first))
	);
	expect(new Set(renewed).size).toBe(1);
	expect(renewed[0]).not.toBe(first);
	await database.sql`insert into rooms (name, seq) values ('a:us', 7)`;
	expect(await readEpochAndHeads(database.sql, ['a:us', 'b:us'])).toEqual({
		epoch: renewed[0],
		heads: new Map([
			['a:us', 7],
			['b:us', 0]
		])
	});
	expect(await readEpochAndHeads(database.sql, [])).toMatchObject({ epoch: renewed[0] });
});
