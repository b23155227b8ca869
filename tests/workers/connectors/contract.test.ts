// Every connector against healthy and broken clinics of both kinds: whatever a clinic does wrong,
// no slot it still offers is ever taken away, and after it heals all is as it truly is.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { applyChanges, diffDelta, diffFull, isSuspectShrink } from '#domain/slot-diff.ts';
import type { Answer, SpokenAnswer } from '#domain/answer.ts';
import type { FaultRequest } from '../../../demo/clinics/faults.ts';
import {
	startClinics,
	type RunningClinic,
	type RunningClinics
} from '../../../demo/clinics/start.ts';
import { mustClose } from '../../support/leaks.ts';
import { createPoller, factsOf, makeConnectors, makeSource, spoken } from './poll-once.ts';

const keys = [
	'larkspur-valley',
	'hollow-creek',
	'northwater',
	'prairie-lantern',
	'copper-mesa',
	'cedar-harbor'
] as const;

let world: RunningClinics & AsyncDisposable;
let connectors: ReturnType<typeof makeConnectors>;
beforeAll(async () => {
	world = mustClose('clinics', await startClinics({ seed: 5, slotCount: 1_800, keys }));
	connectors = makeConnectors({ deadlineMs: 10_000 });
});
afterAll(async () => {
	await connectors.close();
	await world.close();
});

const clinicOf = (key: string): RunningClinic =>
	must(
		world.clinics.find((clinic) => clinic.key === key),
		key
	);

const listsOnlyFree = (clinic: RunningClinic): boolean => clinic.operatorNotes.listsOnlyFree;

/** What a person must see: start and whether it is open, by schedule. */
const truthOf = (clinic: RunningClinic): string[] =>
	clinic
		.truth()
		.slots.filter((slot) => slot.startAt >= world.now())
		.filter((slot) => !listsOnlyFree(clinic) || slot.status === 'free')
		.map((slot) => `${slot.practitionerId}-sch ${slot.startAt} ${slot.status === 'free'}`)
		.toSorted();

const seenOf = (facts: Iterable<SlotFact>, onlyOpen = false): string[] =>
	[...facts]
		.filter((fact) => fact.startsAt >= world.now())
		.filter((fact) => !onlyOpen || fact.remaining > 0)
		.map((fact) => `${fact.scheduleKey} ${fact.startsAt} ${fact.remaining > 0}`)
		.toSorted();

const apply = (known: Map<SlotKey, SlotFact>, answer: Answer): Map<SlotKey, SlotFact> => {
	if (answer.state === 'silent') return known;
	const { listing } = answer;
	switch (listing.form) {
		case 'unchanged':
			return known;
		case 'full':
			return applyChanges(known, diffFull(known, listing.facts, answer));
		default:
			return applyChanges(known, diffDelta(known, listing, answer));
	}
};

let serial = 0;
const followerOf = (key: string, notes = {}) => {
	const clinic = clinicOf(key);
	serial += 1;
	const source = makeSource({
		key: `${key}-${serial}`,
		name: clinic.name,
		kind: clinic.kind,
		url: clinic.url,
		notes: { zone: clinic.operatorNotes.timeZone, ...notes }
	});
	const poller = createPoller(connectors[clinic.kind], source, world.now);
	let known = new Map<SlotKey, SlotFact>();
	const poll = async (over: Parameters<typeof poller.poll>[0] = {}): Promise<Answer> => {
		const answer = await poller.poll(over);
		known = apply(known, answer);
		return answer;
	};
	return { clinic, poll, known: () => known, facts: () => known.values() };
};

/** Only where nothing else ends the waiting is a poll given up early. */
const patience = ({ kind }: FaultRequest): { signal?: AbortSignal } =>
	['hang', 'slow', 'slow_loris'].includes(kind) ? { signal: AbortSignal.timeout(250) } : {};

const freeSlotOf = (clinic: RunningClinic) =>
	must(
		clinic.truth().slots.findLast((slot) => slot.status === 'free' && slot.left === 1),
		'free slot'
	);

