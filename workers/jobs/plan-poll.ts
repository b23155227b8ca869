// When a source may be polled again, and how long a poll may take. Pure: chance and durations are
// arguments. When a poll is worth it, after that, is the policy's matter (poll-policy.ts).
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import { unreachable } from '#domain/result.ts';
import type { SilentReason } from '#domain/answer.ts';

export type PollOutcome =
	/** `maxAgeMs`: the source asks not to be asked sooner. `plannedMs`: what the policy wants. */
	| { readonly state: 'spoken'; readonly maxAgeMs: number | null; readonly plannedMs?: number }
	/** The answer shrank too much to be believed at once. */
	| { readonly state: 'suspect' }
	/** `failures`: silent polls in a row, this one included. */
	| {
			readonly state: 'silent';
			readonly reason: SilentReason;
			readonly failures: number;
			readonly retryAfterMs: number | null;
	  };

export type PollPlan = {
	/** The source's own shortest interval, ms: never undercut. */
	readonly minIntervalMs: number;
	readonly outcome: PollOutcome;
	/** Chance in [0, 1). */
	readonly chance: number;
};

/** A source that caches for a day is still asked once an hour. */
export const MAX_AGE_LIMIT_MS = HOUR_MS;
export const BACKOFF_LIMIT_MS = 5 * MINUTE_MS;
/** What a source may ask for with Retry-After. */
export const RETRY_AFTER_LIMIT_MS = 24 * HOUR_MS;
/** Up to this share is added by chance, so that sources that started together drift apart. */
const SPREAD = 0.1;

/** W3: faults that only a person can mend begin with a longer pause than passing ones. */
const firstPauseMs = (reason: SilentReason): number => {
	switch (reason) {
		case 'throttled':
			return 30 * SECOND_MS;
		case 'unauthorized':
		case 'misconfigured':
		case 'refused_address':
			return MINUTE_MS;
		case 'timeout':
		case 'unreachable':
		case 'http_error':
		case 'too_large':
		case 'not_understood':
			return 0;
		default:
			return unreachable(reason);
	}
};

const backoffMs = (plan: PollPlan, failures: number, reason: SilentReason): number => {
	const first = Math.max(plan.minIntervalMs, firstPauseMs(reason));
	const limit = Math.max(plan.minIntervalMs, BACKOFF_LIMIT_MS);
	const grown = Math.min(first * 2 ** Math.min(failures - 1, 20), limit);
	// Equal jitter: half is certain, half is chance, and never sooner than the source allows.
	return Math.max(plan.minIntervalMs, grown / 2 + (grown / 2) * plan.chance);
};

/** W1: after a good answer nothing is planned sooner, ms. */
export const floorMs = (minIntervalMs: number, maxAgeMs: number | null): number =>
	Math.max(minIntervalMs, Math.min(maxAgeMs ?? 0, MAX_AGE_LIMIT_MS));

/**
 * Milliseconds until the next poll. W1: never sooner than the source's shortest interval, its
 * max-age or its Retry-After. W2: silence doubles the pause up to five minutes, with jitter; a
 * suspect answer is asked again at the shortest interval.
 */
export const decideNextPoll = (plan: PollPlan): number => {
	const { outcome, minIntervalMs, chance } = plan;
	switch (outcome.state) {
		case 'spoken': {
			const floor = floorMs(minIntervalMs, outcome.maxAgeMs) * (1 + SPREAD * chance);
			// A release is looked for at its very minute: a plan gets no spread of its own.
			return Math.round(Math.max(floor, outcome.plannedMs ?? 0));
		}
		case 'suspect':
			return minIntervalMs;
		case 'silent': {
			const own = backoffMs(plan, outcome.failures, outcome.reason);
			const asked = Math.min(outcome.retryAfterMs ?? 0, RETRY_AFTER_LIMIT_MS);
			return Math.round(asked > own ? asked * (1 + SPREAD * chance) : own);
		}
		default:
			return unreachable(outcome);
	}
};

export const DEADLINE_MS = 10 * SECOND_MS;
export const DEADLINE_LIMIT_MS = MINUTE_MS;
/** A poll that read faster than this when its time ran out was big, not hanging. Bytes a second. */
const ALIVE_BYTES_PER_S = 50_000;

/**
 * W4: a poll gets ten seconds in all. One that ran out of time while bytes kept coming gets twice
 * as much next time, up to a minute; a good one sets three times what it took.
 */
export const decideDeadline = (
	deadlineMs: number,
	last: { readonly timedOut: boolean; readonly tookMs: number; readonly bytes: number }
): number => {
	const wanted = last.timedOut
		? last.bytes / (last.tookMs / SECOND_MS) >= ALIVE_BYTES_PER_S
			? 2 * deadlineMs
			: deadlineMs
		: 3 * last.tookMs;
	return Math.round(Math.min(Math.max(wanted, DEADLINE_MS), DEADLINE_LIMIT_MS));
};
