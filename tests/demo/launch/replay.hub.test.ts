// Recorded publications through the demo's path: a small one made here, with the faults of real ones.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeIngest, ingestReplay } from '../../../demo/launch/ingest-replay.ts';
import { openPublishers } from '../../../demo/launch/publishers.ts';
import { openStore } from '../../../demo/launch/store.ts';
import { makeRunFolder } from '../../../ops/embedded/paths.ts';
import { createTestDatabase } from '../../support/database.ts';
import { mustClose } from '../../support/leaks.ts';

let folder: string;

beforeEach(() => {
	folder = makeRunFolder('recorded');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ndjson = (resources: readonly object[]): string =>
	resources.map((resource) => `${JSON.stringify(resource)}\n`).join('');

const slot = (id: string, hour: string) => ({
	resourceType: 'Slot',
	id,
	schedule: { reference: 'Schedule/10' },
	status: 'free',
	// New York was on -04:00 that day.
	start: `2021-07-15T${hour}:00:00.000-05:00`,
	end: `2021-07-15T${hour}:30:00.000-05:00`
});

/** Two times under one id, both with the winter offset in summer. */
const record = (name: string): void => {
	const home = join(folder, name);
	mkdirSync(home);
	const base = 'https://publisher.example/';
	const output = ['Location', 'Schedule', 'Slot'].map((type) => ({
		type,
		url: `${base}${type.toLowerCase()}s.ndjson`,
		extension: { state: ['NY'] }
	}));
	const manifest = {
		transactionTime: '2021-07-14T12:00:00Z',
		request: `${base}$bulk-publish`,
		output
	};
	writeFileSync(join(home, 'manifest.json'), JSON.stringify(manifest));
	const place = {
		resourceType: 'Location',
		id: '1',
		name: 'Main Street',
		address: { state: 'NY', postalCode: '10001' }
	};
	const schedule = { resourceType: 'Schedule', id: '10', actor: [{ reference: 'Location/1' }] };
	writeFileSync(join(home, 'locations.ndjson'), ndjson([place]));
	writeFileSync(join(home, 'schedules.ndjson'), ndjson([schedule]));
	writeFileSync(join(home, 'slots.ndjson'), ndjson([slot('7', '09'), slot('7', '10')]));
};

test('[O16] what was recorded comes out on its own day, and again on a second start', async () => {
	record('made-here');
	await using database = await createTestDatabase();
	const said: string[] = [];
	const say = (line: string) => void said.push(line);
	await using publishers = mustClose(
		'replay',
		await openPublishers({ folder, replay: folder, say })
	);
	await using store = mustClose('store', openStore(database.url, say));
	for (let start = 1; start <= 2; start += 1) {
		const sources = await store.seed(publishers.sources);
		const { replayNow } = publishers;
		await ingestReplay({ databaseUrl: database.url, sources, replayNow, say });
	}
	const line = 'made-here: 2 slots, 1 repeated ids, 2 wrong offsets';
	expect(said.filter((text) => text.startsWith('made-here'))).toEqual([line, line]);
	// The times themselves are over: the store keeps who published and what was odd about it.
	const [stored] = await database.sql`
		select src.outcome, (src.flags->>'offsetMismatches')::int as wrong, c.zone
		from sources src join schedules c on c.source_id = src.id`;
	expect(stored).toEqual({ outcome: 'complete', wrong: 2, zone: 'America/New_York' });
});

test('[O16] what could not be read is said', () => {
	const silent = { state: 'silent', reason: 'misconfigured' } as const;
	expect(describeIngest('gone', silent, undefined)).toBe('gone: could not be read (misconfigured)');
});
