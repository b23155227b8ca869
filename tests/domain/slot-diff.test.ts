import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
	applyChanges,
	diffDelta,
	diffFull,
	isSuspectShrink,
	type SlotChange
} from '#domain/slot-diff.ts';
import { sameFact, slotKeyOf } from '#domain/slot.ts';
import { toInstant } from '#domain/time.ts';
import { everything, known, listing, makeFact, scope, windowFrom, windowTo } from './facts.ts';

const sorted = (changes: readonly SlotChange[]): SlotChange[] =>
	changes.toSorted((a, b) => (a.key < b.key ? -1 : 1));

describe('a full listing', () => {
	test('[D6] applied to what was known gives what was told', () => {
		fc.assert(
			fc.property(listing, listing, (before, told) => {
				const changes = diffFull(known(before), told, everything);
				expect(applyChanges(known(before), changes)).toEqual(known(told));
			})
		);
	});

	test('[D6] has no difference to itself, nor after it was applied', () => {
		fc.assert(
			fc.property(listing, listing, scope, (before, told, seen) => {
				expect(diffFull(known(told), told, everything)).toEqual([]);
				const after = applyChanges(known(before), diffFull(known(before), told, seen));
				expect(diffFull(after, told, seen)).toEqual([]);
			})
		);
	});

	test('[D6] means the same in every order of its records', () => {
		fc.assert(
			fc.property(
				listing,
				listing,
				scope,
				fc.infiniteStream(fc.nat()),
				(before, told, seen, chance) => {
					const shuffled = told
						.map((fact) => ({ fact, place: Number(chance.next().value) }))
						.toSorted((a, b) => a.place - b.place)
						.map(({ fact }) => fact);
					const changes = diffFull(known(before), told, seen);
					expect(sorted(diffFull(known(before), shuffled, seen))).toEqual(sorted(changes));
				}
			)
		);
	});

	test('[D6] names each slot once, and only those that differ', () => {
		fc.assert(
			fc.property(listing, listing, scope, (before, told, seen) => {
				const changes = diffFull(known(before), told, seen);
				expect(new Set(changes.map((change) => change.key)).size).toBe(changes.length);
				for (const change of changes) {
					const was = known(before).get(change.key);
					if (change.kind === 'added') expect(was).toBeUndefined();
					else expect(change.was).toEqual(was);
					if (change.kind === 'changed') expect(sameFact(change.fact, change.was)).toBe(false);
				}
			})
		);
	});

	test('[D5] removes only when complete, inside its window, of schedules it read', () => {
		fc.assert(
			fc.property(listing, listing, scope, (before, told, seen) => {
				const removed = diffFull(known(before), told, seen).filter((c) => c.kind === 'removed');
				const mayGo = before.filter(
					(fact) =>
						seen.state === 'complete' &&
						fact.startsAt >= windowFrom &&
						fact.startsAt < windowTo &&
						!seen.unreadSchedules.includes(fact.scheduleKey) &&
						!known(told).has(slotKeyOf(fact))
				);
				expect(removed.map((change) => change.key).toSorted()).toEqual(
					mayGo.map(slotKeyOf).toSorted()
				);
			})
		);
	});

	test('[D5] an empty partial answer removes nothing at all', () => {
		fc.assert(
			fc.property(listing, (before) => {
				expect(diffFull(known(before), [], { ...everything, state: 'partial' })).toEqual([]);
			})
		);
	});

	test.each([
		[-1, 0],
		[0, 1],
		[windowTo - windowFrom - 1, 1],
		[windowTo - windowFrom, 0]
	])('[D5] a slot %i ms after the window begins: %i removed', (offset, count) => {
		const fact = makeFact({ startsAt: toInstant(windowFrom + offset) });
		const seen = { ...everything, window: { from: windowFrom, to: windowTo } };
		expect(diffFull(known([fact]), [], seen)).toHaveLength(count);
	});
});

describe('a delta listing', () => {
	test('[D6] applied gives the same as the full listing it stands for', () => {
		fc.assert(
			fc.property(listing, listing, (before, told) => {
				const delta = {
					changed: told.filter((fact) => {
						const was = known(before).get(slotKeyOf(fact));
						return was === undefined || !sameFact(was, fact);
					}),
					gone: before.map(slotKeyOf).filter((key) => !known(told).has(key))
				};
				const changes = diffDelta(known(before), delta, everything);
				expect(sorted(changes)).toEqual(sorted(diffFull(known(before), told, everything)));
			})
		);
	});

	test('[D5] removes under the same conditions as a full one', () => {
		fc.assert(
			fc.property(listing, listing, scope, (before, told, seen) => {
				const gone = before.map(slotKeyOf).filter((key) => !known(told).has(key));
				const removed = (changes: readonly SlotChange[]) =>
					sorted(changes.filter((change) => change.kind === 'removed'));
				expect(removed(diffDelta(known(before), { changed: [], gone }, seen))).toEqual(
					removed(diffFull(known(before), told, seen))
				);
			})
		);
	});

	test('[D5] an update removes what it names, and a full listing never does as one', () => {
		const inside = makeFact({ startsAt: windowFrom });
		const before = makeFact({ startsAt: toInstant(windowFrom - 1) });
		const window = { from: windowFrom, to: windowTo };
		const update = { ...everything, window, state: 'partial' as const, isUpdate: true };
		const gone = [inside, before].map(slotKeyOf);
		const removed = diffDelta(known([inside, before]), { changed: [], gone }, update);
		expect(removed.map(({ key }) => key)).toEqual([slotKeyOf(inside)]);
		const unread = { ...update, unreadSchedules: [inside.scheduleKey] };
		expect(diffDelta(known([inside]), { changed: [], gone }, unread)).toEqual([]);
		expect(diffFull(known([inside]), [], update)).toEqual([]);
	});

	test('[D6] is not troubled by keys nobody knows', () => {
		expect(diffDelta(known([]), { changed: [], gone: ['nobody|1|1|'] }, everything)).toEqual([]);
	});
});

describe('a shrink', () => {
	test.each([
		[10, 0, false, true],
		[10, 4, false, true],
		[10, 5, false, false],
		[11, 5, false, true],
		[9, 0, false, false],
		[100, 0, true, false],
		[100, 49, false, true],
		[100, 50, false, false],
		[0, 0, false, false]
	])(
		'[D7] from %i to %i free, explicitly empty %s: suspect %s',
		(before, after, empty, suspect) => {
			expect(isSuspectShrink(before, after, empty)).toBe(suspect);
		}
	);
});
