// Words of a source that are older than what it told before.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { upsertSource } from '#server/store/sources.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { makeFact, makeSchedule, makeSource, poll } from './poll-world.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());

test('[S32] an answer from a copy that lags behind undoes nothing, until the copy has had its time', async () => {
	const { sql } = database;
	const sourceId = await upsertSource(sql, makeSource());
	await poll(sql, sourceId, {
		facts: [makeFact(0, { version: '7' })],
		schedules: [makeSchedule()]
	});
	const taken = makeFact(0, { version: '8', status: 'busy' });
	expect((await poll(sql, sourceId, { facts: [taken] })).closed).toBe(1);
	const lagging = await poll(sql, sourceId, { facts: [makeFact(0, { version: '7' })] });
	expect(lagging).toMatchObject({ opened: 0, kept: 1, entries: [] });
	await sql`update slots set changed_at = changed_at - interval '11 minutes'`;
	const restored = await poll(sql, sourceId, { facts: [makeFact(0, { version: '7' })] });
	expect(restored).toMatchObject({ opened: 1, kept: 0 });
});
