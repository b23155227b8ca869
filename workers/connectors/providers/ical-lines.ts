// Cuts an iCalendar text into its events, busy lists and zones without understanding them, and
// drops whatever does not tell when somebody is busy: titles, places and guests are never parsed.

export type CalendarPart = {
	readonly name: 'VEVENT' | 'VFREEBUSY' | 'VTIMEZONE';
	/** Which one of its kind, from 1. */
	readonly at: number;
	/** Unfolded property lines; of a VTIMEZONE all, with the lines around its rules. */
	readonly lines: readonly string[];
	/** It begins, ends, and no line of it is garbled where a time could stand. */
	readonly isSound: boolean;
};

export type CalendarText = {
	readonly parts: readonly CalendarPart[];
	/** Properties of the calendar itself, by name; the first of each. */
	readonly properties: ReadonlyMap<string, string>;
	/** It is a calendar, and its end is there. */
	readonly isWhole: boolean;
};

const wanted: ReadonlySet<string> = new Set([
	'UID',
	'DTSTART',
	'DTEND',
	'DURATION',
	'RRULE',
	'RDATE',
	'EXDATE',
	'EXRULE',
	'RECURRENCE-ID',
	'TRANSP',
	'STATUS',
	'SEQUENCE',
	'DTSTAMP',
	'FREEBUSY'
]);

/** More parts than this are not read. */
export const MAX_PARTS = 20_000;
/** A longer line is no date. */
const MAX_LINE = 200_000;

const nameOf = (line: string): string => /^([A-Za-z0-9-]{1,40})[;:]/.exec(line)?.[1] ?? '';

const isPartName = (name: string): name is CalendarPart['name'] =>
	name === 'VEVENT' || name === 'VFREEBUSY' || name === 'VTIMEZONE';

type Open = {
	name: CalendarPart['name'];
	lines: string[];
	inner: string[];
	isGarbled: boolean;
};

type Cutting = {
	readonly parts: CalendarPart[];
	readonly properties: Map<string, string>;
	readonly counts: Record<CalendarPart['name'], number>;
	open: Open | null;
	/** Components around the part, or beside it, that are of no interest. */
	depth: number;
	ended: boolean;
};

const close = (state: Cutting, isSound: boolean): void => {
	const { open } = state;
	if (open === null) return;
	state.counts[open.name] += 1;
	const { name, lines } = open;
	state.parts.push({ name, lines, at: state.counts[name], isSound: isSound && !open.isGarbled });
	state.open = null;
};

const begin = (state: Cutting, name: string): void => {
	if (isPartName(name)) {
		// A second one begins before the first ended: the end of the first was lost.
		close(state, false);
		state.open = { name, lines: [], inner: [], isGarbled: false };
	} else if (name === 'VCALENDAR') {
		close(state, false);
		state.ended = false;
		state.depth += 1;
	} else if (state.open === null) return;
	else {
		state.open.inner.push(name);
		if (state.open.name === 'VTIMEZONE') state.open.lines.push(`BEGIN:${name}`);
	}
};

const end = (state: Cutting, name: string): void => {
	const { open } = state;
	if (name === 'VCALENDAR') {
		close(state, false);
		state.depth -= 1;
		state.ended = state.depth === 0;
	} else if (open !== null && open.name === name) close(state, open.inner.length === 0);
	else if (isPartName(name)) {
		// It ends and did not begin: the beginning was lost, and with it whatever it said.
		begin(state, name);
		close(state, false);
	} else if (open !== null && open.inner.at(-1) === name) {
		open.inner.pop();
		if (open.name === 'VTIMEZONE') open.lines.push(`END:${name}`);
	}
};

const times = 'DTSTART|DTEND|DURATION|RRULE|RDATE|EXDATE|RECURRENCE-ID|FREEBUSY';
/** A line that is no property, and could have been one that matters. */
// oxlint-disable-next-line no-control-regex
const garbled = new RegExp(String.raw`[\u0000-\u0008\u000B-\u001F]|${times}`, 'i');
/** Two lines in one: the break between them was lost, and with it what the second one says. */
const twoInOne = new RegExp(String.raw`[^;:].*(?:${times})[;:]`, 'i');
const twoInOneText = new RegExp(String.raw`[\u0000-\u0008\u000B-\u001F].*(?:${times})[;:]`, 'i');

const isGarbled = (line: string, name: string): boolean => {
	if (name === '') return garbled.test(line);
	const rest = line.slice(name.length);
	// Titles and notes may well speak of a duration.
	return (wanted.has(name) ? twoInOne : twoInOneText).test(rest);
};

const property = (state: Cutting, line: string): void => {
	const name = nameOf(line).toUpperCase();
	if (state.open?.inner.length === 0 && state.open.name !== 'VTIMEZONE' && isGarbled(line, name)) {
		state.open.isGarbled = true;
	}
	const { open, properties } = state;
	if (open === null) {
		if (name !== '' && !properties.has(name) && properties.size < 100) {
			properties.set(name, line.slice(line.indexOf(':') + 1).trim());
		}
	} else if (open.name === 'VTIMEZONE') {
		if (name !== '') open.lines.push(line);
	} else if (open.inner.length === 0 && wanted.has(name)) open.lines.push(line);
};

/** Never throws; what is no calendar comes back as not whole. */
export const cutCalendar = (body: Buffer): CalendarText => {
	const state: Cutting = {
		parts: [],
		properties: new Map(),
		counts: { VEVENT: 0, VFREEBUSY: 0, VTIMEZONE: 0 },
		open: null,
		depth: 0,
		ended: false
	};
	const text = body.toString('utf8').replace(/^\uFEFF/, '');
	const lines = text.replace(/\r?\n[ \t]/g, '').split(/\r\n|\n|\r/);
	for (const line of lines) {
		if (state.parts.length > MAX_PARTS) break;
		if (line.length > MAX_LINE) continue;
		const edge = /^(BEGIN|END):([A-Z-]{1,40})\s*$/i.exec(line);
		const name = edge?.[2]?.toUpperCase() ?? '';
		if (edge === null) property(state, line);
		else if (edge[1]?.toUpperCase() === 'BEGIN') begin(state, name);
		else end(state, name);
	}
	const isWhole = state.ended && state.open === null && state.parts.length <= MAX_PARTS;
	return { parts: state.parts, properties: state.properties, isWhole };
};