describe.each(keys)('%s', (key) => {
	test('[A3] a healthy clinic is read as it truly is', async () => {
		const { clinic, poll, facts } = followerOf(key);
		const answer = spoken(await poll());
		expect(answer.state).toBe('complete');
		expect(answer.listing.form).toBe('full');
		expect(seenOf(facts())).toEqual(truthOf(clinic));
		expect(answer.flags).toMatchObject({ badRecords: 0, offsetMismatches: 0, orphans: 0 });
		expect(answer.schedules).toHaveLength(clinic.organisation.practitioners.length);
	});

	test('[A3] names, licences, zones and visit kinds are those of the clinic', async () => {
		const { clinic, poll } = followerOf(key, {
			...(clinicOf(key).operatorNotes.holdsForAll && {
				regions: [...clinicOf(key).operatorNotes.regions],
				kinds: [...clinicOf(key).operatorNotes.visitKinds],
				languages: [...clinicOf(key).operatorNotes.languages],
				planIds: [...clinicOf(key).operatorNotes.planTypes]
			})
		});
		const { schedules } = spoken(await poll());
		for (const person of clinic.organisation.practitioners) {
			const fact = must(
				schedules?.find((each) => each.key === `${person.id}-sch`),
				person.id
			);
			expect(fact.practitionerName).toContain(person.name.family);
			expect(fact.specialtyIds).toEqual([person.specialtyId]);
			expect(fact.regions).toEqual(person.regions.map((usps) => `US-${usps}`).toSorted());
			expect(fact.kinds).toEqual([...person.visitKinds].toSorted());
			expect(fact.languages).toEqual([...person.languages].toSorted());
			expect(fact.zone).toBe(person.timeZone);
			expect(fact.planIds?.length).toBeGreaterThan(0);
			expect(fact.organizationName).toBe(clinic.name);
		}
	});

	test('[A4] what did not change is told as unchanged, without a byte; what did as a delta', async () => {
		const { clinic, poll, facts } = followerOf(key);
		await poll();
		const second = spoken(await poll());
		expect(second.listing).toEqual({ form: 'unchanged' });
		expect(second.schedules).toBeNull();
		const slot = freeSlotOf(clinic);
		clinic.setSlotStatus(slot.id, 'busy');
		expect(spoken(await poll()).listing).toMatchObject({ form: 'delta' });
		expect(seenOf(facts(), listsOnlyFree(clinic))).toEqual(truthOf(clinic));
		clinic.setSlotStatus(slot.id, 'free');
		await poll();
		expect(seenOf(facts(), listsOnlyFree(clinic))).toEqual(truthOf(clinic));
	});

	test('[A4] a poll that was not committed is no basis for the next', async () => {
		const { clinic, poll, facts } = followerOf(key);
		await poll();
		const slot = freeSlotOf(clinic);
		clinic.setSlotStatus(slot.id, 'busy');
		const lost = spoken(await poll({ commit: false }));
		expect(lost.listing.form).toBe('delta');
		const again = spoken(await poll());
		expect(again.listing).toEqual(lost.listing);
		expect(seenOf(facts(), listsOnlyFree(clinic))).toEqual(truthOf(clinic));
		clinic.setSlotStatus(slot.id, 'free');
	});

	test('[A4] a full listing is given when it is wanted or nothing is kept', async () => {
		const { clinic, poll } = followerOf(key);
		await poll();
		const wanted = await poll({ wantFull: true });
		expect(seenOf(factsOf(wanted))).toEqual(truthOf(clinic));
		const unknown = await poll({ basis: 'of another process' });
		expect(spoken(unknown).listing.form).toBe('full');
	});

	const broken: readonly (readonly [string, FaultRequest])[] = [
		['http_500', { kind: 'http_500' }],
		['http_429', { kind: 'http_429', retryAfterS: 7 }],
		['http_429 with a date', { kind: 'http_429', retryAfterS: 7, asDate: true }],
		['hang', { kind: 'hang' }],
		['slow', { kind: 'slow', delayMs: 1_000 }],
		['slow_loris', { kind: 'slow_loris', delayMs: 30 }],
		['truncated_page', { kind: 'truncated_page' }],
		['truncated_page, politely', { kind: 'truncated_page', quiet: true }],
		['truncated slots', { kind: 'truncated_page', match: 'lot' }],
		['truncated slots, politely', { kind: 'truncated_page', quiet: true, match: 'lot' }],
		['invalid_json', { kind: 'invalid_json' }],
		['invalid_json in slots', { kind: 'invalid_json', match: 'lot' }],
		['one bad answer of many', { kind: 'http_500', count: 1, match: 'lot' }]
	];

	test.each(broken)(
		'[A5] %s takes nothing away, and is over when it is over',
		async (_name, fault) => {
			const { clinic, poll, known, facts } = followerOf(key);
			await poll();
			const before = new Map(known());
			clinic.setFault(fault);
			try {
				// Everything is asked for anew: a conditional request would hide the fault.
				await poll({ wantFull: true, ...patience(fault) });
				await poll(patience(fault));
				const gone = [...before.keys()].filter((slot) => !known().has(slot));
				expect(gone).toEqual([]);
			} finally {
				clinic.setFault(null);
			}
			expect(spoken(await poll({ wantFull: true })).state).toBe('complete');
			expect(seenOf(facts())).toEqual(truthOf(clinic));
		}
	);

	test('[A6] a clinic in trouble is silent, with a reason and the time to wait', async () => {
		const { clinic, poll } = followerOf(key);
		const faults: readonly (readonly [FaultRequest, object])[] = [
			[{ kind: 'http_500' }, { reason: 'http_error' }],
			[
				{ kind: 'http_429', retryAfterS: 7 },
				{ reason: 'throttled', retryAfterMs: 7_000 }
			],
			[{ kind: 'hang' }, { reason: 'timeout' }]
		];
		for (const [fault, expected] of faults) {
			clinic.setFault(fault);
			const answer = await poll(patience(fault));
			clinic.setFault(null);
			expect(answer).toMatchObject({ state: 'silent', ...expected });
		}
	});

	test('[A7] an empty answer is suspect, not an empty calendar', async () => {
		const { clinic, poll, facts } = followerOf(key);
		await poll();
		const freeBefore = [...facts()].filter((fact) => fact.remaining > 0).length;
		clinic.setFault({ kind: 'empty_answer' });
		const answer = spoken(await poll({ wantFull: true, commit: false }));
		clinic.setFault(null);
		expect(answer.explicitEmpty).toBe(false);
		expect(isSuspectShrink(freeBefore, 0, answer.explicitEmpty)).toBe(true);
	});

	test('[A8] repeated ids are counted and hide no slot', async () => {
		const { clinic, poll, facts } = followerOf(key);
		clinic.setFault({ kind: 'repeated_ids' });
		const { flags } = spoken(await poll());
		clinic.setFault(null);
		expect(flags.repeatedIds).toBeGreaterThan(flags.records / 2);
		expect(seenOf(facts())).toEqual(truthOf(clinic));
	});

	test('[A2] wrong offsets are counted, and repaired where the wall clock is trusted', async () => {
		const wrong = (answer: SpokenAnswer): number => answer.flags.offsetMismatches;
		const { clinic, poll } = followerOf(key);
		const repairing = followerOf(key, { trust: 'wall' });
		clinic.setFault({ kind: 'wrong_offset' });
		const told = spoken(await poll());
		const repaired = spoken(await repairing.poll());
		clinic.setFault(null);
		expect(wrong(told)).toBeGreaterThan(told.flags.records / 2);
		expect(wrong(repaired)).toBeGreaterThan(0);
		expect(seenOf(repairing.facts())).toEqual(truthOf(clinic));
	});

	test('[A9] a clock that is wrong by a year changes no slot', async () => {
		const { clinic, poll, known } = followerOf(key);
		await poll();
		const before = seenOf(known().values());
		for (const skewMs of [31_536_000_000, -31_536_000_000]) {
			clinic.setFault({ kind: 'clock_skew', skewMs });
			expect(spoken(await poll({ wantFull: true })).state).toBe('complete');
			expect(seenOf(known().values())).toEqual(before);
		}
		clinic.setFault(null);
	});

	test('[A10] all facts carry distinct natural keys', async () => {
		const { poll } = followerOf(key);
		const facts = factsOf(await poll());
		expect(new Set(facts.map(slotKeyOf)).size).toBe(facts.length);
	});
});
