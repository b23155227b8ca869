// What becomes of one slot when a poll tells something of it. Pure: the row is locked by the
// caller, the time is the database's.
import type { SlotFact } from '#domain/slot.ts';
import { isOlderVersion, slotStates, type SlotState, type SlotStatus } from '#domain/slot.ts';
import { MINUTE_MS } from '#domain/time.ts';
import { goneView, wireViewOf, type WireView } from './wire.ts';

/** The row as it is, before the poll's word. */
export type SlotBefore = {
	readonly status: SlotStatus;
	readonly remaining: number;
	readonly isRemoved: boolean;
	readonly liveClaims: number;
	/** We changed it (hold, booking) after this poll began: the poll may not know. */
	readonly isOwnNewer: boolean;
	/** Y7: a push wrote it after this poll began: the poll may have read before the change. */
	readonly isPushNewer: boolean;
	readonly version: string;
	readonly sourceSlotId: string;
	/** It was written within VERSION_TRUST_MS. */
	readonly isRecent: boolean;
};

/**
 * S32: how long a version that a source has told counts against an older one it tells later, ms: longer
 * than a copy of its database lags, shorter than anybody waits after it was restored from a backup.
 */
export const VERSION_TRUST_MS = 10 * MINUTE_MS;

export type SlotOutcome = {
	/** S6: the row stays as we made it; the next full listing decides. */
	readonly isKept: boolean;
	readonly before: WireView;
	readonly after: WireView;
	/** What becomes of `taken_at`: 'now' when it closed or vanished, 'clear' when open, or 'keep'. */
	readonly takenAt: 'now' | 'clear' | 'keep';
};

const isMoreOpen = (before: WireView, after: WireView): boolean =>
	after.state === slotStates.open && (before.state !== slotStates.open || after.left > before.left);

const isOffered = (state: SlotState): boolean =>
	state === slotStates.open || state === slotStates.held;

const takenAtOf = (before: WireView, after: WireView): SlotOutcome['takenAt'] => {
	if (after.state === slotStates.open) return 'clear';
	return isOffered(before.state) && !isOffered(after.state) ? 'now' : 'keep';
};

type ToldSlot = Pick<SlotFact, 'status' | 'remaining' | 'version' | 'sourceSlotId'>;

/** S32: read from a copy that lags behind what we know already. */
const isOutOfDate = (row: SlotBefore | null, fact: ToldSlot | null): boolean =>
	row !== null && fact !== null && row.isRecent && isOlderVersion(fact, row);

/** `fact` null = no longer listed. `row` null = never seen before. */
export const decideSlot = (row: SlotBefore | null, fact: ToldSlot | null): SlotOutcome => {
	const before = row === null ? goneView : wireViewOf(row);
	const after =
		fact === null
			? goneView
			: wireViewOf({
					status: fact.status,
					remaining: fact.remaining,
					isRemoved: false,
					liveClaims: row?.liveClaims ?? 0
				});
	if (row?.isPushNewer === true || isOutOfDate(row, fact)) {
		return { isKept: true, before, after: before, takenAt: 'keep' };
	}
	if (row !== null && row.isOwnNewer && isMoreOpen(before, after)) {
		return { isKept: true, before, after: before, takenAt: 'keep' };
	}
	return { isKept: false, before, after, takenAt: takenAtOf(before, after) };
};
