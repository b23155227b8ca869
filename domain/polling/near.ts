// Near polls: where a source's API takes a window, most polls ask for its near days only, and every
// few polls for the whole window.
import { HOUR_MS } from '../time.ts';

/** The near days, ms: from a Friday evening three of them reach into Monday. */
export const NEAR_MS = 72 * HOUR_MS;
/** Whole listings of one page and of no more records than this are asked for at every poll. */
export const NEAR_WORTH_RECORDS = 500;
/** A window that is not at least this much longer than the near days is always asked for as a whole. */
const WINDOW_SHARE = 2;
/** Near polls between two whole ones. */
export const NEAR_IN_A_ROW = 4;
/** Far times older than this share of the source's budget are asked for. */
const FAR_SHARE = 0.5;
/** Polls drift by chance, and answers take their time: the next one may come this much later. */
const LATE = 1.15;

export type NearCase = {
	/** Since the last answer that spoke of the whole window, ms. */
	readonly farAgeMs: number;
	/** Near polls since then. */
	readonly nearCount: number;
	/** Expected time from this poll to the next, ms. */
	readonly intervalMs: number;
	readonly freshForMs: number;
	readonly windowMs: number;
};

/**
 * Q40: may this poll ask for the near days only? Not once the far times have used up half of the
 * source's budget of freshness, nor when they would be older than the budget by the next poll.
 */
export const mayAskNear = (near: NearCase): boolean =>
	near.windowMs >= WINDOW_SHARE * NEAR_MS &&
	near.nearCount < NEAR_IN_A_ROW &&
	near.farAgeMs < FAR_SHARE * near.freshForMs &&
	near.farAgeMs + LATE * near.intervalMs <= near.freshForMs;
