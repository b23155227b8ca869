// The breaker of a host: after a few failures in a row nobody asks it, except one slow probe at a
// time; what it would have cost is free for the others. Pure: time (ms) and chance are arguments.
import { MINUTE_MS, SECOND_MS } from '../time.ts';

export type Breaker = {
	/** Failures in a row, over all units of the host. */
	readonly failures: number;
	/** Nobody asks before this moment, then one does. */
	readonly shutUntil: number;
	/** A probe is under way until then, at the latest. */
	readonly probeUntil: number;
};

export const closedBreaker: Breaker = { failures: 0, shutUntil: 0, probeUntil: 0 };

/** Failures in a row that open it. */
export const OPENS_AFTER = 3;
const FIRST_PAUSE_MS = 30 * SECOND_MS;
const LONGEST_PAUSE_MS = 10 * MINUTE_MS;
const PROBE_MS = MINUTE_MS;
/** A host that was away is taken up again over this time, not all at once. */
export const RETURN_SPREAD_MS = 5 * MINUTE_MS;

export type BreakerState = 'closed' | 'open' | 'half-open';

export const breakerState = (breaker: Breaker, now: number): BreakerState => {
	// A host that named a time (Retry-After) is left alone until then, however few its failures.
	if (now < Math.max(breaker.shutUntil, breaker.probeUntil)) return 'open';
	return breaker.failures < OPENS_AFTER ? 'closed' : 'half-open';
};

/** Q12: full jitter between nothing and the grown pause, but never less than a tenth of it. */
export const pauseMs = (failures: number, chance: number): number => {
	const grown = FIRST_PAUSE_MS * 2 ** Math.min(16, Math.max(0, failures - OPENS_AFTER));
	const longest = Math.min(LONGEST_PAUSE_MS, grown);
	return Math.max(0.1, chance) * longest;
};

/** Q12: may the host be asked now? In the half-open state only who gets `breaker` back may. */
export const admit = (
	breaker: Breaker,
	now: number
): { readonly admitted: boolean; readonly breaker: Breaker } => {
	const state = breakerState(breaker, now);
	if (state === 'closed') return { admitted: true, breaker };
	if (state === 'open') return { admitted: false, breaker };
	return { admitted: true, breaker: { ...breaker, probeUntil: now + PROBE_MS } };
};

export type Failure = {
	readonly now: number;
	/** In [0, 1). */
	readonly chance: number;
	/** What the host asked for, ms, or null. */
	readonly retryAfterMs: number | null;
};

/** Q12: after a failure; a wish of the host is kept also when it is longer than our own pause. */
export const afterFailure = (breaker: Breaker, failure: Failure): Breaker => {
	const failures = breaker.failures + 1;
	const own = failures < OPENS_AFTER ? 0 : pauseMs(failures, failure.chance);
	const until = failure.now + Math.max(own, failure.retryAfterMs ?? 0);
	return { failures, shutUntil: Math.max(breaker.shutUntil, until), probeUntil: 0 };
};

/** Q13: when a unit of a host that is back is taken up: spread, so that no storm greets it. */
export const returnAt = (now: number, chance: number): number => now + chance * RETURN_SPREAD_MS;
