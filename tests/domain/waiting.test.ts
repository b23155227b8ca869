// Who is offered what: the rules of the line, on their own.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeviceKey, ScheduleId, SlotId, WaitingId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import { fits, planOffers, type FreeTime, type Waiter } from '#domain/waiting.ts';

const waiter = (
	nr: number,
	over: Partial<Waiter['criteria']> = {},
	passed: number[] = []
): Waiter => ({
	id: WaitingId.parse(`00000000-0000-4000-8000-${String(nr).padStart(12, '0')}`),
	criteria: {
		specialty: 'dermatology',
		region: 'US-MT',
		scheduleId: null,
		kinds: [],
		plan: null,
		language: null,
		dayPart: 'any',
		zone: 'America/Denver',
		...over
	},
	device: DeviceKey.parse(String(nr).padStart(64, 'd')),
	passed: new Set(passed.map((id) => SlotId.parse(id)))
});

const time = (nr: number, over: Partial<FreeTime> = {}): FreeTime => ({
	slotId: SlotId.parse(nr),
	scheduleId: ScheduleId.parse(1),
	// 09:00 in Denver and on by the hour.
	startsAt: toInstant(Date.UTC(2026, 11, 1, 16 + nr)),
	places: 1,
	specialtyIds: ['dermatology'],
	regions: ['US-MT'],
	kinds: ['video'],
	languages: ['en'],
	planIds: ['medicaid'],
	...over
});

test('[G4] what a person asked for, their plan and their region decide; silence excludes nobody', () => {
	const { criteria } = waiter(1);
	expect(fits(criteria, time(1))).toBe(true);
	expect(fits({ ...criteria, specialty: 'neurology' }, time(1))).toBe(false);
	expect(fits({ ...criteria, region: 'US-ID' }, time(1))).toBe(false);
	expect(fits({ ...criteria, plan: 'medicare' }, time(1))).toBe(false);
	expect(fits({ ...criteria, plan: 'medicaid' }, time(1))).toBe(true);
	expect(fits({ ...criteria, plan: 'medicare' }, time(1, { planIds: null }))).toBe(true);
	expect(fits({ ...criteria, kinds: ['phone'] }, time(1))).toBe(false);
	expect(fits({ ...criteria, kinds: ['phone'] }, time(1, { kinds: [] }))).toBe(true);
	expect(fits({ ...criteria, language: 'es' }, time(1))).toBe(false);
	expect(fits({ ...criteria, dayPart: 'evening' }, time(1))).toBe(false);
	expect(fits({ ...criteria, scheduleId: ScheduleId.parse(2) }, time(1))).toBe(false);
});

test('[G1] the soonest time goes to who waited longest, and a passed one to the next', () => {
	const line = [waiter(1, {}, [1]), waiter(2), waiter(3), waiter(4)];
	const offers = planOffers(line, [time(3), time(1), time(2)]);
	expect(offers.map((offer) => [offer.waiter.id.slice(-1), offer.slotId])).toEqual([
		['1', 2],
		['2', 1],
		['3', 3]
	]);
});

test('[G14] one person in two lists is asked about one time at a time', () => {
	const twice = [waiter(1), { ...waiter(2), device: waiter(1).device }, waiter(3)];
	const offers = planOffers(twice, [time(1), time(2), time(3)]);
	expect(offers.map((offer) => offer.waiter.id.slice(-1))).toEqual(['1', '3']);
});

const anyWaiter = fc.record({
	specialty: fc.constantFrom('dermatology', 'neurology'),
	plan: fc.constantFrom(null, 'medicaid', 'medicare'),
	kinds: fc.constantFrom([], ['video'], ['phone']),
	passed: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 3 })
});
const anyTime = fc.record({
	places: fc.integer({ min: 0, max: 3 }),
	specialtyIds: fc.constantFrom(['dermatology'], ['neurology'], ['dermatology', 'neurology']),
	planIds: fc.constantFrom(null, ['medicaid'], ['medicare']),
	kinds: fc.constantFrom([], ['video'], ['phone'])
});

type SomeWaiter = typeof anyWaiter extends fc.Arbitrary<infer T> ? T : never;
type SomeTime = typeof anyTime extends fc.Arbitrary<infer T> ? T : never;

test('[G1] no place is planned twice, nobody gets what does not fit, nobody is overtaken', () => {
	const holds = (people: SomeWaiter[], times: SomeTime[]) => {
		const line = people.map(({ passed, ...over }, at) =>
			waiter(at + 1, over as Partial<Waiter['criteria']>, passed)
		);
		const free = times.map((over, at) => time(at + 1, over as Partial<FreeTime>));
		const offers = planOffers(line, free);
		const byId = new Map(free.map((one) => [one.slotId, one]));
		const used = new Map<number, number>();
		for (const { waiter: who, slotId } of offers) {
			const slot = byId.get(slotId);
			if (slot === undefined) throw new Error('an unknown time');
			expect(fits(who.criteria, slot)).toBe(true);
			expect(who.passed.has(slotId)).toBe(false);
			used.set(slotId, (used.get(slotId) ?? 0) + 1);
		}
		for (const [slotId, count] of used) {
			expect(count).toBeLessThanOrEqual(byId.get(SlotId.parse(slotId))?.places ?? 0);
		}
		const got = new Map(offers.map((offer) => [offer.waiter.id, offer.slotId]));
		for (const [at, who] of line.entries()) {
			if (got.has(who.id)) continue;
			// Whoever got nothing could use nothing that a later person got.
			for (const later of line.slice(at + 1)) {
				const slotId = got.get(later.id);
				const slot = slotId === undefined ? undefined : byId.get(slotId);
				if (slot !== undefined && !who.passed.has(slot.slotId)) {
					expect(fits(who.criteria, slot)).toBe(false);
				}
			}
		}
	};
	fc.assert(
		fc.property(fc.array(anyWaiter, { maxLength: 12 }), fc.array(anyTime, { maxLength: 8 }), holds),
		{ numRuns: 400 }
	);
});
