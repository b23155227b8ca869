// What is learned from polls: rates, hours of the week, releases.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import {
	OPTIMISM,
	flatPool,
	newEstimate,
	poolOf,
	profileAt,
	rateOf,
	releaseChance,
	type Estimate
} from '#domain/polling/estimate.ts';
import { hourOfWeek, markAt, nextLookAmong, nextLookAfter } from '#domain/polling/local-time.ts';
import { observe } from '#domain/polling/observe.ts';
import { randomFrom } from '../../support/random.ts';

const MONDAY = 4 * DAY_MS;

type Life = {
	readonly perHour: (local: number) => number;
	readonly gapMs: number;
	readonly days: number;
};

/** Poisson changes of a made-up source, polled at even gaps. */
const live = (
	life: Life,
	seed = 1,
	from: Estimate = newEstimate(flatPool, life.gapMs)
): Estimate => {
	const random = randomFrom(seed);
	let estimate = from;
	for (let at = MONDAY; at < MONDAY + life.days * DAY_MS; at += life.gapMs) {
		const mean = (life.perHour(at) * life.gapMs) / HOUR_MS;
		let count = 0;
		for (let p = random.next(); p > Math.exp(-mean); p *= random.next()) count += 1;
		estimate = observe(estimate, flatPool, { from: at, to: at + life.gapMs, count, cost: 1 });
	}
	return estimate;
};

test.each([0.05, 0.5, 3, 12])('[Q2] a steady rate of %d an hour is found', (perHour) => {
	const rates = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) =>
		rateOf(live({ perHour: () => perHour, gapMs: 10 * MINUTE_MS, days: 10 }, seed))
	);
	const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
	expect(mean / perHour).toBeGreaterThan(0.6);
	expect(mean / perHour).toBeLessThan(1.6);
});

test('[Q2] a rate that jumps is followed within a day', () => {
	const before = live({ perHour: () => 0.5, gapMs: 20 * MINUTE_MS, days: 7 });
	expect(rateOf(before)).toBeLessThan(1.2);
	const after = live({ perHour: () => 4, gapMs: 20 * MINUTE_MS, days: 1 }, 2, before);
	expect(rateOf(after)).toBeGreaterThan(2.2);
});

test('[Q2] nothing seen lowers the rate; a count of a thousand is not taken for a thousand events', () => {
	const start = newEstimate(flatPool, HOUR_MS, 1);
	const look = (count: number): number =>
		rateOf(observe(start, flatPool, { from: MONDAY, to: MONDAY + HOUR_MS, count, cost: 1 }));
	expect(look(0)).toBeLessThan(rateOf(start));
	expect(look(1)).toBeGreaterThan(look(0));
	expect(look(1_000)).toBeLessThan(10);
});

test('[Q2] whatever is observed, the estimate stays a finite positive one', () => {
	const polls = fc.array(
		fc.record({
			gap: fc.integer({ min: 1, max: 60 * DAY_MS }),
			count: fc.integer({ min: 0, max: 100_000 })
		}),
		{ maxLength: 30 }
	);
	fc.assert(
		fc.property(polls, (all) => {
			let estimate = newEstimate(flatPool, HOUR_MS);
			let at = MONDAY;
			for (const { gap, count } of all) {
				estimate = observe(estimate, flatPool, { from: at, to: at + gap, count, cost: 1 });
				at += gap;
			}
			const numbers = [rateOf(estimate), estimate.gapMs, estimate.days, ...estimate.releases];
			for (const number of [...numbers, ...estimate.seen, ...estimate.flat]) {
				expect(Number.isFinite(number) && number >= 0).toBe(true);
			}
			expect(rateOf(estimate)).toBeGreaterThan(0);
			expect(estimate.hot.toSorted((a, b) => a - b)).toEqual(estimate.hot);
		}),
		{ numRuns: 50 }
	);
});

test('[Q2] a poll that went back in time teaches nothing', () => {
	const start = newEstimate(flatPool, HOUR_MS);
	expect(observe(start, flatPool, { from: MONDAY, to: MONDAY, count: 5, cost: 1 })).toBe(start);
});

