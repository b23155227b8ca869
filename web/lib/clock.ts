// Time for people: wall clock parts and ages, never parsed back. Pure; the words are elsewhere.
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, toInstant, type Instant } from '#domain/time.ts';
import { wallTimeAt } from '#domain/zone.ts';

export type ClockParts = {
	readonly hour12: number;
	readonly minute: number;
	readonly isPm: boolean;
};

export const clockPartsAt = (at: Instant, zone: string): ClockParts => {
	const { hour, minute } = wallTimeAt(at, zone);
	return { hour12: hour % 12 === 0 ? 12 : hour % 12, minute, isPm: hour >= 12 };
};

/** U3: the day a time falls on in the viewer's zone, `2026-11-21`. */
export const dayKeyAt = (at: Instant, zone: string): string => {
	const { year, month, day } = wallTimeAt(at, zone);
	return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
};

/** Whole days between two day keys; both are UTC midnights here, so no clock change matters. */
export const daysBetween = (from: string, to: string): number =>
	Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS);

export type Age = { readonly unit: 'now' | 's' | 'min' | 'h' | 'd'; readonly count: number };

/** U4: an age in its largest whole unit; under 5 s is "just now". */
export const ageOf = (ms: number): Age => {
	if (ms < 5 * SECOND_MS) return { unit: 'now', count: 0 };
	if (ms < MINUTE_MS) return { unit: 's', count: Math.floor(ms / SECOND_MS) };
	if (ms < HOUR_MS) return { unit: 'min', count: Math.floor(ms / MINUTE_MS) };
	if (ms < 2 * DAY_MS) return { unit: 'h', count: Math.floor(ms / HOUR_MS) };
	return { unit: 'd', count: Math.floor(ms / DAY_MS) };
};

/** `4:41`; never below zero. A started second counts, so it never says 0:00 while time is left. */
export const countdownText = (ms: number): string => {
	const seconds = Math.max(0, Math.ceil(ms / SECOND_MS));
	return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

/** Local noon of a day key, for naming its weekday. */
export const noonOf = (dayKey: string): Instant => toInstant(Date.parse(`${dayKey}T12:00:00Z`));
