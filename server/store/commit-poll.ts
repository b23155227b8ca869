// One poll's outcome in one transaction: slots, schedules, rooms, log entries, next poll.
import type { SpokenAnswer } from '#domain/answer.ts';
import type { ScheduleId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Result } from '#domain/result.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import type { Sql } from '../platform/postgres.ts';
import type { PollClaim, Suspect } from './sources.ts';

export type PollOutcome = {
	readonly claim: PollClaim;
	readonly answer: SpokenAnswer;
	readonly changes: readonly SlotChange[];
	readonly nextPollInMs: number;
	/** A shrink that waits for a second opinion, or null. */
	readonly suspect: Suspect | null;
};

export type PollCommit = {
	/** To be published after the commit. */
	readonly entries: readonly RoomEntry[];
	/** Schedules whose supply changed. */
	readonly touched: readonly ScheduleId[];
	readonly opened: number;
	readonly closed: number;
	/**
	 * Slots kept as we changed them after this poll began. When above 0 the store is not what the
	 * source listed: let the connector forget this body (settle with committed = false), so that
	 * the next listing is full.
	 */
	readonly kept: number;
};

/** 'fenced' = a newer poll of this source was begun: nothing was written. */
export const commitPoll = (
	_sql: Sql,
	_outcome: PollOutcome
): Promise<Result<PollCommit, 'fenced'>> => {
	throw new Error('being written');
};
