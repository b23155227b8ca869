// Reads one event or busy list of a calendar, checked date by date. Says what it keeps busy, or why
// it cannot be told.
import ICAL from 'ical.js';
import { toInstant, type Instant } from '#domain/time.ts';
import { utc, type CalendarZone } from './ical-zones.ts';
import type { WallTime } from '#domain/zone.ts';
import { daysLater, type Rule } from './ical-rules.ts';
import type { CalendarPart } from './ical-lines.ts';

export type BusyKind = 'busy' | 'busy-unavailable' | 'busy-tentative';

/** A time as the calendar wrote it. */
export type Stamp = {
	readonly wall: WallTime;
	readonly isDate: boolean;
	readonly zone: CalendarZone;
	readonly at: Instant;
};

/** Whole days by the wall clock, then real time. */
export type Length = { readonly days: number; readonly ms: number };

export type Extra = { readonly start: Stamp; readonly length: Length | null };

export type CalendarEvent = {
	readonly uid: string;
	readonly start: Stamp;
	readonly length: Length;
	/** null = keeps nobody busy: cancelled, or transparent. */
	readonly busy: BusyKind | null;
	readonly rules: readonly Rule[];
	readonly extras: readonly Extra[];
	readonly exceptions: readonly Stamp[];
	/** The instance of its series that this one replaces. */
	readonly replaces: { readonly stamp: Stamp; readonly andFuture: boolean } | null;
	readonly version: readonly [sequence: number, stampedAt: string];
};

/** A part that cannot be read. `start`: when it begins, as far as that is known. */
export class Unreadable extends Error {
	readonly start: Stamp | null;
	constructor(reason: string, start: Stamp | null = null) {
		super(reason);
		this.start = start;
	}
}

type Property = readonly [string, Readonly<Record<string, unknown>>, string, ...unknown[]];

export type Reading = {
	readonly zoneOf: (tzid: string) => CalendarZone | null;
	/** For dates and times without a zone. */
	readonly home: CalendarZone;
};

const propertiesOf = (part: CalendarPart): readonly Property[] => {
	if (!part.isSound) throw new Unreadable('it is garbled, or its beginning or end is missing');
	try {
		const text = [`BEGIN:${part.name}`, ...part.lines, `END:${part.name}`].join('\r\n');
		return (ICAL.parse(text) as unknown as [string, Property[]])[1];
	} catch {
		throw new Unreadable('not iCalendar');
	}
};

const shape = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(Z)?)?$/;

const stampOf = (value: unknown, tzid: unknown, reading: Reading): Stamp => {
	// `DTSTART:20260704` without VALUE=DATE is common, and comes out of the parser with an empty time.
	const parts = typeof value === 'string' ? shape.exec(value.replace(/T::$/, '')) : null;
	if (parts === null) throw new Unreadable('a time is no time');
	const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
		.slice(1, 7)
		.map((part) => Number(part ?? 0));
	const wall = { year, month, day, hour, minute, second: Math.min(second, 59) };
	const plain = utc.toWall(utc.toInstant(wall));
	const isReal = plain.day === day && plain.month === month && hour < 24 && minute < 60;
	if (!isReal || second > 60 || year < 1_900 || year > 2_200) {
		throw new Unreadable('a time is no time');
	}
	const isDate = parts[4] === undefined;
	if (parts[7] === 'Z') return { wall, isDate, zone: utc, at: utc.toInstant(wall) };
	if (isDate || tzid === undefined) {
		return { wall, isDate, zone: reading.home, at: reading.home.toInstant(wall) };
	}
	const zone = typeof tzid === 'string' ? reading.zoneOf(tzid) : null;
	if (zone === null) throw new Unreadable('its time zone is unknown');
	return { wall, isDate, zone, at: zone.toInstant(wall) };
};

const durationShape =
	/^\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?$/;

const lengthOf = (value: unknown): Length => {
	const text = typeof value === 'string' ? value : '';
	const parts = durationShape.exec(text);
	if (parts === null || !/\d/.test(text)) throw new Unreadable('its length is no length');
	const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = parts
		.slice(1)
		.map((part) => Number(part ?? 0));
	return { days: weeks * 7 + days, ms: ((hours * 60 + minutes) * 60 + seconds) * 1_000 };
};

const dayNumber = (wall: WallTime): number => Math.floor(utc.toInstant(wall) / 86_400_000);

const lengthBetween = (start: Stamp, end: Stamp): Length => {
	if (start.isDate !== end.isDate) throw new Unreadable('begins with a date and ends with a time');
	const length = start.isDate
		? { days: dayNumber(end.wall) - dayNumber(start.wall), ms: 0 }
		: { days: 0, ms: end.at - start.at };
	if (length.days < 0 || length.ms < 0) throw new Unreadable('ends before it starts');
	return length;
};

/** When something that starts at a wall time of a zone and lasts so long is over. */
export const endOf = (start: Pick<Stamp, 'wall' | 'zone' | 'at'>, length: Length): Instant => {
	const from =
		length.days === 0 ? start.at : start.zone.toInstant(daysLater(start.wall, length.days));
	return toInstant(from + length.ms);
};

