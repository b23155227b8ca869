// How much it matters that a unit is right just now: people who look at it, hold one of its slots or
// asked to be told.

export type Attention = {
	/** People who have one of its rooms open. */
	readonly viewers: number;
	/** Its slots that are held or being booked at this moment. */
	readonly liveHolds: number;
	/** Alert subscriptions that its slots would answer. */
	readonly subscribers: number;
};

/** So that nothing is forgotten, however little it is looked at. */
export const LEAST_WEIGHT = 0.05;
const PER_SUBSCRIBER = 0.2;
/** Somebody is about to rely on it: as much as several who only look. */
const PER_HOLD = 5;
/** A broken counter must not draw the whole budget to one source. */
const MOST = 100_000;

/** Q4: weight of a unit, in viewers. */
export const weightOf = ({ viewers, liveHolds, subscribers }: Attention): number => {
	const weight =
		LEAST_WEIGHT +
		Math.max(0, viewers) +
		PER_HOLD * Math.max(0, liveHolds) +
		PER_SUBSCRIBER * Math.max(0, subscribers);
	return Number.isFinite(weight) ? Math.min(MOST, weight) : LEAST_WEIGHT;
};

const WEIGHT_TOLERANCE = 1.5;
const PRICE_TOLERANCE = 1.1;

type Basis = { readonly weight: number; readonly price: number };

const differs = (a: number, b: number, tolerance: number): boolean =>
	a > b * tolerance || b > a * tolerance;

/** Q10: a plan made on `then` is made again when weight or price moved by more than a little. */
export const isPlanOld = (then: Basis, now: Basis): boolean =>
	differs(then.weight, now.weight, WEIGHT_TOLERANCE) ||
	differs(then.price, now.price, PRICE_TOLERANCE);
