// The price of a poll, and the breaker that frees the budget of dead hosts.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import {
	OPENS_AFTER,
	RETURN_SPREAD_MS,
	admit,
	afterFailure,
	breakerState,
	closedBreaker,
	pauseMs,
	returnAt,
	type Breaker
} from '#domain/polling/breaker.ts';
import {
	costOfAnswer,
	nextTrim,
	solvePrices,
	stalenessCapMs,
	type Budget,
	type Payer
} from '#domain/polling/price.ts';
import { changesUntilWorth } from '#domain/polling/worth.ts';

const makePayer = (over: Partial<Payer> = {}): Payer => ({
	host: 'a.example',
	perHour: 1,
	weight: 2,
	cost: 1,
	minIntervalMs: MINUTE_MS,
	...over
});

const spent = (
	payers: readonly Payer[],
	prices: ReturnType<typeof solvePrices>,
	capMs: number
): number =>
	payers.reduce((sum, payer) => {
		const price = (prices.hosts.get(payer.host) ?? prices.hub) * payer.cost;
		const wanted =
			(changesUntilWorth(price, payer.perHour, payer.weight) / payer.perHour) * HOUR_MS;
		return sum + (payer.cost * 1_000) / Math.max(payer.minIntervalMs, Math.min(wanted, capMs));
	}, 0);

const payers = fc.array(
	fc.record({
		host: fc.constantFrom('a.example', 'b.example', 'c.example'),
		perHour: fc.double({ min: 0.01, max: 40, noNaN: true }),
		weight: fc.double({ min: 0.05, max: 300, noNaN: true }),
		cost: fc.double({ min: 0.1, max: 1, noNaN: true }),
		minIntervalMs: fc.constantFrom(10_000, 60_000, 300_000)
	}),
	{ minLength: 1, maxLength: 60 }
);

test('[Q9] hub and hosts spend no more than they may, and the hub nearly all of it', () => {
	fc.assert(
		fc.property(payers, fc.double({ min: 0.1, max: 0.9, noNaN: true }), (all, share) => {
			const everything = all.reduce((sum, p) => sum + (p.cost * 1_000) / p.minIntervalMs, 0);
			const capMs = 30 * 24 * HOUR_MS;
			const budget: Budget = { perSecond: share * everything, hostPerSecond: Infinity, capMs };
			const used = spent(all, solvePrices(all, budget), capMs);
			expect(used).toBeLessThanOrEqual(budget.perSecond * 1.001);
			expect(used).toBeGreaterThanOrEqual(budget.perSecond * 0.95);
		})
	);
});

test('[Q9] a host whose own limit is reached has a higher price; the others use what it leaves', () => {
	const busy = Array.from({ length: 20 }, () => makePayer({ weight: 50 }));
	const others = Array.from({ length: 20 }, () => makePayer({ host: 'b.example' }));
	const budget = { perSecond: 0.3, hostPerSecond: 0.1, capMs: 24 * HOUR_MS };
	const prices = solvePrices([...busy, ...others], budget);
	expect(prices.hosts.get('a.example')).toBeGreaterThan(prices.hub);
	expect(spent(busy, prices, budget.capMs)).toBeCloseTo(0.1, 2);
	expect(spent(others, prices, budget.capMs)).toBeCloseTo(0.1, 2);
});

test('[Q9] when everything fits the price is 0', () => {
	const budget = { perSecond: 10, hostPerSecond: 10, capMs: HOUR_MS };
	expect(solvePrices([makePayer()], budget)).toEqual({ hub: 0, hosts: new Map() });
	expect(solvePrices([], budget).hub).toBe(0);
});

test('[Q9] the trim moves against what is spent and stays within bounds', () => {
	expect(nextTrim(1, 2, 1)).toBeGreaterThan(1);
	expect(nextTrim(1, 0.5, 1)).toBeLessThan(1);
	let trim = 1;
	for (let i = 0; i < 100; i += 1) trim = nextTrim(trim, 0, 1);
	expect(trim).toBe(0.25);
	for (let i = 0; i < 100; i += 1) trim = nextTrim(trim, 50, 1);
	expect(trim).toBe(4);
});

test('[Q11] cheap answers are asked for more often', () => {
	expect(costOfAnswer(true)).toBeLessThan(costOfAnswer(false));
	const cheap = makePayer({ cost: 0.1, host: 'b.example' });
	const dear = makePayer();
	const price = solvePrices([cheap, dear], {
		perSecond: 0.001,
		hostPerSecond: 1,
		capMs: 24 * HOUR_MS
	}).hub;
	const interval = (p: Payer): number => changesUntilWorth(price * p.cost, p.perHour, p.weight);
	expect(interval(cheap)).toBeLessThan(interval(dear) / 2);
});

test('[Q6] the cap is eight times what all would get alike', () => {
	expect(stalenessCapMs(100, 2)).toBe(8 * 50_000);
});

const fail = (
	breaker: Breaker,
	now: number,
	over: { chance?: number; retryAfterMs?: number } = {}
) =>
	afterFailure(breaker, {
		now,
		chance: over.chance ?? 0.5,
		retryAfterMs: over.retryAfterMs ?? null
	});

test('[Q12] three failures shut a host, one probe at a time opens it', () => {
	let breaker = closedBreaker;
	for (let i = 0; i < OPENS_AFTER; i += 1) {
		expect(breakerState(breaker, 0)).toBe('closed');
		breaker = fail(breaker, 0);
	}
	expect(breakerState(breaker, 1)).toBe('open');
	expect(admit(breaker, 1).admitted).toBe(false);
	const later = breaker.shutUntil + 1;
	const probe = admit(breaker, later);
	expect(probe.admitted).toBe(true);
	expect(admit(probe.breaker, later + 1).admitted).toBe(false);
	// A probe that never ends does not shut it for good.
	expect(admit(probe.breaker, later + 2 * MINUTE_MS).admitted).toBe(true);
});

test('[Q12] pauses double with full jitter up to ten minutes', () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 0, max: 1e6 }),
			fc.double({ min: 0, max: 0.999, noNaN: true }),
			(failures, chance) => {
				expect(pauseMs(failures, chance)).toBeGreaterThanOrEqual(3_000);
				expect(pauseMs(failures, chance)).toBeLessThanOrEqual(10 * MINUTE_MS);
			}
		)
	);
	expect(pauseMs(4, 0.5)).toBe(2 * pauseMs(3, 0.5));
});

test('[Q12] a time that the host asked for is kept, also after its first failure', () => {
	const breaker = fail(closedBreaker, 0, { retryAfterMs: HOUR_MS });
	expect(admit(breaker, HOUR_MS - 1).admitted).toBe(false);
	expect(admit(breaker, HOUR_MS).admitted).toBe(true);
	const again = fail(breaker, HOUR_MS, { retryAfterMs: 1 });
	expect(again.shutUntil).toBeGreaterThanOrEqual(HOUR_MS);
});

test('[Q13] units of a host that is back are spread', () => {
	expect(returnAt(5, 0)).toBe(5);
	expect(returnAt(5, 0.999)).toBeGreaterThan(5 + 0.9 * RETURN_SPREAD_MS);
	expect(returnAt(5, 0.999)).toBeLessThan(5 + RETURN_SPREAD_MS);
});
