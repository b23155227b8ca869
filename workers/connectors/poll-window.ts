// The window of a poll. Its end moves in whole hours, so that searches keep their URL (and their
// ETag) between polls and slots enter the window at a few moments only.
import type { SourceSettings } from '#domain/source.ts';
import { HOUR_MS, toInstant, type Instant } from '#domain/time.ts';
import type { Window } from './ledger.ts';

export type PollWindow = Window & {
	/** The whole hour before `from`, to be asked for. */
	readonly askFrom: Instant;
};

export const windowOf = (now: Instant, source: Pick<SourceSettings, 'windowMs'>): PollWindow => ({
	from: now,
	askFrom: toInstant(Math.floor(now / HOUR_MS) * HOUR_MS),
	to: toInstant(Math.ceil((now + source.windowMs) / HOUR_MS) * HOUR_MS)
});
