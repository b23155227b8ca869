// A Hold: one patient's exclusive claim on one slot for a few minutes.
import type { HoldId, ScheduleId, SlotId } from './ids.ts';
import type { Instant } from './time.ts';

export const holdStates = [
	'held',
	'confirming',
	'booked',
	'released',
	'expired',
	'rejected'
] as const;
export type HoldState = (typeof holdStates)[number];

export type HoldView = {
	readonly id: HoldId;
	readonly slotId: SlotId;
	readonly scheduleId: ScheduleId;
	readonly state: HoldState;
	/** H2: an interval, never a time of day: the phone's clock may be wrong. 0 when over. */
	readonly ttlMs: number;
	readonly fence: number;
	/** H15: live, and not extended yet. */
	readonly canExtend: boolean;
	/** H43: it ended early, because the clinic gave the time to somebody else. */
	readonly isTaken: boolean;
};

/** H17: what one device has already at the time of a hold. */
export type Overlap = {
	readonly kind: 'held' | 'booked';
	readonly startsAt: Instant;
	readonly practitionerName: string;
};

/** H1: at the very millisecond of `expiresAt` the hold is over. */
export const isLive = (hold: { readonly expiresAt: Instant }, now: Instant): boolean =>
	now < hold.expiresAt;

/** How long a hold lasts, ms. */
export const HOLD_TTL_MS = 5 * 60_000;
/** H3: live holds one device may have at a time (against hoarding). */
export const MAX_HOLDS_PER_DEVICE = 2;
/** H4: holds one device may place in an hour. */
export const MAX_HOLDS_PER_HOUR = 20;
