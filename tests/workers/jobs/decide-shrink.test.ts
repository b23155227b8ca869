// When a sudden loss of free slots is believed.
import { expect, test } from 'vitest';
import type { SlotChange } from '#domain/slot-diff.ts';
import { slotKeyOf, type SlotFact } from '#domain/slot.ts';
import { HOUR_MS, toInstant } from '#domain/time.ts';
import { decideShrink, type ShrinkCase } from '#workers/jobs/decide-shrink.ts';

const now = toInstant(Date.UTC(2026, 10, 21, 12));

const makeFact = (hour: number, over: Partial<SlotFact> = {}): SlotFact => ({
	scheduleKey: '116',
	startsAt: toInstant(now + hour * HOUR_MS),
	endsAt: toInstant(now + hour * HOUR_MS + HOUR_MS / 2),
	service: '',
	status: 'free',
	capacity: 1,
	remaining: 1,
	sourceSlotId: `s${hour}`,
	version: '1',
	kinds: null,
	bookUrl: null,
	bookPhone: null,
	...over
});

const removed = (fact: SlotFact): SlotChange => ({
	kind: 'removed',
	key: slotKeyOf(fact),
	was: fact
});
const added = (fact: SlotFact): SlotChange => ({ kind: 'added', key: slotKeyOf(fact), fact });
const turned = (was: SlotFact, over: Partial<SlotFact>): SlotChange => ({
	kind: 'changed',
	key: slotKeyOf(was),
	was,
	fact: { ...was, ...over }
});

const hours = (count: number): SlotFact[] =>
	Array.from({ length: count }, (_, i) => makeFact(i + 1));

const shrink = (changes: SlotChange[], over: Partial<ShrinkCase> = {}) =>
	decideShrink({ now, freeBefore: 20, changes, explicitEmpty: false, earlier: null, ...over });

test('[W12] all slots vanish: wait for a second look', () => {
	expect(shrink(hours(20).map(removed))).toEqual({ freeAfter: 0 });
});

test('[W12] the source says itself that nothing is open: believed at once', () => {
	expect(shrink(hours(20).map(removed), { explicitEmpty: true })).toBeNull();
});

test.each([
	[10, null],
	[11, { freeAfter: 9 }]
])('[W12] of 20 free slots %i vanish', (count, expected) => {
	expect(shrink(hours(count).map(removed))).toEqual(expected);
});

test('[W12] slots that are still listed, but busy, are no loss', () => {
	const changes = hours(20).map((fact) => turned(fact, { status: 'busy', remaining: 0 }));
	expect(shrink(changes)).toBeNull();
});

test('[W12] a feed that lists only free slots and replaces all of them is no loss', () => {
	const fresh = hours(20).map((fact) => added(makeFact(0.25, { sourceSlotId: fact.sourceSlotId })));
	expect(shrink([...hours(20).map(removed), ...fresh])).toBeNull();
});

test('[W12] slots that opened again count as gained', () => {
	const reopened = Array.from({ length: 12 }, (_, i) =>
		turned(makeFact(i + 40, { status: 'busy', remaining: 0 }), { status: 'free', remaining: 1 })
	);
	expect(shrink([...hours(20).map(removed), ...reopened])).toBeNull();
});

test('[W12] what already began or was taken is no loss', () => {
	const past = Array.from({ length: 20 }, (_, i) => removed(makeFact(-i)));
	const taken = hours(20).map((fact) => removed({ ...fact, status: 'busy', remaining: 0 }));
	expect(shrink([...past, ...taken])).toBeNull();
});

test('[W12] a second look that would leave about the same is believed', () => {
	const changes = hours(19).map(removed);
	expect(shrink(changes, { earlier: { freeAfter: 2 } })).toBeNull();
	expect(shrink(changes, { earlier: { freeAfter: 4 } })).toEqual({ freeAfter: 1 });
});

test('[W12] a calendar of nine slots may well empty', () => {
	expect(shrink(hours(9).map(removed), { freeBefore: 9 })).toBeNull();
});
