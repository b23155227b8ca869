// The worked mappings of docs/connectors/mappings over recorded vendor answers, which are no part of
// this project and are looked for beside it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Mapping } from '#domain/mapping.ts';
import { slotKeyOf } from '#domain/slot.ts';
import { parseAnswer } from '#workers/connectors/providers/mapped-answers.ts';
import { readMapped } from '#workers/connectors/providers/mapped-reading.ts';

const fixtures = resolve(import.meta.dirname, '../../../../shared/fixtures');
const mappings = resolve(import.meta.dirname, '../../../docs/connectors/mappings');
const isPresent = existsSync(fixtures);

const mappingOf = (name: string): Mapping =>
	Mapping.parse(JSON.parse(readFileSync(join(mappings, `${name}.json`), 'utf8')));

const read = (name: string, file: string, change = (value: unknown): unknown => value) => {
	const mapping = mappingOf(name);
	const parsed = parseAnswer(readFileSync(join(fixtures, file)), mapping);
	if (!parsed.ok) throw new Error(parsed.detail);
	const pages = [{ name: 'page 1', value: change(parsed.value) }];
	const { schedules, reads } = readMapped(pages, mapping, { name: 'Vendor', notes: {} });
	const facts = reads.flatMap((each) => (each.read.kind === 'slot' ? [each.read.fact] : []));
	const bad = reads.flatMap((each) => (each.read.kind === 'bad' ? [each.read.reason] : []));
	return { schedules, facts, bad, broken: parsed.broken };
};

test('[A60] every worked mapping is one', () => {
	const names = readdirSync(mappings).map((file) => file.replace('.json', ''));
	expect(names.length).toBeGreaterThanOrEqual(6);
	for (const name of names) expect(mappingOf(name).format).toMatch(/json|csv/);
});

test(`[A61] recorded vendor answers are ${isPresent ? 'present' : `absent at ${fixtures}: nothing checked`}`, () => {
	expect(existsSync(fixtures)).toBe(isPresent);
});

describe.each(isPresent ? ['recorded vendor answers'] : [])('%s', () => {
	test.each([
		[1, 25, 12_121, 3_149],
		[2, 5, 2_936, 731]
	])(
		'[A61] Rite Aid web %i: %i stores, %i entries are %i appointments',
		(n, stores, entries, visits) => {
			const { schedules, facts, bad } = read(
				'rite-aid-web',
				`vendor-riteaid-web/response-${n}.json`
			);
			expect(bad).toEqual([]);
			expect(schedules).toHaveLength(stores);
			expect(facts).toHaveLength(entries);
			expect(new Set(facts.map(slotKeyOf)).size).toBe(visits);
			expect(new Set(facts.map(({ sourceSlotId }) => sourceSlotId)).size).toBe(visits);
			// "EST" on 17 March is really -04:00.
			const first = facts.toSorted((a, b) => a.startsAt - b.startsAt)[0];
			expect(new Date(first?.startsAt ?? 0).toISOString()).toMatch(/^2023-03-17T1\d:/);
			expect(new Set(schedules.map(({ zone }) => zone))).toEqual(new Set(['America/New_York']));
		}
	);

	test('[A61] Rite Aid web, times: nine in the morning is 13:00 UTC after the change of clocks', () => {
		const { facts } = read('rite-aid-web', 'vendor-riteaid-web/response-1.json');
		const nine = facts.find(({ sourceSlotId }) => sourceSlotId === '681085678');
		expect(nine).toMatchObject({ scheduleKey: '4620', startsAt: Date.UTC(2023, 2, 17, 13) });
	});

	test('[A61] Rite Aid web, store 10384 declares 445 and lists 44: what is listed counts', () => {
		const { facts } = read('rite-aid-web', 'vendor-riteaid-web/response-2.json');
		const own = facts.filter(({ scheduleKey }) => scheduleKey === '10384');
		expect(new Set(own.map(slotKeyOf)).size).toBe(44);
	});

	test('[A61] Rite Aid web, the summary lists no slots, and none are made of its counts', () => {
		const { schedules, facts } = read('rite-aid-web', 'vendor-riteaid-web/response-0.json');
		expect(schedules).toHaveLength(30);
		expect(facts).toEqual([]);
	});

	test('[A61] H-E-B: 297 places, no times', () => {
		const { schedules, facts } = read('heb', 'vendor-heb/response-0.json');
		expect(schedules).toHaveLength(297);
		expect(facts).toEqual([]);
		expect(new Set(schedules.map(({ regions }) => regions.join()))).toEqual(new Set(['US-TX']));
	});

	test('[A61] Washington: two places in Puerto Rico', () => {
		const { schedules } = read('washington-graphql', 'vendor-wadoh-graphql/response-0.json');
		expect(schedules).toMatchObject([
			{ key: 'costco-625', practitionerName: 'Costco Caguas', zone: 'America/Puerto_Rico' },
			{ key: 'costco-621', practitionerName: 'Costco East Bayamon', regions: ['US-PR'] }
		]);
	});

	test('[A61] New Jersey: CSV with quoted commas, nine rows', () => {
		const { schedules, broken } = read('new-jersey-csv', 'vendor-njvss/response-0.csv');
		expect(broken).toEqual([]);
		expect(schedules).toHaveLength(9);
		expect(schedules[0]).toMatchObject({
			practitionerName: 'Ray Pharmacy',
			zone: 'America/New_York'
		});
	});

	test('[A61] CDC: four rows are one store, the same one in whichever order they are read', () => {
		const file = 'vendor-cdc/cdc.api.01929.json';
		const changed = (value: unknown): Record<string, unknown>[] =>
			(value as Record<string, unknown>[]).map((row, n) => ({
				...row,
				quantity_last_updated: `2021-09-2${n}`,
				loc_phone: `(973) 478-750${n}`
			}));
		const there = read('cdc-open-data', file, changed);
		const back = read('cdc-open-data', file, (value) => changed(value).toReversed());
		expect(there.schedules).toMatchObject([{ phone: '(973) 478-7503', regions: ['US-NJ'] }]);
		expect(back.schedules).toEqual(there.schedules);
	});
});