const extraOf = (value: unknown, tzid: unknown, reading: Reading): Extra => {
	if (!Array.isArray(value)) return { start: stampOf(value, tzid, reading), length: null };
	const start = stampOf(value[0], tzid, reading);
	const isLength = typeof value[1] === 'string' && /^[+-]?P/.test(value[1]);
	const length = isLength
		? lengthOf(value[1])
		: lengthBetween(start, stampOf(value[1], tzid, reading));
	return { start, length };
};

type Lookup = {
	readonly all: (name: string) => readonly Property[];
	readonly one: (name: string) => Property | undefined;
};

const lookupOf = (properties: readonly Property[]): Lookup => {
	const all = (name: string): readonly Property[] => properties.filter(([own]) => own === name);
	return {
		all,
		one: (name) => {
			const [first, ...others] = all(name);
			if (others.length > 0) throw new Unreadable(`${name} stands in it more than once`);
			return first;
		}
	};
};

const textIn = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');
const wordOf = (property: Property | undefined): string => textIn(property?.[3]).toUpperCase();

const busyOf = ({ one }: Lookup): BusyKind | null => {
	const status = wordOf(one('status'));
	if (status === 'CANCELLED' || wordOf(one('transp')) === 'TRANSPARENT') return null;
	return status === 'TENTATIVE' ? 'busy-tentative' : 'busy';
};

const spanOf = (found: Lookup, start: Stamp, reading: Reading): Length => {
	const end = found.one('dtend');
	const duration = found.one('duration');
	if (end !== undefined) {
		return lengthBetween(start, stampOf(end[3], end[1]['tzid'], reading));
	}
	if (duration !== undefined) return lengthOf(String(duration[3]));
	return { days: start.isDate ? 1 : 0, ms: 0 };
};

/** All values of all properties of a name, each with its zone. */
const valuesOf = <T>(
	properties: readonly Property[],
	read: (value: unknown, tzid: unknown) => T
): T[] =>
	properties.flatMap(([, parameters, , ...values]) =>
		values.map((value) => read(value, parameters['tzid']))
	);

const rulesOf = ({ all }: Lookup): Rule[] => {
	if (all('exrule').length > 0)
		throw new Unreadable('excepts by a rule, which is no longer allowed');
	return all('rrule').map(([, , , value]) => {
		if (typeof value !== 'object' || value === null) throw new Unreadable('its rule is no rule');
		return value as Rule;
	});
};

const replacedBy = ({ one }: Lookup, reading: Reading): CalendarEvent['replaces'] => {
	const property = one('recurrence-id');
	if (property === undefined) return null;
	const [, parameters, , value] = property;
	const andFuture = textIn(parameters['range']).toUpperCase() === 'THISANDFUTURE';
	return { stamp: stampOf(value, parameters['tzid'], reading), andFuture };
};

/** Throws Unreadable. */
export const readEvent = (part: CalendarPart, reading: Reading): CalendarEvent => {
	const found = lookupOf(propertiesOf(part));
	const begins = found.one('dtstart');
	if (begins === undefined) throw new Unreadable('has no start');
	const start = stampOf(begins[3], begins[1]['tzid'], reading);
	try {
		const sequence = Number(found.one('sequence')?.[3] ?? 0);
		return {
			uid: textIn(found.one('uid')?.[3]) || `without ${part.at}`,
			start,
			rules: rulesOf(found),
			length: spanOf(found, start, reading),
			busy: busyOf(found),
			extras: valuesOf(found.all('rdate'), (value, tzid) => extraOf(value, tzid, reading)),
			exceptions: valuesOf(found.all('exdate'), (value, tzid) => stampOf(value, tzid, reading)),
			replaces: replacedBy(found, reading),
			version: [Number.isFinite(sequence) ? sequence : 0, wordOf(found.one('dtstamp'))]
		};
	} catch (error) {
		if (!(error instanceof Unreadable)) throw error;
		const isSingle = !part.lines.some((line) => /RRULE|RDATE|RECURRENCE-ID/i.test(line));
		throw new Unreadable(error.message, isSingle ? start : null);
	}
};

export type BusySpan = {
	readonly startsAt: Instant;
	readonly endsAt: Instant;
	readonly kind: BusyKind;
};

const busyTypes: Readonly<Record<string, BusyKind | null>> = {
	FREE: null,
	BUSY: 'busy',
	'BUSY-UNAVAILABLE': 'busy-unavailable',
	'BUSY-TENTATIVE': 'busy-tentative'
};

/** The periods of a VFREEBUSY. Throws Unreadable. */
export const readBusyList = (part: CalendarPart, reading: Reading): BusySpan[] => {
	const found = lookupOf(propertiesOf(part));
	return found.all('freebusy').flatMap(([, parameters, , ...periods]) => {
		const type = textIn(parameters['fbtype']).toUpperCase() || 'BUSY';
		const kind = type in busyTypes ? busyTypes[type] : 'busy';
		if (kind === null || kind === undefined) return [];
		return periods.map((period): BusySpan => {
			const { start, length } = extraOf(period, undefined, reading);
			if (length === null) throw new Unreadable('a period has no end');
			return { startsAt: start.at, endsAt: endOf(start, length), kind };
		});
	});
};
