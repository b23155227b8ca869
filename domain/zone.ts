// Wall time for people and for checking what sources claim; IANA zones through Intl only.
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant, type Instant } from './time.ts';

const formatters = new Map<string, Intl.DateTimeFormat>();
/** A hub sees a few hundred zones; the bound keeps hostile zone names from filling memory. */
const MAX_FORMATTERS = 700;

const formatterFor = (zone: string): Intl.DateTimeFormat => {
	const known = formatters.get(zone);
	if (known !== undefined) return known;
	const made = new Intl.DateTimeFormat('en-US', {
		timeZone: zone,
		hourCycle: 'h23',
		year: 'numeric',
		month: 'numeric',
		day: 'numeric',
		hour: 'numeric',
		minute: 'numeric',
		second: 'numeric'
	});
	if (formatters.size < MAX_FORMATTERS) formatters.set(zone, made);
	return made;
};

export const isZone = (zone: string): boolean => {
	try {
		formatterFor(zone);
		return true;
	} catch {
		return false;
	}
};

export type WallTime = {
	readonly year: number;
	readonly month: number;
	readonly day: number;
	readonly hour: number;
	readonly minute: number;
	readonly second: number;
};

/** The wall clock of `zone` at an instant. Throws RangeError for a zone that is not IANA's. */
export const wallTimeAt = (at: Instant, zone: string): WallTime => {
	const wall = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
	for (const part of formatterFor(zone).formatToParts(at)) {
		if (part.type in wall) wall[part.type as keyof WallTime] = Number(part.value);
	}
	return wall;
};

const wallAsUtc = (w: WallTime): number =>
	// Date.UTC is arithmetic, not a clock: it reads nothing but its arguments.
	Date.UTC(w.year, w.month - 1, w.day, w.hour, w.minute, w.second);

const offsetCache = new Map<string, Map<number, number>>();
const QUARTER_HOUR_MS = 15 * MINUTE_MS;
const MAX_CACHED_QUARTERS = 20_000;

/** Offset of `zone` from UTC in minutes at an instant. Zones change on quarter hours only. */
export const offsetMinutesAt = (at: Instant, zone: string): number => {
	const quarter = Math.floor(at / QUARTER_HOUR_MS);
	let byQuarter = offsetCache.get(zone);
	const known = byQuarter?.get(quarter);
	if (known !== undefined) return known;
	const start = toInstant(quarter * QUARTER_HOUR_MS);
	const offset = Math.round((wallAsUtc(wallTimeAt(start, zone)) - start) / MINUTE_MS);
	if (byQuarter === undefined || byQuarter.size > MAX_CACHED_QUARTERS) {
		byQuarter = new Map();
		if (offsetCache.size > MAX_FORMATTERS) offsetCache.clear();
		offsetCache.set(zone, byQuarter);
	}
	byQuarter.set(quarter, offset);
	return offset;
};

/**
 * The instant at which the wall clock of `zone` shows `wall`. In the hour that a spring change
 * skips, the gap's length is added; in the repeated hour of autumn the first pass is meant
 * (RFC 5545, 3.3.5).
 */
export const instantOfWall = (wall: WallTime, zone: string): Instant => {
	const target = wallAsUtc(wall);
	const before = offsetMinutesAt(toInstant(target - DAY_MS), zone);
	const first = toInstant(target - before * MINUTE_MS);
	if (offsetMinutesAt(first, zone) === before) return first;
	const after = offsetMinutesAt(toInstant(target + DAY_MS), zone);
	const second = toInstant(target - after * MINUTE_MS);
	return offsetMinutesAt(second, zone) === after ? second : first;
};

export type DayPart = 'morning' | 'afternoon' | 'evening';

/** Morning until noon, afternoon until 17:00, evening after: in the given zone. */
export const dayPartAt = (at: Instant, zone: string): DayPart => {
	const local = at + offsetMinutesAt(at, zone) * MINUTE_MS;
	const hour = Math.floor((((local % DAY_MS) + DAY_MS) % DAY_MS) / HOUR_MS);
	return hour < 12 ? 'morning' : hour < 17 ? 'afternoon' : 'evening';
};

/** A change of a zone's offset from UTC, in minutes. */
export type OffsetChange = {
	readonly at: Instant;
	readonly before: number;
	readonly after: number;
};

/** T2: every change of offset after `from` and until `to`, to the quarter hour, oldest first. */
export const offsetChanges = (zone: string, from: Instant, to: Instant): OffsetChange[] => {
	const found: OffsetChange[] = [];
	for (let day: number = from; day < to; day += DAY_MS) {
		let low = day;
		let high = Math.min(day + DAY_MS, to);
		const before = offsetMinutesAt(toInstant(low), zone);
		const after = offsetMinutesAt(toInstant(high), zone);
		if (before === after) continue;
		while (high - low > QUARTER_HOUR_MS) {
			const middle = low + Math.ceil((high - low) / 2 / QUARTER_HOUR_MS) * QUARTER_HOUR_MS;
			if (offsetMinutesAt(toInstant(middle), zone) === before) low = middle;
			else high = middle;
		}
		found.push({ at: toInstant(high), before, after });
	}
	return found;
};
