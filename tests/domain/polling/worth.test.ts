// What a poll is worth, and when it is worth its price.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
	changesUntilWorth,
	ripeness,
	SLOTS_LOOKED_AT,
	whenRipe,
	worthOfPoll
} from '#domain/polling/worth.ts';

test('[Q1] ripeness rises from 0 to 1 and has no step where its series ends', () => {
	expect(ripeness(0)).toBe(0);
	expect(ripeness(60)).toBeCloseTo(1, 12);
	expect(ripeness(0.001_000_1)).toBeGreaterThan(ripeness(0.000_999_9));
	expect(ripeness(0.001_000_1) / ripeness(0.000_999_9)).toBeCloseTo(1, 3);
});

test('[Q1] the inverse finds the moment again', () => {
	fc.assert(
		fc.property(fc.double({ min: 1e-4, max: 9, noNaN: true }), (x) => {
			expect(whenRipe(ripeness(x)) / x).toBeCloseTo(1, 2);
		})
	);
	expect(whenRipe(1)).toBe(Infinity);
	expect(whenRipe(-1)).toBe(0);
});

test('[Q1] at the planned moment the worth is the price', () => {
	const some = (min: number, max: number) => fc.double({ min, max, noNaN: true });
	fc.assert(
		fc.property(some(0.05, 500), some(0.01, 50), some(0.001, 0.99), (weight, perHour, share) => {
			const price = (share * weight * SLOTS_LOOKED_AT) / perHour;
			const hours = changesUntilWorth(price, perHour, weight) / perHour;
			expect(worthOfPoll(hours, perHour, weight) / price).toBeCloseTo(1, 1);
		})
	);
});

test('[Q1] intervals of quiet sources follow the square root of weight and rate', () => {
	const hours = (weight: number, perHour: number): number =>
		changesUntilWorth(1e-4, perHour, weight) / perHour;
	expect(hours(1, 1) / hours(4, 1)).toBeCloseTo(2, 1);
	expect(hours(1, 1) / hours(1, 4)).toBeCloseTo(2, 1);
});
