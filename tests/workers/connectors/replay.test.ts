// Recordings served again, from a folder made here: what is served is what was recorded.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { startReplay } from '../../../demo/replay.ts';
import { mustClose } from '../../support/leaks.ts';
import { createPoller, factsOf, instantOf, makeConnectors, spoken } from './poll-once.ts';

const slot = (id: string, start: string, end: string): string =>
	`{"resourceType":"Slot","id":"${id}","schedule":{"reference":"Schedule/a"},"status":"free","start":"${start}","end":"${end}"}\n`;

const files: Record<string, string> = {
	'smart-made-up/manifest.json': JSON.stringify({
		transactionTime: '2023-03-24T20:00:00Z',
		request: 'https://recorded.example/$bulk-publish',
		output: [
			{ type: 'Location', url: 'https://recorded.example/locations/MT.ndjson' },
			{ type: 'Schedule', url: 'https://recorded.example/schedules/MT.ndjson' },
			{ type: 'Slot', url: 'https://recorded.example/slots/WY.ndjson' },
			{ type: 'Slot', url: 'https://recorded.example/slots/MT.ndjson' }
		]
	}),
	'smart-made-up/locations-MT.ndjson':
		'{"resourceType":"Location","id":"l","name":"Old Clinic","address":{"state":"MT"}}\n',
	'smart-made-up/schedules-MT.ndjson':
		'{"resourceType":"Schedule","id":"a","actor":[{"reference":"Location/l"}]}\n',
	'smart-made-up/slots-MT.ndjson':
		slot('s1', '2023-03-24T09:00:00-06:00', '2023-03-24T09:20:00-06:00') +
		slot('s2', '2023-03-25T09:00:00-07:00', '2023-03-25T09:20:00-07:00'),
	'fhir-made-up/search.json': JSON.stringify({
		resourceType: 'Bundle',
		type: 'searchset',
		timestamp: '2021-10-11T12:00:00Z',
		entry: [
			{
				fullUrl: 'urn:uuid:1',
				resource: JSON.parse(slot('s1', '2021-10-12T09:00:00Z', '2021-10-12T09:20:00Z')) as object
			},
			{ fullUrl: 'urn:uuid:2', resource: { resourceType: 'Schedule', id: 'a' } }
		]
	}),
	'nothing-here/notes.json': '{"a":1}'
};

const record = (): string => {
	const folder = mkdtempSync(join(tmpdir(), 'slotcast-replay-'));
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(dirname(join(folder, name)), { recursive: true });
		writeFileSync(join(folder, name), text);
	}
	return folder;
};

test('[A41] recordings of both protocols are served again and read like live ones', async () => {
	const folder = record();
	await using replay = mustClose('replay', await startReplay(folder));
	rmSync(folder, { recursive: true });
	await using connectors = makeConnectors();
	expect(replay.sources.map(({ key, kind }) => [key, kind])).toEqual([
		['fhir-made-up', 'fhir-slots'],
		['smart-made-up', 'smart-scheduling-links']
	]);
	const counts: number[] = [];
	for (const source of replay.sources) {
		const now = must(replay.replayNow.get(source.key));
		const answer = await createPoller(connectors[source.kind], source, () => now).poll();
		expect(spoken(answer).state).toBe('complete');
		counts.push(factsOf(answer).length);
		if (source.key === 'smart-made-up') {
			expect(spoken(answer).flags.offsetMismatches).toBe(1);
			expect(spoken(answer).validAt).toBe(instantOf('2023-03-24T20:00:00Z'));
		}
	}
	expect(counts).toEqual([1, 2]);
});

test('[A41] with the clock of today a recording is read whole and speaks of nothing', async () => {
	const folder = record();
	await using replay = mustClose('replay', await startReplay(folder));
	rmSync(folder, { recursive: true });
	await using connectors = makeConnectors();
	const source = must(replay.sources[1]);
	const now = instantOf('2026-06-01T12:00:00Z');
	const answer = await createPoller(connectors[source.kind], source, () => now).poll();
	expect(factsOf(answer)).toEqual([]);
	expect(spoken(answer).flags.records).toBe(2);
});
