import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ScheduleId, SourceId } from '#domain/ids.ts';
import { decideTwins, twinRuleOf, type TwinCandidate } from '#domain/twins.ts';

const make = (id: number, source: number, over: Partial<TwinCandidate> = {}): TwinCandidate => ({
	id: id as ScheduleId,
	sourceId: source as SourceId,
	sourceKey: `source-${source}`,
	npi: '1234567893',
	practitionerName: 'Dr. Ana Reyes',
	organizationName: 'Big Sky Clinic',
	specialtyIds: ['dermatology'],
	sameAs: [],
	isOffered: true,
	isEnabled: true,
	trustRank: 50,
	booking: 'fhir',
	freshForMs: 300_000,
	...over
});

test.each([
	['the same NPI and clinic', {}, 'npi_and_clinic'],
	['the clinic written another way', { organizationName: 'BIG-SKY  clinic' }, 'npi_and_clinic'],
	['another clinic', { organizationName: 'Prairie Clinic' }, null],
	['another NPI', { npi: '1000000004' }, null],
	['no NPI', { npi: null }, null],
	['another field', { specialtyIds: ['cardiology'] }, null],
	['no word about the field', { specialtyIds: [] }, 'npi_and_clinic'],
	['the same source', { sourceId: 1 as SourceId }, null],
	['another clinic, but noted', { organizationName: 'Elsewhere', sameAs: ['source-1'] }, 'noted'],
	['no NPI, but noted and the same name', { npi: null, sameAs: ['source-1'] }, 'noted'],
	['noted and another name', { npi: null, practitionerName: 'X', sameAs: ['source-1'] }, null],
	['noted, but another NPI', { npi: '1000000004', sameAs: ['source-1'] }, null]
])('[E20] two schedules with %s', (_name, over, expected) => {
	const [a, b] = [make(1, 1), make(2, 2, over)];
	expect(twinRuleOf(a, b)).toBe(expected);
	expect(twinRuleOf(b, a)).toBe(expected);
});

test.each([
	['offered', { isOffered: false, trustRank: 1 }, { trustRank: 99 }],
	['enabled', { isEnabled: false, trustRank: 1 }, { trustRank: 99 }],
	['trust', { trustRank: 51, booking: 'fhir' }, { booking: 'phone' }],
	['booking', { booking: 'link', freshForMs: 1_000 }, {}],
	['freshness', { freshForMs: 300_001 }, {}]
] as const)('[E20] of twins the one that leads by %s is shown', (because, hidden, shown) => {
	const decided = decideTwins([make(1, 1, hidden), make(2, 2, shown)]);
	expect([...decided]).toEqual([
		[1, { shownBy: 2, source: 'source-2', rule: 'npi_and_clinic', because }]
	]);
});

test('[E20] where nothing else differs the older source is shown', () => {
	expect(decideTwins([make(1, 2), make(2, 1)]).get(1 as ScheduleId)).toMatchObject({
		shownBy: 2,
		because: 'older'
	});
});

test('[E20] several schedules of the shown source stay, and so does what it does not list', () => {
	const decided = decideTwins([
		make(1, 1),
		make(2, 1, { specialtyIds: ['cardiology'] }),
		make(3, 2),
		make(4, 2, { specialtyIds: ['urology'] })
	]);
	expect([...decided.keys()]).toEqual([3]);
});

const candidate = fc
	.record({
		source: fc.integer({ min: 1, max: 4 }),
		npi: fc.constantFrom('1234567893', '1000000004', null),
		practitionerName: fc.constantFrom('Ana', 'Bo'),
		organizationName: fc.constantFrom('A', 'B'),
		specialtyIds: fc.subarray(['cardiology', 'dermatology']),
		sameAs: fc.subarray(['source-1', 'source-2']),
		isOffered: fc.boolean(),
		isEnabled: fc.boolean(),
		trustRank: fc.integer({ min: 1, max: 3 }),
		booking: fc.constantFrom('fhir' as const, 'link' as const, 'phone' as const)
	})
	.map(({ source, ...over }) => ({ source, over }));

test('[E20] whoever is hidden is so for a twin that is shown, in whatever order they come', () => {
	fc.assert(
		fc.property(fc.array(candidate, { maxLength: 12 }), fc.nat(), (made, turn) => {
			const all = made.map(({ source, over }, at) => make(at + 1, source, over));
			const decided = decideTwins(all);
			for (const [id, { shownBy, rule }] of decided) {
				const [hidden, shown] = [id, shownBy].map((each) => all[each - 1]);
				expect(decided.has(shownBy)).toBe(false);
				expect(hidden === undefined || shown === undefined || twinRuleOf(hidden, shown)).toBe(rule);
			}
			for (const a of all) {
				for (const b of all) {
					const areBothShown = !decided.has(a.id) && !decided.has(b.id);
					if (areBothShown) expect(twinRuleOf(a, b)).toBeNull();
				}
			}
			const cut = all.length === 0 ? 0 : turn % all.length;
			const turned = [...all.slice(cut), ...all.slice(0, cut)];
			expect(Object.fromEntries(decideTwins(turned))).toEqual(Object.fromEntries(decided));
		}),
		{ numRuns: 500 }
	);
});
