// The clocks on which sources change: 48 hours of a typical week (working day, weekend) and the 288
// five-minute marks of a day. `local` is an instant in ms plus the zone's offset.
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time.ts';

export const HOURS_OF_WEEK = 48;
export const MARKS_OF_DAY = 288;
const MARK_MS = 5 * MINUTE_MS;
/** A release is looked for this long after its mark: batches take a moment to appear. */
export const RELEASE_DELAY_MS = 45_000;

/** 1970-01-01 was a Thursday; 0 = Sunday. */
const weekdayOf = (day: number): number => (((day + 4) % 7) + 7) % 7;

/** 0 to 23 on Monday to Friday, 24 to 47 on Saturday and Sunday. */
export const hourOfWeek = (local: number): number => {
	const day = Math.floor(local / DAY_MS);
	const hour = Math.floor((local - day * DAY_MS) / HOUR_MS);
	const weekday = weekdayOf(day);
	return weekday === 0 || weekday === 6 ? hour + 24 : hour;
};

/** Share of a week that an hour of `hourOfWeek` stands for. */
export const weekShareOf = (hour: number): number => (hour < 24 ? 5 : 2) / (7 * 24);

export const nextHourAfter = (local: number): number => (Math.floor(local / HOUR_MS) + 1) * HOUR_MS;

/** The five-minute mark whose release would be looked for at `local`. */
export const markAt = (local: number): number => {
	const since = local - RELEASE_DELAY_MS;
	return Math.floor((since - Math.floor(since / DAY_MS) * DAY_MS) / MARK_MS);
};

/** The first moment after `local` at which some mark's release is looked for. */
export const nextLookAfter = (local: number): number =>
	(Math.floor((local - RELEASE_DELAY_MS) / MARK_MS) + 1) * MARK_MS + RELEASE_DELAY_MS;

export const MARK_EVERY_MS = MARK_MS;

/** The first of ascending numbers that is above a limit: halved, because plans ask this very often. */
const firstAbove = (ascending: readonly number[], limit: number): number | undefined => {
	let low = 0;
	let high = ascending.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((ascending[middle] ?? Infinity) > limit) high = middle;
		else low = middle + 1;
	}
	return ascending[low];
};

/** As `nextLookAfter`, for the given marks only (ascending); Infinity when there are none. */
export const nextLookAmong = (marks: readonly number[], local: number): number => {
	const [first] = marks;
	if (first === undefined) return Infinity;
	const since = local - RELEASE_DELAY_MS;
	const day = Math.floor(since / DAY_MS) * DAY_MS;
	const next = firstAbove(marks, (since - day) / MARK_MS);
	return RELEASE_DELAY_MS + day + (next === undefined ? DAY_MS + first * MARK_MS : next * MARK_MS);
};
