// Time inside the hub: UTC milliseconds only, from a clock that is passed in.

declare const instant: unique symbol;

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number & { readonly [instant]: true };

export type Clock = { now(): Instant };

export const toInstant = (ms: number): Instant => ms as Instant;

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

const instantShape =
	/^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}(?::?\d{2})?)$/;

/** An instant as a source wrote it, with the offset it claimed. */
export type OffsetInstant = { readonly at: Instant; readonly offsetMinutes: number };

/**
 * Parses a FHIR `instant` (R4 data types). Lenient in one way that real feeds need: an offset
 * without minutes (`-05`) or without a colon (`-0500`) is read as what it means. Returns null for
 * anything else: a partial date, a missing offset, `24:00`, an offset beyond 14 hours.
 */
export const parseOffsetInstant = (text: string): OffsetInstant | null => {
	const parts = instantShape.exec(text);
	if (parts === null) return null;
	const [, year, month, day, hour, minute, second, fraction, zone] = parts;
	const offsetMinutes = parseOffset(zone ?? '');
	if (offsetMinutes === null) return null;
	const fields = [year, month, day, hour, minute, second].map(Number);
	const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = fields;
	if (mo < 1 || mo > 12 || h > 23 || mi > 59 || s > 60 || d < 1 || d > daysIn(y, mo)) return null;
	const millis = fraction === undefined ? 0 : Math.floor(Number(fraction) * 1_000);
	const utc = daysFromCivil(y, mo, d) * DAY_MS + h * HOUR_MS + mi * MINUTE_MS + s * SECOND_MS;
	return { at: toInstant(utc + millis - offsetMinutes * MINUTE_MS), offsetMinutes };
};

const parseOffset = (zone: string): number | null => {
	if (zone === 'Z') return 0;
	const sign = zone.startsWith('-') ? -1 : 1;
	const digits = zone.slice(1).replace(':', '');
	const hours = Number(digits.slice(0, 2));
	const minutes = digits.length > 2 ? Number(digits.slice(2)) : 0;
	if (minutes > 59 || hours * 60 + minutes > 14 * 60) return null;
	return sign * (hours * 60 + minutes);
};

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

const daysIn = (year: number, month: number): number =>
	month === 2 && isLeap(year) ? 29 : (monthDays[month - 1] ?? 0);

/** Days since 1970-01-01 of a proleptic Gregorian date (Hinnant, "chrono-compatible algorithms"). */
const daysFromCivil = (year: number, month: number, day: number): number => {
	const y = month <= 2 ? year - 1 : year;
	const era = Math.floor(y / 400);
	const yearOfEra = y - era * 400;
	const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
	const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
	return era * 146_097 + dayOfEra + dayOfYear - 719_468;
};
