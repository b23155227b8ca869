// What one poll is worth, and its inverse: how long to wait until a poll is worth its price.
// Pure arithmetic; times in hours, rates in changes per hour.

/** Slots that one viewer looks at. 1 = only "all of it right" counts, large = delay counts. */
export const SLOTS_LOOKED_AT = 8;

/** 1 − (1 + x)e^−x: rises from 0 to 1; by its series near 0, where the difference would cancel. */
export const ripeness = (x: number): number =>
	x < 1e-3 ? x * x * (0.5 - x / 3) : 1 - (1 + x) * Math.exp(-x);

const STEPS = 4_096;

const bisect = (y: number): number => {
	let low = 0;
	let high = 60;
	for (let i = 0; i < 60; i += 1) {
		const middle = (low + high) / 2;
		if (ripeness(middle) < y) low = middle;
		else high = middle;
	}
	return high;
};

/** Inverse of `ripeness` at evenly spaced square roots: there it is nearly straight. */
const table: readonly number[] = Array.from({ length: STEPS + 1 }, (_, i) =>
	bisect((i / STEPS) ** 2)
);

/** The x at which `ripeness(x)` is `y`; Infinity when no x is ripe enough. */
export const whenRipe = (y: number): number => {
	if (y >= 0.9999) return Infinity;
	if (y < 1e-6) return Math.sqrt(2 * Math.max(0, y));
	const place = Math.sqrt(y) * STEPS;
	const below = Math.floor(place);
	const left = table[below] ?? 0;
	return left + ((table[below + 1] ?? left) - left) * (place - below);
};

/**
 * Q1: weighted wrong-slot hours that a poll ends, `hours` after the last one, of something that
 * changes `perHour` times and matters `weight` (Olston & Pandey 2008 for one slot; here for S).
 */
export const worthOfPoll = (hours: number, perHour: number, weight: number): number => {
	const x = (perHour * hours) / SLOTS_LOOKED_AT;
	return ((weight * SLOTS_LOOKED_AT) / perHour) * ripeness(x);
};

/** Q1: changes that must have gathered until a poll is worth `price`. */
export const changesUntilWorth = (price: number, perHour: number, weight: number): number =>
	SLOTS_LOOKED_AT * whenRipe((price * perHour) / (weight * SLOTS_LOOKED_AT));
