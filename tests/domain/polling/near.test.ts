// When a poll may ask for the near days only.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { mayAskNear, NEAR_IN_A_ROW, NEAR_MS, type NearCase } from '#domain/polling/near.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import { decideNextPoll } from '#workers/jobs/plan-poll.ts';

const usual: NearCase = {
	farAgeMs: MINUTE_MS,
	nearCount: 0,
	intervalMs: MINUTE_MS,
	freshForMs: 5 * MINUTE_MS,
	windowMs: 14 * DAY_MS
};

test('[Q40] most polls ask for the near days, every few for the whole window', () => {
	expect(mayAskNear(usual)).toBe(true);
	expect(mayAskNear({ ...usual, nearCount: NEAR_IN_A_ROW - 1 })).toBe(true);
	expect(mayAskNear({ ...usual, nearCount: NEAR_IN_A_ROW })).toBe(false);
});

test('[Q40] far times that used up half of their budget, or would not last to the next poll, are asked for', () => {
	const half = 2.5 * MINUTE_MS;
	expect(mayAskNear({ ...usual, intervalMs: SECOND_MS, farAgeMs: half - 1 })).toBe(true);
	expect(mayAskNear({ ...usual, intervalMs: SECOND_MS, farAgeMs: half })).toBe(false);
	expect(mayAskNear({ ...usual, farAgeMs: 2 * MINUTE_MS, intervalMs: 3 * MINUTE_MS })).toBe(false);
});

test('[Q40] a window that is hardly longer than the near days is asked for as a whole', () => {
	expect(mayAskNear({ ...usual, windowMs: 2 * NEAR_MS })).toBe(true);
	expect(mayAskNear({ ...usual, windowMs: 2 * NEAR_MS - 1 })).toBe(false);
});

/** A source that is polled on time for a while: how old its far times became, and who asked what. */
const live = (
	{ minIntervalMs, freshForMs }: { minIntervalMs: number; freshForMs: number },
	polls: readonly { readonly chance: number; readonly plannedMs: number }[]
) => {
	const run = { oldestMs: 0, whole: 1, near: 0 };
	let at = 0;
	let farAt = 0;
	let last = 0;
	let nearCount = 0;
	for (const { chance, plannedMs } of polls) {
		const planned = Math.min(plannedMs, farAt + 0.8 * freshForMs - at);
		const outcome = { state: 'spoken', maxAgeMs: null, plannedMs: planned } as const;
		at += decideNextPoll({ minIntervalMs, outcome, chance });
		const farAgeMs = at - farAt;
		run.oldestMs = Math.max(run.oldestMs, farAgeMs);
		const intervalMs = Math.max(minIntervalMs, at - last);
		last = at;
		const near = { ...usual, farAgeMs, nearCount, intervalMs, freshForMs };
		if (mayAskNear(near)) {
			nearCount += 1;
			run.near += 1;
		} else {
			nearCount = 0;
			farAt = at;
			run.whole += 1;
		}
	}
	return run;
};

test('[Q40] polled on time, far times never grow older than the budget of their source', () => {
	const poll = fc.record({
		chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
		plannedMs: fc.integer({ min: 0, max: 20 * MINUTE_MS })
	});
	const source = fc
		.record({
			minIntervalMs: fc.integer({ min: 250, max: 5 * MINUTE_MS }),
			freshForMs: fc.integer({ min: 1_000, max: 30 * MINUTE_MS })
		})
		// Others are older than their budget however they are asked.
		.filter(({ minIntervalMs, freshForMs }) => 1.1 * minIntervalMs <= freshForMs);
	fc.assert(
		fc.property(source, fc.array(poll, { minLength: 1, maxLength: 60 }), (settings, polls) => {
			expect(live(settings, polls).oldestMs).toBeLessThanOrEqual(settings.freshForMs);
		})
	);
});

test('[Q40] a source asked every minute and fresh for five is asked for all of it every third time', () => {
	const polls = Array.from({ length: 30 }, () => ({ chance: 0, plannedMs: 0 }));
	const run = live({ minIntervalMs: MINUTE_MS, freshForMs: 5 * MINUTE_MS }, polls);
	expect(run).toEqual({ oldestMs: 3 * MINUTE_MS, near: 20, whole: 11 });
});
