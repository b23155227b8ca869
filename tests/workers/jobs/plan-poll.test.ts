// When to poll next and how long a poll may take.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentReasons } from '#domain/answer.ts';
import {
	BACKOFF_LIMIT_MS,
	DEADLINE_LIMIT_MS,
	DEADLINE_MS,
	MAX_AGE_LIMIT_MS,
	RETRY_AFTER_LIMIT_MS,
	decideDeadline,
	decideNextPoll,
	type PollOutcome
} from '#workers/jobs/plan-poll.ts';

const silent = (over: Partial<Extract<PollOutcome, { state: 'silent' }>> = {}): PollOutcome => ({
	state: 'silent',
	reason: 'http_error',
	failures: 1,
	retryAfterMs: null,
	...over
});

const outcomes = fc.oneof(
	fc.record({
		state: fc.constant('spoken' as const),
		maxAgeMs: fc.option(fc.integer({ min: 0, max: 1e9 }))
	}),
	fc.record({ state: fc.constant('suspect' as const) }),
	fc.record({
		state: fc.constant('silent' as const),
		reason: fc.constantFrom(...silentReasons),
		failures: fc.integer({ min: 1, max: 1_000_000 }),
		retryAfterMs: fc.option(fc.integer({ min: 0, max: 1e12 }))
	})
);

test('[W1] whatever happened, the shortest interval and the wish of the source are kept', () => {
	fc.assert(
		fc.property(
			outcomes,
			fc.integer({ min: 250, max: 86_400_000 }),
			fc.double({ min: 0, max: 0.999_999, noNaN: true }),
			(outcome, minIntervalMs, chance) => {
				const ms = decideNextPoll({ minIntervalMs, outcome, chance });
				expect(Number.isInteger(ms)).toBe(true);
				expect(ms).toBeGreaterThanOrEqual(minIntervalMs);
				if (outcome.state === 'spoken') {
					expect(ms).toBeGreaterThanOrEqual(Math.min(outcome.maxAgeMs ?? 0, MAX_AGE_LIMIT_MS));
				}
				if (outcome.state === 'silent') {
					const asked = Math.min(outcome.retryAfterMs ?? 0, RETRY_AFTER_LIMIT_MS);
					expect(ms).toBeGreaterThanOrEqual(asked);
					const limit = Math.max(minIntervalMs, BACKOFF_LIMIT_MS, 1.1 * asked);
					expect(ms).toBeLessThanOrEqual(Math.ceil(limit));
				}
			}
		)
	);
});

test.each([
	[null, 0, 60_000],
	[null, 0.5, 63_000],
	[10_000, 0, 60_000],
	[90_000, 0, 90_000],
	[86_400_000, 0, 3_600_000]
])('[W1] max-age %s and chance %s: asked again after %s ms', (maxAgeMs, chance, expected) => {
	const outcome = { state: 'spoken', maxAgeMs } as const;
	expect(decideNextPoll({ minIntervalMs: 60_000, outcome, chance })).toBe(expected);
});

test.each([
	[1, 1_000],
	[2, 1_000],
	[3, 2_000],
	[4, 4_000],
	[5, 8_000],
	[50, 150_000]
])('[W2] after %i silent polls the least pause is %i ms', (failures, expected) => {
	const outcome = silent({ failures });
	expect(decideNextPoll({ minIntervalMs: 1_000, outcome, chance: 0 })).toBe(expected);
});

test('[W2] chance spreads the pause over its upper half', () => {
	const at = (chance: number) =>
		decideNextPoll({ minIntervalMs: 1_000, outcome: silent({ failures: 5 }), chance });
	expect([at(0), at(0.5), at(0.999)]).toEqual([8_000, 12_000, 15_992]);
});

test('[W2] a suspect answer is asked again at the shortest interval', () => {
	const plan = { minIntervalMs: 5_000, outcome: { state: 'suspect' } as const, chance: 0.9 };
	expect(decideNextPoll(plan)).toBe(5_000);
});

test('[W2] a source slower than the limit of the pause keeps its own interval', () => {
	const plan = { minIntervalMs: 3_600_000, outcome: silent({ failures: 9 }), chance: 0.7 };
	expect(decideNextPoll(plan)).toBe(3_600_000);
});

test.each([
	['http_error', 1_000],
	['timeout', 1_000],
	['throttled', 15_000],
	['unauthorized', 30_000],
	['misconfigured', 30_000],
	['refused_address', 30_000]
] as const)('[W3] the first silence by %s pauses at least %i ms', (reason, expected) => {
	const outcome = silent({ reason });
	expect(decideNextPoll({ minIntervalMs: 1_000, outcome, chance: 0 })).toBe(expected);
});

test.each([
	['hung', { timedOut: true, tookMs: 10_000, bytes: 500 }, DEADLINE_MS],
	['one byte a second', { timedOut: true, tookMs: 10_000, bytes: 10 }, DEADLINE_MS],
	['big and still coming', { timedOut: true, tookMs: 10_000, bytes: 5_000_000 }, 20_000],
	['quick', { timedOut: false, tookMs: 100, bytes: 5_000 }, DEADLINE_MS],
	['slow but whole', { timedOut: false, tookMs: 9_000, bytes: 13_000_000 }, 27_000],
	['very slow', { timedOut: false, tookMs: 59_000, bytes: 90_000_000 }, DEADLINE_LIMIT_MS]
])('[W4] %s: the next deadline', (_name, last, expected) => {
	expect(decideDeadline(DEADLINE_MS, last)).toBe(expected);
});

test('[W4] a deadline never grows past a minute', () => {
	let deadline = DEADLINE_MS;
	for (let poll = 0; poll < 10; poll += 1) {
		deadline = decideDeadline(deadline, { timedOut: true, tookMs: deadline, bytes: 1e9 });
	}
	expect(deadline).toBe(DEADLINE_LIMIT_MS);
});
