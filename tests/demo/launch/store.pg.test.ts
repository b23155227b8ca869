import { expect, test } from 'vitest';
import { SourceSettings } from '#domain/source.ts';
import { listSources, upsertSource } from '#server/store/sources.ts';
import { openStore } from '../../../demo/launch/store.ts';
import { createTestDatabase } from '../../support/database.ts';
import { mustClose } from '../../support/leaks.ts';

const makeSource = (key: string, url: string): SourceSettings =>
	SourceSettings.parse({ key, name: key, kind: 'fhir-slots', url, allowPrivate: true });

test('[O18] sources that are not the demo’s own stay as they are', async () => {
	await using database = await createTestDatabase();
	await using store = mustClose(
		'store',
		openStore(database.url, () => {})
	);
	const { sql } = database;
	const real = await upsertSource(sql, makeSource('real', 'https://clinic.example/fhir'));
	await upsertSource(sql, makeSource('old-demo', 'http://127.0.0.1:7199/fhir'));
	await sql`update sources set next_poll_at = now() + interval '1 hour', failures = 3`;
	const [seeded] = await store.seed([makeSource('demo', 'http://127.0.0.1:7101/fhir')]);
	const known = await listSources(sql);
	expect(known.map(({ settings }) => settings.key)).toEqual(['demo', 'real']);
	expect(await sql`select id from sources where failures = 3 and next_poll_at > now()`).toEqual([
		{ id: real }
	]);
	expect(seeded?.settings.key).toBe('demo');
});
