// The window of a poll. Its end moves in whole hours, so that searches keep their URL (and their
// ETag) between polls and slots enter the window at a few moments only.
import type { AnswerFlags } from '#domain/answer.ts';
import { NEAR_WORTH_RECORDS } from '#domain/polling/near.ts';
import { HOUR_MS, toInstant, type Instant } from '#domain/time.ts';
import type { PollRequest } from './connector.ts';
import type { Window } from './ledger.ts';

export type PollWindow = Window & {
	/** The whole hour before `from`, to be asked for. */
	readonly askFrom: Instant;
};

export const windowOf = ({
	now,
	source,
	nearMs = Infinity
}: Pick<PollRequest, 'now' | 'nearMs'> & {
	readonly source: Pick<PollRequest['source'], 'windowMs'>;
}): PollWindow => ({
	from: now,
	askFrom: toInstant(Math.floor(now / HOUR_MS) * HOUR_MS),
	to: toInstant(Math.ceil((now + Math.min(source.windowMs, nearMs)) / HOUR_MS) * HOUR_MS)
});

/** A100, of an API that takes a window. */
export const canNarrow = (
	{ nearMs }: Pick<PollRequest, 'nearMs'>,
	read: { readonly flags: AnswerFlags; readonly isWindowIgnored: boolean; readonly pages: number }
): boolean =>
	!read.isWindowIgnored &&
	(nearMs !== undefined || read.pages > 1 || read.flags.records > NEAR_WORTH_RECORDS);
