// Recorded answers of real publishers, read through the very same path as live ones. The recordings
// are no part of this project: they are looked for beside it.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { slotKeyOf } from '#domain/slot.ts';
import type { Heard } from '#workers/connectors/http-faults.ts';
import { readCreation } from '#workers/connectors/providers/fhir-booking.ts';
import { startReplay } from '../../../demo/replay.ts';
import { mustClose } from '../../support/leaks.ts';
import { createPoller, factsOf, makeConnectors, spoken } from './poll-once.ts';

const folder = resolve(import.meta.dirname, '../../../../shared/fixtures');
const isPresent = existsSync(folder);

const pollRecorded = async (key: string, notes = {}) => {
	const replay = mustClose('replay', await startReplay(folder));
	const connectors = makeConnectors();
	try {
		const recorded = must(
			replay.sources.find((source) => source.key === key),
			key
		);
		const source = { ...recorded, notes: { ...recorded.notes, ...notes } };
		const now = must(replay.replayNow.get(key), key);
		const poller = createPoller(connectors[source.kind], source, () => now);
		const first = await poller.poll();
		const second = await poller.poll();
		return { first: spoken(first), facts: factsOf(first), second: spoken(second) };
	} finally {
		await connectors.close();
		await replay.close();
	}
};

const answerOf = (status: number, name: string): Heard => {
	const body = readFileSync(join(folder, 'fhir-nhs-bars', `${name}.json`));
	return { ok: true, status, headers: {}, body, bytes: body.length };
};

const here = isPresent ? 'present' : `absent at ${folder}: nothing checked`;

test(`[A1] recorded answers are ${here}`, () => {
	expect(existsSync(folder)).toBe(isPresent);
});

describe.each(isPresent ? ['recorded answers'] : [])('%s', () => {
	test('[A1] Rite Aid NJ: 1,542 slots under 112 ids, every offset wrong', async () => {
		const { first, facts, second } = await pollRecorded('smart-riteaid-nj');
		expect(first.state).toBe('complete');
		expect(first.flags).toEqual({
			records: 1_542,
			badRecords: 0,
			offsetMismatches: 1_542,
			repeatedIds: 1_542 - 112,
			duplicates: 0,
			unknownStatuses: 0,
			orphans: 0
		});
		expect(facts).toHaveLength(1_542);
		expect(new Set(facts.map((fact) => fact.sourceSlotId)).size).toBe(112);
		expect(new Set(facts.map(slotKeyOf)).size).toBe(1_542);
		expect(facts.filter((fact) => fact.status === 'free')).toHaveLength(1_430);
		expect(facts.filter((fact) => fact.status === 'busy')).toHaveLength(112);
		expect(facts.reduce((sum, fact) => sum + fact.remaining, 0)).toBe(46_702);
		expect(new Set(first.schedules?.map(({ zone }) => zone))).toEqual(
			new Set(['America/New_York'])
		);
		expect(first.cursor['zones']).toEqual({ state: 112 });
		expect(second.listing).toEqual({ form: 'unchanged' });
		expect(second.flags).toEqual(first.flags);
		expect(second.bytes).toBe(0);
	});

	test('[A2] Rite Aid NJ, wall clock trusted: the same slots, one hour earlier', async () => {
		const told = await pollRecorded('smart-riteaid-nj');
		const repaired = await pollRecorded('smart-riteaid-nj', { trust: 'wall' });
		expect(repaired.first.flags.offsetMismatches).toBe(1_542);
		expect(repaired.facts.map((fact) => fact.startsAt + 3_600_000)).toEqual(
			told.facts.map((fact) => fact.startsAt)
		);
		expect(new Set(repaired.facts.map(slotKeyOf)).size).toBe(1_542);
	});

	test('[A1] Kroger: Anchorage on -08:00 in summer is right; extension null is tolerated', async () => {
		const { first, facts } = await pollRecorded('smart-kroger');
		expect(first.flags).toMatchObject({ records: 4, badRecords: 0, offsetMismatches: 0 });
		expect(facts.map((fact) => fact.status).toSorted()).toEqual(['busy', 'busy', 'free', 'free']);
		expect(first.schedules).toMatchObject([{ zone: 'America/Anchorage', phone: '9072649600' }]);
	});

	test('[A1] CVS: capacity as a string is a number', async () => {
		const { first, facts } = await pollRecorded('smart-cvs');
		expect(first.flags).toMatchObject({ records: 2, badRecords: 0 });
		expect(facts.map(({ status, remaining }) => [status, remaining])).toEqual([
			['busy', 0],
			['free', 1]
		]);
	});

	test('[A1] NHS BaRS: 3 slots by telephone, described in the same Bundle', async () => {
		const { first, facts, second } = await pollRecorded('fhir-nhs-bars');
		expect(first.flags).toMatchObject({ records: 3, badRecords: 0, orphans: 0 });
		expect(facts.map((fact) => fact.kinds)).toEqual([['phone'], ['phone'], ['phone']]);
		expect(new Set(facts.map((fact) => fact.scheduleKey))).toEqual(new Set(['sched1111']));
		expect(first.schedules).toMatchObject([
			{ key: 'sched1111', practitionerName: 'Dr Joe Bloggs' }
		]);
		expect(second.listing).toEqual({ form: 'unchanged' });
	});

	test.each([
		[409, 'conflict', 'ask_first'],
		[403, 'forbidden', { state: 'rejected', because: 'clinic_refused' }],
		[422, 'unprocessable-entity', { state: 'rejected', because: 'clinic_refused' }],
		[500, 'server-error', { state: 'unconfirmed' }],
		[503, 'unavailable', { state: 'unconfirmed' }]
	])('[A20] NHS BaRS: a booking answered %i "%s" means %j', (status, name, meaning) => {
		const read = readCreation(answerOf(status, name));
		if (typeof meaning === 'string') expect(read).toBe(meaning);
		else expect(read).toMatchObject(meaning);
	});
});
