// A wish: what an operator asked for on a page and a worker does, because a large answer takes seconds
// to parse and a hub serves thousands of viewers meanwhile. It stands in Postgres for an hour.
import { SECOND_MS } from './time.ts';

/** A running worker looks every second. */
const LATE_MS = 20 * SECOND_MS;

/** How far a wish is that nobody has ended yet. */
export type WishProgress = {
	/** Since it was asked for, ms. */
	readonly ageMs: number;
	/** The worker process that has it; null = none has taken it up. */
	readonly worker: string | null;
};

/** O23: nobody seems to be there to do it. */
export const isLate = ({ ageMs, worker }: WishProgress): boolean =>
	worker === null && ageMs > LATE_MS;
