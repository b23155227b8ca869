// When a source is polled next.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { flatPool, newEstimate, type Estimate } from '#domain/polling/estimate.ts';
import { LEAST_WEIGHT, isPlanOld, weightOf } from '#domain/polling/importance.ts';
import { RELEASE_DELAY_MS } from '#domain/polling/local-time.ts';
import { UNTOLD_SHARE, planPoll, type PollWish } from '#domain/polling/plan.ts';

const NOW = 4 * DAY_MS + 10 * HOUR_MS;

const makeEstimate = (perHour: number, over: Partial<Estimate> = {}): Estimate => ({
	...newEstimate(flatPool, 20 * MINUTE_MS),
	events: perHour * 100,
	hours: 100,
	days: 20,
	...over
});

const makeWish = (over: Partial<PollWish> = {}): PollWish => ({
	lastGood: NOW,
	now: NOW,
	earliest: NOW + MINUTE_MS,
	latest: NOW + 8 * HOUR_MS,
	weight: 5,
	price: 0.5,
	signalled: 0,
	untold: 1,
	...over
});

const wishes = fc.record({
	lastGood: fc.integer({ min: NOW - 20 * DAY_MS, max: NOW }),
	now: fc.constant(NOW),
	earliest: fc.integer({ min: NOW, max: NOW + DAY_MS }),
	latest: fc.integer({ min: NOW - DAY_MS, max: NOW + 3 * DAY_MS }),
	weight: fc.double({ min: LEAST_WEIGHT, max: 1e5, noNaN: true }),
	price: fc.double({ min: 0, max: 1e6, noNaN: true }),
	signalled: fc.integer({ min: 0, max: 500 }),
	untold: fc.constantFrom(1, UNTOLD_SHARE)
});
const estimates = fc
	.record({
		perHour: fc.double({ min: 1e-4, max: 500, noNaN: true }),
		hot: fc.uniqueArray(fc.integer({ min: 0, max: 287 }), { maxLength: 20 })
	})
	.map(({ perHour, hot }) => {
		const releases = newEstimate(flatPool, 1).releases.map((_, mark) =>
			hot.includes(mark) ? 9 : 0
		);
		return makeEstimate(perHour, { hot: hot.toSorted((a, b) => a - b), releases });
	});

test('[Q6][Q7] a plan is never before the earliest moment, else never after the cap', () => {
	fc.assert(
		fc.property(estimates, wishes, (estimate, wish) => {
			const at = planPoll(estimate, flatPool, wish);
			expect(at).toBeGreaterThanOrEqual(wish.earliest);
			expect(at).toBeLessThanOrEqual(Math.max(wish.earliest, wish.latest));
		})
	);
});

test('[Q1] more weight and a lower price never plan later', () => {
	fc.assert(
		fc.property(estimates, wishes, (estimate, wish) => {
			const quiet = { ...wish, signalled: 0 };
			const at = planPoll(estimate, flatPool, quiet);
			const slack = at + 1;
			expect(
				planPoll(estimate, flatPool, { ...quiet, weight: 2 * wish.weight })
			).toBeLessThanOrEqual(slack);
			expect(planPoll(estimate, flatPool, { ...quiet, price: wish.price / 2 })).toBeLessThanOrEqual(
				slack
			);
		})
	);
});

test('[Q9] at price 0 a source is asked at its shortest interval', () => {
	expect(planPoll(makeEstimate(0.1), flatPool, makeWish({ price: 0 }))).toBe(NOW + MINUTE_MS);
});

test('[Q3] a likely release is looked for just after its mark', () => {
	const mark = 11 * 12 + 6; // 11:30
	const releases = newEstimate(flatPool, 1).releases.map((_, i) => (i === mark ? 15 : 0));
	const knows = makeEstimate(0.2, { hot: [mark], releases });
	const wish = makeWish({ weight: 2, price: 12 });
	const at = planPoll(knows, flatPool, wish);
	expect(at - (4 * DAY_MS + mark * 5 * MINUTE_MS)).toBe(RELEASE_DELAY_MS);
	expect(planPoll(makeEstimate(0.2), flatPool, wish)).toBeGreaterThan(at);
});

test('[Q8] a signal brings a poll forward when it is worth the price, and not otherwise', () => {
	const estimate = makeEstimate(0.5);
	const dear = makeWish({ price: 60, weight: 5 });
	const without = planPoll(estimate, flatPool, dear);
	expect(planPoll(estimate, flatPool, { ...dear, signalled: 12 })).toBe(dear.earliest);
	const unseen = { ...dear, weight: LEAST_WEIGHT };
	expect(planPoll(estimate, flatPool, { ...unseen, signalled: 12 })).toBeGreaterThan(
		without - HOUR_MS
	);
	expect(planPoll(estimate, flatPool, { ...unseen, signalled: 12 })).toBe(unseen.latest);
});

test('[Q8] a source that pushes is still polled, less often', () => {
	const wish = makeWish({ price: 1 });
	const alone = planPoll(makeEstimate(2), flatPool, wish) - NOW;
	const pushing = planPoll(makeEstimate(2), flatPool, { ...wish, untold: UNTOLD_SHARE }) - NOW;
	expect(pushing).toBeGreaterThan(1.5 * alone);
	expect(pushing).toBeLessThanOrEqual(8 * HOUR_MS);
});

test('[Q4] everyone who looks, holds or waits adds weight; nothing is worth nothing', () => {
	const none = { viewers: 0, liveHolds: 0, subscribers: 0 };
	expect(weightOf(none)).toBe(LEAST_WEIGHT);
	expect(weightOf({ ...none, viewers: 3 })).toBeCloseTo(3 + LEAST_WEIGHT);
	expect(weightOf({ ...none, liveHolds: 1 })).toBeGreaterThan(weightOf({ ...none, viewers: 1 }));
	expect(weightOf({ ...none, subscribers: 5 })).toBeCloseTo(1 + LEAST_WEIGHT);
	expect(weightOf({ viewers: -5, liveHolds: -1, subscribers: -1 })).toBe(LEAST_WEIGHT);
	expect(weightOf({ ...none, viewers: Number.NaN })).toBe(LEAST_WEIGHT);
	expect(weightOf({ ...none, viewers: 1e12 })).toBe(100_000);
});

test('[Q10] plans stand until weight or price moved enough', () => {
	const basis = { weight: 4, price: 2 };
	expect(isPlanOld(basis, basis)).toBe(false);
	expect(isPlanOld(basis, { weight: 5.9, price: 2.1 })).toBe(false);
	expect(isPlanOld(basis, { weight: 6.1, price: 2 })).toBe(true);
	expect(isPlanOld(basis, { weight: 2.6, price: 2 })).toBe(true);
	expect(isPlanOld(basis, { weight: 4, price: 2.3 })).toBe(true);
});
