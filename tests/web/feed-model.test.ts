import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { RoomBatch, WireChange, WireSlot } from '#domain/protocol.ts';
import { slotStates, type SlotState } from '#domain/slot.ts';
import {
	applyChanges,
	applySnapshot,
	clearGone,
	judgeBatch,
	letIn,
	makeModel,
	roomsBehind,
	STAYS_MS
} from '#lib/feed-model.ts';

const ROOM = 'dermatology:us-mt';
const SCHEDULE = 7 as ScheduleId;
const { gone, open, held, taken } = slotStates;

const slot = (id: number, state: SlotState = open, schedule = SCHEDULE): WireSlot => [
	id as SlotId,
	schedule,
	30_000_000 + id * 20,
	20,
	state,
	1
];
const change = (id: number, state: SlotState): WireChange => [id as SlotId, state];
const always = { now: 0, wanted: () => true as const };
const seed = (slots: readonly WireSlot[], seq = 5) => ({
	epoch: 'e1',
	heads: { [ROOM]: seq },
	slots
});
const batch = (from: number, to: number, changes: readonly WireChange[] = []): RoomBatch => ({
	room: ROOM,
	epoch: 'e1',
	from,
	to,
	changes
});

describe('[U5] what is applied', () => {
	test.each([
		[5, 6, 'apply'],
		[3, 6, 'apply'],
		[3, 5, 'duplicate'],
		[6, 7, 'gap']
	])('[U5] at 5 a batch (%i, %i] is: %s', (from, to, verdict) => {
		expect(judgeBatch(makeModel(seed([])), batch(from, to))).toBe(verdict);
	});

	test('[U5] another epoch or an unknown room asks again', () => {
		const model = makeModel(seed([]));
		expect(judgeBatch(model, { ...batch(5, 6), epoch: 'e2' })).toBe('gap');
		expect(judgeBatch(model, { ...batch(5, 6), room: 'other' })).toBe('gap');
	});

	test('[U5] a beacon names the rooms that are behind', () => {
		const model = makeModel(seed([]));
		expect(roomsBehind(model, 'e1', [[ROOM, 5]])).toEqual([]);
		expect(roomsBehind(model, 'e1', [[ROOM, 6]])).toEqual([ROOM]);
		expect(roomsBehind(model, 'e2', [[ROOM, 5]])).toEqual([ROOM]);
	});

	test('[U5] however batches repeat and overlap, the picture ends as the room stands', () => {
		const states = fc.constantFrom<SlotState>(gone, open, held, taken);
		const entries = fc.array(fc.tuple(fc.integer({ min: 1, max: 8 }), states), { maxLength: 40 });
		const cuts = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 60 });
		fc.assert(
			fc.property(entries, cuts, (log, ranges) => {
				const model = makeModel(seed([], 0));
				const truth = new Map(log);
				const whole = (from: number, to: number): RoomBatch =>
					batch(
						from,
						to,
						log
							.slice(from, to)
							.map(([id, state]) => (state === open ? slot(id) : change(id, state)))
					);
				const offered = [...ranges, [0, log.length] as const].map(
					([a, b]) => [Math.min(a, b, log.length), Math.min(Math.max(a, b), log.length)] as const
				);
				for (const [from, to] of offered) {
					const one = whole(from, to);
					if (judgeBatch(model, one) !== 'apply') continue;
					applyChanges(model, one.changes, always);
					model.heads.set(ROOM, to);
				}
				letIn(model);
				clearGone(model, STAYS_MS);
				const shown = [...model.shown.values()].filter(({ state }) => state === open);
				const expected = [...truth].filter(([, state]) => state === open).map(([id]) => id);
				expect(new Set(shown.map(({ id }) => Number(id)))).toEqual(new Set(expected));
			})
		);
	});
});

describe('[U6] changes', () => {
	test('[U6] held and open again in place; taken keeps its place; new ones wait', () => {
		const model = makeModel(seed([slot(1), slot(2)]));
		applyChanges(model, [change(1, held), change(2, taken), slot(3)], always);
		expect([...model.shown.keys()]).toEqual([1, 2]);
		expect(model.shown.get(2 as SlotId)).toMatchObject({ state: taken, wentAt: 0 });
		expect([...model.waiting.keys()]).toEqual([3]);
		const back = applyChanges(model, [change(1, open)], always);
		expect(back).toMatchObject({ opened: 1, went: 0 });
		letIn(model);
		expect(model.shown.get(3 as SlotId)).toMatchObject({ isNew: true, state: open });
	});

	test('[U6] a waiting time that goes is never shown', () => {
		const model = makeModel(seed([]));
		applyChanges(model, [slot(3)], always);
		applyChanges(model, [change(3, taken)], always);
		expect(letIn(model)).toBe(false);
	});

	test('[U6] a change of a slot nobody sees is nothing', () => {
		const model = makeModel(seed([]));
		expect(applyChanges(model, [change(9, taken)], always)).toEqual({
			opened: 0,
			went: 0,
			strangers: []
		});
	});

	test('[U6] unwanted times stay out, unknown providers are asked about', () => {
		const model = makeModel(seed([]));
		const asked = applyChanges(model, [slot(1), slot(2, open, 8 as ScheduleId)], {
			now: 0,
			wanted: (id) => (id === SCHEDULE ? false : 'unknown')
		});
		expect(asked.strangers.map(([id]) => id)).toEqual([2]);
		expect(model.waiting.size).toBe(0);
	});
});

test('[U7] a slot that went is cleared after it stood long enough, and only then', () => {
	const model = makeModel(seed([slot(1)]));
	applyChanges(model, [change(1, taken)], { ...always, now: 1_000 });
	expect(clearGone(model, 1_000 + STAYS_MS - 1)).toBe(false);
	expect(clearGone(model, 1_000 + STAYS_MS)).toBe(true);
	expect(model.shown.size).toBe(0);
});

describe('[U8] a snapshot while watching', () => {
	test('[U8] what is not listed any more goes in place, what is new waits', () => {
		const model = makeModel(seed([slot(1), slot(2)]));
		const applied = applySnapshot(model, { ...seed([slot(2, held), slot(3)], 9), epoch: 'e2' }, 50);
		expect(applied).toMatchObject({ opened: 1, went: 1 });
		expect(model.shown.get(1 as SlotId)).toMatchObject({ wentAt: 50 });
		expect(model.shown.get(2 as SlotId)).toMatchObject({ state: held });
		expect([...model.waiting.keys()]).toEqual([3]);
		expect(model.epoch).toBe('e2');
		expect(model.heads.get(ROOM)).toBe(9);
	});

	test("[U8] a later time than a provider's first six is not called gone", () => {
		const six = [1, 2, 3, 4, 5, 6].map((id) => slot(id));
		const model = makeModel(seed([...six, slot(20)]));
		applySnapshot(model, seed(six, 9), 50);
		expect(model.shown.get(20 as SlotId)).toMatchObject({ wentAt: null });
		applySnapshot(model, seed(six.slice(0, 5), 10), 60);
		expect(model.shown.get(20 as SlotId)).toMatchObject({ wentAt: 60 });
	});
});
