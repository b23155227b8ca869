import { expect, test } from 'vitest';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { WireChange, WireSlot } from '#domain/protocol.ts';
import { askAgainInMs, Strangers } from '#lib/strangers.ts';

const slot = (id: number, scheduleId: number): WireSlot => [
	id as SlotId,
	scheduleId as ScheduleId,
	29_000_000,
	20,
	1,
	1
];

test('[U34] times of unknown providers are kept until the hub says who they are', () => {
	const strangers = new Strangers();
	strangers.add([slot(1, 7), slot(2, 7), slot(3, 8)]);
	expect(strangers.scheduleIds()).toEqual([7, 8]);
	expect(strangers.scheduleIds()).toEqual([7, 8]);
	expect(strangers.take([7 as ScheduleId])).toEqual([slot(1, 7), slot(2, 7)]);
	expect(strangers.scheduleIds()).toEqual([8]);
	strangers.clear();
	expect(strangers.scheduleIds()).toEqual([]);
});

test('[U34] a time that went while its provider was asked about is not offered', () => {
	const strangers = new Strangers();
	strangers.add([slot(1, 7), slot(2, 8)]);
	const later: WireChange[] = [
		[1 as SlotId, 0],
		[2 as SlotId, 2],
		[3 as SlotId, 3]
	];
	strangers.follow(later);
	expect(strangers.scheduleIds()).toEqual([]);
});

test('[U34] a time that is still open stays asked about, with its latest words', () => {
	const strangers = new Strangers();
	strangers.add([slot(1, 7)]);
	strangers.follow([[1 as SlotId, 1]]);
	expect(strangers.take([7 as ScheduleId])).toEqual([slot(1, 7)]);
});

test('[U34] at most 50 providers are asked about at once, and at most 500 times are kept', () => {
	const strangers = new Strangers();
	strangers.add(Array.from({ length: 600 }, (_, at) => slot(at + 1, at + 1)));
	const first = strangers.scheduleIds();
	expect(first).toHaveLength(50);
	expect(first[0]).toBe(101);
	let asked = 0;
	while (strangers.scheduleIds().length > 0) {
		asked += strangers.take(strangers.scheduleIds()).length;
	}
	expect(asked).toBe(500);
});

test('[U34] the hub is asked again after growing pauses, and not for ever', () => {
	const pauses = [0, 1, 2, 3, 4, 5, 6].map((attempt) => askAgainInMs(attempt, 0));
	expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 64_000, null]);
	expect(askAgainInMs(0, 0.5)).toBe(3_000);
});
