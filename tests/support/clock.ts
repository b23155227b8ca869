// A clock that stands still until the test moves it.
import { toInstant } from '#domain/time.ts';
import type { Clock, Instant } from '#domain/time.ts';

export type FakeClock = Clock & {
	advance: (ms: number) => Instant;
	set: (ms: number) => Instant;
};

/** Starts at 2026-06-01T12:00:00Z unless told otherwise. */
export const createFakeClock = (startMs = Date.UTC(2026, 5, 1, 12)): FakeClock => {
	let ms = startMs;
	const set = (next: number): Instant => toInstant((ms = next));
	return { now: () => toInstant(ms), advance: (by) => set(ms + by), set };
};
