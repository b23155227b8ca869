// Chance slot facts and answers for the domain's property tests.
import * as fc from 'fast-check';
import type { SpokenAnswer } from '#domain/answer.ts';
import { visitKinds } from '#domain/codes.ts';
import { slotKeyOf, slotStatuses, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';

export const windowFrom = toInstant(1_800_000_000_000);
export const windowTo = toInstant(windowFrom + 40 * 15 * MINUTE_MS);

/** Few keys, so that two listings overlap; some start outside the window. */
export const slotFact: fc.Arbitrary<SlotFact> = fc
	.record({
		scheduleKey: fc.constantFrom('a', 'b', 'c'),
		index: fc.integer({ min: -3, max: 43 }),
		minutes: fc.constantFrom(15, 30),
		service: fc.constantFrom('', 'new'),
		status: fc.constantFrom(...slotStatuses),
		capacity: fc.integer({ min: 1, max: 3 }),
		remaining: fc.nat({ max: 3 }),
		sourceSlotId: fc.constantFrom('1', '2', '3'),
		version: fc.constantFrom('', '1', '2'),
		kinds: fc.option(fc.uniqueArray(fc.constantFrom(...visitKinds))),
		bookUrl: fc.option(fc.constantFrom('https://c.example/1', 'https://c.example/2')),
		bookPhone: fc.option(fc.constant('406 555 0100'))
	})
	.map(({ index, minutes, ...rest }) => {
		const startsAt = toInstant(windowFrom + index * 15 * MINUTE_MS);
		return { ...rest, startsAt, endsAt: toInstant(startsAt + minutes * MINUTE_MS) };
	});

/** A listing: one fact per natural key. */
export const listing = fc.uniqueArray(slotFact, { selector: slotKeyOf, maxLength: 40 });

export const known = (facts: readonly SlotFact[]): Map<SlotKey, SlotFact> =>
	new Map(facts.map((fact) => [slotKeyOf(fact), fact]));

export type Scope = Pick<SpokenAnswer, 'state' | 'window' | 'unreadSchedules'>;

export const everything: Scope = {
	state: 'complete',
	window: { from: toInstant(-Infinity), to: toInstant(Infinity) },
	unreadSchedules: []
};

export const scope: fc.Arbitrary<Scope> = fc.record({
	state: fc.constantFrom('complete', 'partial'),
	window: fc.constant({ from: windowFrom, to: windowTo }),
	unreadSchedules: fc.subarray(['a', 'b', 'c'])
});

export const makeFact = (over: Partial<SlotFact> = {}): SlotFact => ({
	scheduleKey: 'a',
	startsAt: windowFrom,
	endsAt: toInstant(windowFrom + 15 * MINUTE_MS),
	service: '',
	status: 'free',
	capacity: 1,
	remaining: 1,
	sourceSlotId: '1',
	version: '',
	kinds: null,
	bookUrl: null,
	bookPhone: null,
	...over
});

export const at = (iso: string): Instant => toInstant(Date.parse(iso));
