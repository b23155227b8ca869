import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

let shared: TestDatabase;

beforeAll(async () => {
	shared = await createTestDatabase();
});

afterAll(() => shared.close());

test('[O5] two test databases do not see each other', async () => {
	await using other = await createTestDatabase();
	await shared.sql`create table marker (id int)`;
	const found = await other.sql`select to_regclass('marker') as marker`;
	expect(found[0]?.['marker']).toBeNull();
});

test('[O5] a bigint comes back as a number and text sorts by code point', async () => {
	const [row] = await shared.sql`select 9007199254740991::bigint as big, 'B' < 'a' as ascii`;
	expect(row).toEqual({ big: 9_007_199_254_740_991, ascii: true });
});