test('[Q11] what answers cost is remembered, smoothed', () => {
	let estimate = newEstimate(flatPool, HOUR_MS);
	for (let i = 0; i < 30; i += 1) {
		const from = MONDAY + i * HOUR_MS;
		estimate = observe(estimate, flatPool, { from, to: from + HOUR_MS, count: 0, cost: 0.1 });
	}
	expect(estimate.cost).toBeCloseTo(0.1, 2);
});

test('[Q3] a batch at the same minute of each day becomes a mark; a trickle does not', () => {
	const at = 9 * HOUR_MS + 35 * MINUTE_MS;
	const random = randomFrom(3);
	let batches = newEstimate(flatPool, HOUR_MS, 1);
	let from = MONDAY;
	while (from < MONDAY + 12 * DAY_MS) {
		const to = from + random.int(20, 50) * MINUTE_MS;
		const day = Math.floor(to / DAY_MS) * DAY_MS;
		const count = from < day + at && to >= day + at ? 12 : 0;
		batches = observe(batches, flatPool, { from, to, count, cost: 1 });
		from = to;
	}
	const best = batches.hot.toSorted(
		(a, b) => releaseChance(batches, b) - releaseChance(batches, a)
	);
	expect(best.slice(0, 3)).toContain(at / (5 * MINUTE_MS));
	expect(rateOf(batches)).toBeLessThan(0.3);
	const trickle = live({ perHour: () => 2, gapMs: 20 * MINUTE_MS, days: 14 });
	expect(Math.max(0, ...trickle.hot.map((mark) => releaseChance(trickle, mark)))).toBeLessThan(0.1);
});

test('[Q5] a newcomer is believed to be busy, and that fades as it is looked at', () => {
	const pool = { perHour: 0.5, profile: flatPool.profile };
	const start = newEstimate(pool, HOUR_MS);
	expect(rateOf(start)).toBeCloseTo(0.5 * OPTIMISM);
	let estimate = start;
	for (let at = MONDAY; at < MONDAY + 6 * HOUR_MS; at += 30 * MINUTE_MS) {
		const to = at + 30 * MINUTE_MS;
		estimate = observe(estimate, pool, { from: at, to, count: 0, cost: 1 });
	}
	expect(rateOf(estimate)).toBeLessThan(0.5);
});

test('[Q5] hours that are busy for all are expected to be busy for one that showed nothing yet', () => {
	const busyAtTen = (local: number): number => (hourOfWeek(local) % 24 === 10 ? 12 : 0.5);
	const life = { perHour: busyAtTen, gapMs: 20 * MINUTE_MS, days: 12 };
	const pool = poolOf([1, 2, 3, 4, 5].map((seed) => live(life, seed)));
	const newcomer = newEstimate(pool, HOUR_MS);
	expect(profileAt(newcomer, pool, 10)).toBeGreaterThan(1.8);
	expect(profileAt(newcomer, pool, 3)).toBeLessThan(profileAt(newcomer, pool, 10) / 1.5);
	expect(poolOf([])).toBe(flatPool);
});

test('[Q3] the clocks of a day and a week', () => {
	expect(hourOfWeek(0)).toBe(0);
	expect(hourOfWeek(2 * DAY_MS)).toBe(24);
	expect(hourOfWeek(3 * DAY_MS + 5 * HOUR_MS)).toBe(29);
	expect(hourOfWeek(-DAY_MS)).toBe(0);
	expect(markAt(nextLookAfter(MONDAY))).toBe(markAt(MONDAY) === 287 ? 0 : markAt(MONDAY) + 1);
	expect(nextLookAmong([], MONDAY)).toBe(Infinity);
	fc.assert(
		fc.property(
			fc.uniqueArray(fc.integer({ min: 0, max: 287 }), { minLength: 1, maxLength: 20 }),
			fc.integer({ min: 0, max: 30 * DAY_MS }),
			(marks, local) => {
				const next = nextLookAmong(
					marks.toSorted((a, b) => a - b),
					local
				);
				expect(next).toBeGreaterThan(local);
				expect(next).toBeLessThanOrEqual(local + DAY_MS);
				expect(marks).toContain(markAt(next));
			}
		)
	);
});
