// The week at a glance: how many times are open on which day at which hour, in the viewer's zone.
import { DAY_MS, HOUR_MS, toInstant, type Instant } from '#domain/time.ts';
import { wallTimeAt } from '#domain/zone.ts';
import { dayKeyAt } from './clock.ts';

export type Heat = {
	/** Local hours that have a column, in order. */
	readonly hours: readonly number[];
	readonly days: readonly { readonly key: string; readonly counts: readonly number[] }[];
	readonly most: number;
};

const DAYS = 7;
/** Columns are drawn for office hours at least. */
const FROM = 8;
const TO = 17;

/** U15: counts by local day and hour; hours with no open time on any day only pad office hours. */
export const heatOf = (
	openHours: readonly (readonly [hour: number, open: number])[],
	{ zone, now }: { readonly zone: string; readonly now: Instant }
): Heat => {
	const cells = new Map<string, number>();
	let [from, to] = [FROM, TO];
	for (const [hour, open] of openHours) {
		const at = toInstant(hour * HOUR_MS);
		const local = wallTimeAt(at, zone).hour;
		const key = `${dayKeyAt(at, zone)} ${local}`;
		cells.set(key, (cells.get(key) ?? 0) + open);
		from = Math.min(from, local);
		to = Math.max(to, local);
	}
	const hours = Array.from({ length: to - from + 1 }, (_, index) => from + index);
	// Noon to noon: a day with a clock change is still one day on.
	const today = dayKeyAt(now, zone);
	const noon = Date.parse(`${today}T12:00:00Z`);
	const days = Array.from({ length: DAYS }, (_, index) => {
		const key = new Date(noon + index * DAY_MS).toISOString().slice(0, 10);
		return { key, counts: hours.map((hour) => cells.get(`${key} ${hour}`) ?? 0) };
	});
	return { hours, days, most: Math.max(1, ...cells.values()) };
};

export const LEVELS = 4;
/** 0 = none open, LEVELS = the most. */
export const levelOf = (count: number, most: number): number =>
	count === 0 ? 0 : Math.max(1, Math.ceil((count / most) * LEVELS));
