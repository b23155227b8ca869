// Filling up: an honest count and pace, never fake urgency. Pure.
import { HOUR_MS, toInstant, type Instant } from './time.ts';
import type { EpisodeId, ScheduleId } from './ids.ts';

/** Supply of one schedule over the look-ahead window, from complete answers only. */
export type Supply = {
	/** Open times left. */
	readonly left: number;
	/** Open and taken times together. */
	readonly of: number;
	/** Times that went from open to taken in the last PACE_WINDOW_MS. */
	readonly takenLately: number;
};

export type FillingUp = {
	readonly scheduleId: ScheduleId;
	readonly episodeId: EpisodeId;
	readonly left: number;
	readonly of: number;
	/** Times taken an hour, over the last hour. */
	readonly perHour: number;
	readonly since: Instant;
};

export const SUPPLY_WINDOW_MS = 7 * 24 * HOUR_MS;
export const PACE_WINDOW_MS = HOUR_MS;
/** A calendar with fewer times than this never "fills up": three of three is not news. */
export const SUPPLY_FLOOR = 8;

/**
 * L1: filling up begins when at most a quarter is left and at least two went in the last hour;
 * it ends when more than two fifths are open again, or none is left, or nothing went for an hour
 * (hysteresis: a calendar on the edge does not flap).
 */
export const decideFilling = (supply: Supply, isFilling: boolean): boolean => {
	if (supply.left === 0 || supply.of < SUPPLY_FLOOR) return false;
	const share = supply.left / supply.of;
	if (isFilling) return share <= 0.4 && supply.takenLately > 0;
	return share <= 0.25 && supply.takenLately >= 2;
};

/** Whole hours until none is left at the present pace, at least 1; null = no pace to tell. */
export const hoursLeft = (left: number, perHour: number): number | null =>
	perHour <= 0 ? null : Math.max(1, Math.round(left / perHour));

/**
 * L2: "opened" begins when a schedule without open times gets some (or at least OPENED_MIN new
 * ones at once); it is told once until the supply was empty again.
 */
export const OPENED_MIN = 3;
export const decideOpened = (leftBefore: number, leftNow: number, newlyOpen: number): boolean =>
	newlyOpen > 0 && leftNow > 0 && (leftBefore === 0 || newlyOpen >= OPENED_MIN);

/** L3: the same person hears of the same provider and kind at most once per cooldown. */
export const ALERT_COOLDOWN_MS = 10 * 60_000;
export const isCoolingDown = (lastToldAt: Instant | null, now: Instant): boolean =>
	lastToldAt !== null && now < toInstant(lastToldAt + ALERT_COOLDOWN_MS);
