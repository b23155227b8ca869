// Names of time zones for people, from Intl: `MT` and `Mountain Time`.
import { toInstant } from '#domain/time.ts';

const LOCALE = 'en-US';

const zoneNames = new Map<string, string>();
const MAX_ZONE_NAMES = 700;

/**
 * U36: generic names do not change with the season, but with the years: in 1970 Detroit had no
 * summer time and Juneau was on Pacific Time. Named by the rules of this day.
 */
const NAMED_AT = toInstant(Date.UTC(2026, 6, 1));

const zoneName = (zone: string, form: 'shortGeneric' | 'longGeneric'): string => {
	if (zone === 'UTC') return zone;
	const key = `${form}|${zone}`;
	const known = zoneNames.get(key);
	if (known !== undefined) return known;
	const parts = new Intl.DateTimeFormat(LOCALE, { timeZone: zone, timeZoneName: form });
	const name =
		parts.formatToParts(NAMED_AT).find(({ type }) => type === 'timeZoneName')?.value ?? zone;
	if (zoneNames.size < MAX_ZONE_NAMES) zoneNames.set(key, name);
	return name;
};

/** `MT`. */
export const zoneWord = (zone: string): string => zoneName(zone, 'shortGeneric');
/** `Mountain Time`. */
export const zoneWords = (zone: string): string => zoneName(zone, 'longGeneric');
