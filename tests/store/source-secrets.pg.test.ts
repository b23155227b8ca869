import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { createSecretCipher, SecretUnreadable } from '#server/platform/secret-cipher.ts';
import {
	countOtherSecretKeys,
	dropSourceSecret,
	listSourceSecrets,
	readConnectorSecret,
	readSourceSecret,
	rewrapSecrets,
	saveSourceSecret
} from '#server/store/source-secrets.ts';
import { upsertSource } from '#server/store/sources.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { makeSource } from './poll-world.ts';

let database: TestDatabase;
let sql: Sql;
const cipher = createSecretCipher(new Map([['k1', Buffer.alloc(32, 1)]]));
const by = 'operator:test';

beforeAll(async () => {
	database = await createTestDatabase();
	sql = database.sql;
});
afterAll(() => database.close());
beforeEach(async () => {
	await sql`truncate sources, audit restart identity cascade`;
});

const save = (sourceId: SourceId, name: string, secret: string): Promise<void> =>
	sql.begin((tx) => saveSourceSecret(tx, cipher, { sourceId, name, secret }, by));

test('[E1] a secret is read back by its source and name, replaced, and dropped', async () => {
	const sourceId = await upsertSource(sql, makeSource());
	const of = { sourceId, name: 'key' };
	expect(await readSourceSecret(sql, cipher, of)).toBeNull();
	await save(sourceId, 'key', 'first');
	await save(sourceId, 'push', 'other');
	await save(sourceId, 'key', 'second');
	expect(await readSourceSecret(sql, cipher, of)).toBe('second');
	expect(await readConnectorSecret(sql, cipher, makeSource().key)).toBe('second');
	expect(await readConnectorSecret(sql, cipher, 'nobody')).toBeNull();
	expect((await listSourceSecrets(sql, sourceId)).map(({ name }) => name)).toEqual(['key', 'push']);
	expect(await sql.begin((tx) => dropSourceSecret(tx, of, by))).toBe(true);
	expect(await sql.begin((tx) => dropSourceSecret(tx, of, by))).toBe(false);
	expect(await readSourceSecret(sql, cipher, of)).toBeNull();
	const rows = await sql`select actor, action, objects from audit order by id`;
	const source = `source:${makeSource().key}`;
	const saved = { actor: by, action: 'secret_saved', objects: [source, 'secret:key'] };
	expect(rows).toEqual([
		saved,
		{ ...saved, objects: [source, 'secret:push'] },
		saved,
		{ ...saved, action: 'secret_dropped' }
	]);
});

test('[E1] the tables never hold a secret in the clear, and a row moved elsewhere does not open', async () => {
	const one = await upsertSource(sql, makeSource());
	const two = await upsertSource(sql, makeSource({ key: 'another' }));
	await save(one, 'key', 'planted-canary');
	const lines = await sql<{ line: string }[]>`
		select t::text as line from source_secrets t union all select t::text from audit t`;
	const dump = lines.map(({ line }) => line).join('\n');
	expect(dump).not.toContain('planted-canary');
	expect(dump).not.toContain(Buffer.from('planted-canary').toString('hex'));
	await sql`update source_secrets set source_id = ${two}`;
	await expect(readConnectorSecret(sql, cipher, 'another')).rejects.toThrow(SecretUnreadable);
});

test('[E1] the secrets of a source go with it', async () => {
	const sourceId = await upsertSource(sql, makeSource());
	await save(sourceId, 'key', 'secret');
	await sql`delete from sources`;
	expect(await sql`select 1 from source_secrets`).toHaveLength(0);
});

test('[E2] secrets are wrapped anew in batches, and then the old key is not needed', async () => {
	const sourceId = await upsertSource(sql, makeSource());
	for (const name of ['a', 'b', 'c']) await save(sourceId, name, `secret ${name}`);
	const rotating = createSecretCipher(
		new Map([
			['k2', Buffer.alloc(32, 2)],
			['k1', Buffer.alloc(32, 1)]
		])
	);
	expect(await countOtherSecretKeys(sql, rotating)).toBe(3);
	expect(await rewrapSecrets(sql, rotating, 2)).toBe(2);
	expect(await rewrapSecrets(sql, rotating, 2)).toBe(1);
	expect(await rewrapSecrets(sql, rotating, 2)).toBe(0);
	expect(await countOtherSecretKeys(sql, rotating)).toBe(0);
	const after = createSecretCipher(new Map([['k2', Buffer.alloc(32, 2)]]));
	expect(await readSourceSecret(sql, after, { sourceId, name: 'b' })).toBe('secret b');
});
