// The zones of a calendar: by IANA name, by the names Outlook gives them, or by the rules that the
// calendar brings along. A zone that is none of these is unknown; UTC is never guessed.
import ICAL from 'ical.js';
import { toInstant, type Instant } from '#domain/time.ts';
import { instantOfWall, isZone, wallTimeAt, type WallTime } from '#domain/zone.ts';
import type { CalendarPart } from './ical-lines.ts';

export type CalendarZone = {
	readonly toInstant: (wall: WallTime) => Instant;
	readonly toWall: (at: Instant) => WallTime;
};

/** Windows zone names of the United States and UTC (Unicode CLDR, windowsZones). */
const windowsZones: Readonly<Record<string, string>> = {
	UTC: 'UTC',
	'GMT Standard Time': 'Europe/London',
	'Atlantic Standard Time': 'America/Halifax',
	'SA Western Standard Time': 'America/Puerto_Rico',
	'Eastern Standard Time': 'America/New_York',
	'US Eastern Standard Time': 'America/Indiana/Indianapolis',
	'Central Standard Time': 'America/Chicago',
	'Mountain Standard Time': 'America/Denver',
	'US Mountain Standard Time': 'America/Phoenix',
	'Pacific Standard Time': 'America/Los_Angeles',
	'Alaskan Standard Time': 'America/Anchorage',
	'Aleutian Standard Time': 'America/Adak',
	'Hawaiian Standard Time': 'Pacific/Honolulu',
	'Samoa Standard Time': 'Pacific/Apia',
	'UTC-11': 'Pacific/Pago_Pago',
	'West Pacific Standard Time': 'Pacific/Guam'
};

export const zoneOfName = (zone: string): CalendarZone => ({
	toInstant: (wall) => instantOfWall(wall, zone),
	toWall: (at) => wallTimeAt(at, zone)
});

export const utc: CalendarZone = zoneOfName('UTC');

/** `America/New_York` of that or of `/freeassociation.sourceforge.net/America/New_York`. */
const ianaOf = (name: string): string | null => {
	const known = windowsZones[name];
	if (known !== undefined) return known;
	// `Intl` takes offsets like `+05:00` for names, too; a calendar that uses one means its own rules.
	const isName = (text: string): boolean => /^[A-Za-z]/.test(text) && isZone(text);
	if (isName(name)) return name;
	const parts = name.split('/').filter((part) => part !== '');
	for (const count of [3, 2]) {
		const tail = parts.slice(-count).join('/');
		if (parts.length > count && isName(tail)) return tail;
	}
	return null;
};

/** Runs what a hostile rule may make endless; throws when it was stopped. */
export type Watch = <T>(work: () => T) => T;

/** By rules of the calendar's own, through ical.js, which works them out when they are first used. */
const zoneOfRules = (part: CalendarPart, watch: Watch): CalendarZone | null => {
	try {
		const text = ['BEGIN:VTIMEZONE', ...part.lines, 'END:VTIMEZONE'].join('\r\n');
		const zone = new ICAL.Timezone(new ICAL.Component(ICAL.parse(text) as unknown[]));
		const offsetOf = (wall: WallTime): number =>
			watch(() => zone.utcOffset(ICAL.Time.fromData({ ...wall, isDate: false })));
		const toInstantOf = (wall: WallTime): Instant =>
			toInstant(utc.toInstant(wall) - offsetOf(wall) * 1_000);
		return {
			toInstant: toInstantOf,
			// The offset is that of about the same wall time; a day with a change is met twice.
			toWall: (at) => {
				const near = utc.toWall(at);
				const first = utc.toWall(toInstant(at + offsetOf(near) * 1_000));
				return utc.toWall(toInstant(at + offsetOf(first) * 1_000));
			}
		};
	} catch {
		return null;
	}
};

const tzidOf = (part: CalendarPart): string => {
	const line = part.lines.find((each) => /^TZID[;:]/i.test(each)) ?? '';
	return line.slice(line.indexOf(':') + 1).trim();
};

/** Years of rules that are worked out; a zone with more changes a year than this is no zone. */
const MAX_RULE_LINES = 400;

/** Finds the zone of a TZID; null = unknown. */
export const createZones = (
	parts: readonly CalendarPart[],
	watch: Watch
): ((tzid: string) => CalendarZone | null) => {
	const known = new Map<string, CalendarZone | null>();
	const rules = new Map(
		parts
			.filter((part) => part.name === 'VTIMEZONE' && part.isSound)
			.filter((part) => part.lines.length <= MAX_RULE_LINES)
			.map((part) => [tzidOf(part), part])
	);
	return (tzid) => {
		const found = known.get(tzid);
		if (found !== undefined) return found;
		const iana = ianaOf(tzid);
		const part = rules.get(tzid);
		const made =
			iana !== null ? zoneOfName(iana) : part === undefined ? null : zoneOfRules(part, watch);
		if (known.size < 200) known.set(tzid, made);
		return made;
	};
};
