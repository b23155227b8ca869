// Times, days, zones and ages as words. The zone stands beside every time.
import type { Instant } from '#domain/time.ts';
import { ageOf, clockPartsAt, dayKeyAt, daysBetween, noonOf } from './clock.ts';
import { m } from './words.ts';
import { unreachable } from '#domain/result.ts';
import { zoneWord } from './zone-names.ts';

export { zoneWord, zoneWords } from './zone-names.ts';

/** The catalogue's language; Intl needs a full tag for the right forms. */
const LOCALE = 'en-US';

/** `3:30 p.m.`, `noon`, `midnight`: without the zone, which is drawn smaller beside it. */
export const clockWords = (at: Instant, zone: string): string => {
	const { hour12, minute, isPm } = clockPartsAt(at, zone);
	if (hour12 === 12 && minute === 0) return isPm ? m.clock_noon() : m.clock_midnight();
	const time = `${hour12}:${String(minute).padStart(2, '0')}`;
	return isPm ? m.clock_pm({ time }) : m.clock_am({ time });
};

/** `3:30 p.m. MT`. */
export const timeWords = (at: Instant, zone: string): string =>
	`${clockWords(at, zone)} ${zoneWord(zone)}`;

const days = new Intl.DateTimeFormat(LOCALE, {
	weekday: 'long',
	month: 'long',
	day: 'numeric',
	timeZone: 'UTC'
});

/** `Monday, November 23`. */
export const dayWords = (dayKey: string): string => days.format(noonOf(dayKey));

const shortDays = new Intl.DateTimeFormat(LOCALE, { weekday: 'short', timeZone: 'UTC' });

/** `Mon`. */
export const shortDayWord = (dayKey: string): string => shortDays.format(noonOf(dayKey));

/** `8 a.m.`, `noon`: a whole hour of the day. */
export const hourWord = (hour: number): string => {
	if (hour === 12) return m.clock_noon();
	const time = String(hour % 12 === 0 ? 12 : hour % 12);
	return hour < 12 ? m.clock_am({ time }) : m.clock_pm({ time });
};

/** `Today`, `Tomorrow` or nothing. */
export const nearDayWord = (dayKey: string, now: Instant, zone: string): string => {
	const away = daysBetween(dayKeyAt(now, zone), dayKey);
	if (away === 0) return m.day_today();
	return away === 1 ? m.day_tomorrow() : '';
};

/** `Monday, November 23, 3:30 p.m. MT`. */
export const whenWords = (at: Instant, zone: string): string =>
	`${dayWords(dayKeyAt(at, zone))}, ${timeWords(at, zone)}`;

/** `12 s ago`. */
export const agoWords = (ms: number): string => {
	const { unit, count } = ageOf(ms);
	switch (unit) {
		case 'now':
			return m.age_now();
		case 's':
			return m.age_seconds({ count });
		case 'min':
			return m.age_minutes({ count });
		case 'h':
			return m.age_hours({ count });
		case 'd':
			return m.age_days({ count });
		default:
			return unreachable(unit);
	}
};
