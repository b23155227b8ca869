// When a calendar says that its owner is busy, inside a window: series worked out, exceptions and
// moved instances applied, versions compared. Pure; never throws.
import { DAY_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import type { Window } from '../ledger.ts';
import {
	endOf,
	readBusyList,
	readEvent,
	Unreadable,
	type BusyKind,
	type BusySpan,
	type CalendarEvent,
	type Length,
	type Reading,
	type Stamp
} from './ical-events.ts';
import type { CalendarPart, CalendarText } from './ical-lines.ts';
import {
	createRuleBudget,
	daysLater,
	expandRule,
	underWatch,
	type RuleBudget
} from './ical-rules.ts';
import { createZones, zoneOfName, type Watch } from './ical-zones.ts';

export type RefusedPart = {
	readonly where: string;
	readonly reason: string;
	/** It may keep busy any time at all: nothing can be called free. */
	readonly isAnywhere: boolean;
};

export type BusyTime = {
	/** In order of start; they may overlap. */
	readonly spans: readonly BusySpan[];
	readonly refused: readonly RefusedPart[];
	/** Events and busy lists in the calendar, whether they matter or not. */
	readonly parts: number;
};

const compactDay = (at: number): string =>
	new Date(at).toISOString().slice(0, 10).replaceAll('-', '');

const dayIn = (part: CalendarPart, name: string): string | null => {
	const line = part.lines.find((each) => each.slice(0, name.length).toUpperCase() === name);
	return line === undefined
		? null
		: (/:(\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?:T\d{6}Z?)?$/.exec(line.trim())?.[1] ??
				null);
};

const uidOf = (part: CalendarPart): string =>
	part.lines.find((line) => /^UID[;:]/i.test(line))?.slice(4) ?? '';

/** Certainly outside the window, by its dates alone: most of an old calendar need not be parsed. */
const isElsewhere = (
	part: CalendarPart,
	window: Window,
	counts: ReadonlyMap<string, number>
): boolean => {
	if (!part.isSound || (counts.get(uidOf(part)) ?? 0) !== 1) return false;
	const hasMore = part.lines.some((line) => /^(RRULE|RDATE|RECURRENCE-ID)/i.test(line));
	const start = dayIn(part, 'DTSTART');
	if (start === null) return false;
	if (start > compactDay(window.to + 2 * DAY_MS)) return !hasMore;
	const end = dayIn(part, 'DTEND');
	if (hasMore || end === null) return false;
	const early = compactDay(window.from - 2 * DAY_MS);
	return start <= end && end < early;
};

type State = {
	readonly window: Window;
	readonly reading: Reading;
	readonly budget: RuleBudget;
	readonly spans: BusySpan[];
	readonly refused: RefusedPart[];
};

/** One time of an event. */
type Instance = {
	readonly start: Pick<Stamp, 'wall' | 'zone' | 'at' | 'isDate'>;
	readonly length: Length;
	readonly busy: BusyKind | null;
};

const keep = (state: State, { start, length, busy }: Instance): void => {
	const endsAt = endOf(start, length);
	const touches = endsAt > state.window.from && start.at < state.window.to;
	if (busy === null || !touches || endsAt <= start.at) return;
	state.spans.push({ startsAt: start.at, endsAt, kind: busy });
};

const dayText = ({ wall }: Pick<Stamp, 'wall'>): string => `${wall.year}-${wall.month}-${wall.day}`;

/** A time of a series as an exception names it: by instant, or by its day. */
const isNamed = (start: Pick<Stamp, 'wall' | 'at'>, by: Stamp): boolean =>
	by.isDate ? dayText(by) === dayText(start) : by.at === start.at;

const lengthMs = ({ days, ms }: Length): number => days * DAY_MS + ms;

/** All times of a series around the window, its own start included. Throws Unreadable. */
const instancesOf = (state: State, event: CalendarEvent): Instance[] => {
	const { start, length, busy } = event;
	const { zone, isDate } = start;
	const found = new Map<number, Instance>([[start.at, { start, length, busy }]]);
	const from = toInstant(state.window.from - lengthMs(length) - DAY_MS);
	for (const rule of event.rules) {
		const asked = { start: start.wall, isDate, zone, from, to: state.window.to };
		const expanded = expandRule(rule, asked, state.budget);
		if (!expanded.ok) throw new Unreadable(expanded.reason);
		for (const wall of expanded.walls) {
			const at = zone.toInstant(wall);
			found.set(at, { start: { wall, zone, at, isDate }, length, busy });
		}
	}
	for (const extra of event.extras) {
		found.set(extra.start.at, { start: extra.start, length: extra.length ?? length, busy });
	}
	return [...found.values()].filter(
		(instance) => !event.exceptions.some((exception) => isNamed(instance.start, exception))
	);
};

/** This and all later times of a series, moved as its changed instance was. */
const movedBy = (instance: Instance, change: CalendarEvent, was: Stamp): Instance => {
	const shift = change.start.at - was.at;
	const days = Math.round(shift / DAY_MS);
	const isWholeDays = shift === days * DAY_MS;
	const { zone, isDate } = instance.start;
	// Whole days keep the wall time across a change of clocks; anything else is real time.
	const at = isWholeDays
		? zone.toInstant(daysLater(instance.start.wall, days))
		: toInstant(instance.start.at + shift);
	return {
		start: { wall: zone.toWall(at), zone, at, isDate },
		length: change.length,
		busy: change.busy
	};
};

const placeSeries = (
	state: State,
	master: CalendarEvent,
	changes: readonly CalendarEvent[]
): void => {
	const ordered = changes.toSorted(
		(a, b) => (a.replaces?.stamp.at ?? 0) - (b.replaces?.stamp.at ?? 0)
	);
	for (const instance of instancesOf(state, master)) {
		const own = ordered.some(
			({ replaces }) => replaces !== null && isNamed(instance.start, replaces.stamp)
		);
		if (own) continue;
		const change = ordered.findLast(
			({ replaces }) => replaces?.andFuture === true && replaces.stamp.at <= instance.start.at
		);
		const was = change?.replaces?.stamp;
		keep(
			state,
			change === undefined || was === undefined ? instance : movedBy(instance, change, was)
		);
	}
};

const isNewer = (a: CalendarEvent, b: CalendarEvent): boolean =>
	a.version[0] === b.version[0] ? a.version[1] >= b.version[1] : a.version[0] > b.version[0];

/** The newest of each instance of a series, by what it replaces. */
const newest = (events: readonly CalendarEvent[]): CalendarEvent[] => {
	const by = new Map<string, CalendarEvent>();
	for (const event of events) {
		const at = event.replaces === null ? '' : `${event.replaces.stamp.at}`;
		const known = by.get(at);
		if (known === undefined || isNewer(event, known)) by.set(at, event);
	}
	return [...by.values()];
};

type Bounds = { readonly window: Window; readonly budget: RuleBudget };

const labelOf = (part: CalendarPart): string => `${part.name} ${part.at}`;

/** The rest of the local day on which something starts; null = not even that can be worked out. */
const restOfDay = (start: Stamp): BusySpan | null => {
	try {
		const midnight = { ...start.wall, hour: 0, minute: 0, second: 0 };
		const endsAt = start.zone.toInstant(daysLater(midnight, 1));
		return { startsAt: start.at, endsAt, kind: 'busy' };
	} catch {
		return null;
	}
};

/** A single event whose end is unknown keeps the rest of its day busy; any other could be anywhere. */
const refuse = (state: State, part: CalendarPart, error: Unreadable): void => {
	const rest = error.start === null ? null : restOfDay(error.start);
	const where = labelOf(part);
	state.refused.push({ where, reason: error.message, isAnywhere: rest === null });
	if (rest === null) return;
	const isInside = rest.endsAt > state.window.from && rest.startsAt < state.window.to;
	if (isInside) state.spans.push(rest);
};

/** Runs `work` on a part; what is wrong with the part is its refusal, not ours. */
const guarded = (state: State, part: CalendarPart, work: () => void): void => {
	try {
		work();
	} catch (error) {
		refuse(state, part, error instanceof Unreadable ? error : new Unreadable('cannot be read'));
	}
};

type Placed = { readonly part: CalendarPart; readonly event: CalendarEvent };

const placeGroup = (state: State, group: readonly Placed[]): void => {
	const events = newest(group.map(({ event }) => event));
	const chosen = group.filter(({ event }) => events.includes(event));
	const changes = events.filter(({ replaces }) => replaces !== null);
	for (const { part, event } of chosen) {
		guarded(state, part, () => {
			if (event.replaces === null) placeSeries(state, event, changes);
			else keep(state, event);
		});
	}
};

const workOut = (text: CalendarText, zone: string, { window, budget }: Bounds): BusyTime => {
	const watch: Watch = (work) => {
		const done = underWatch(budget, () => ({ value: work() }));
		if (done === null) throw new Unreadable('its time zone takes too long to work out');
		return done.value;
	};
	const reading: Reading = {
		home: zoneOfName(zone),
		zoneOf: createZones(text.parts, watch)
	};
	const state: State = { window, reading, budget, spans: [], refused: [] };
	const counts = new Map<string, number>();
	for (const part of text.parts) counts.set(uidOf(part), (counts.get(uidOf(part)) ?? 0) + 1);
	const groups = new Map<string, Placed[]>();
	let parts = 0;
	for (const part of text.parts) {
		if (part.name === 'VTIMEZONE') continue;
		parts += 1;
		if (part.name === 'VFREEBUSY') {
			guarded(state, part, () => void state.spans.push(...readBusyList(part, reading)));
		} else if (!isElsewhere(part, window, counts)) {
			guarded(state, part, () => {
				const event = readEvent(part, reading);
				groups.set(event.uid, [...(groups.get(event.uid) ?? []), { part, event }]);
			});
		}
	}
	for (const group of groups.values()) placeGroup(state, group);
	state.spans.sort((a, b) => a.startsAt - b.startsAt);
	return { spans: state.spans, refused: state.refused, parts };
};

/** What the calendar keeps busy in the window. `zone`: of dates and times that name none. */
export const busyTimeOf = (text: CalendarText, zone: string, window: Window): BusyTime => {
	const budget = createRuleBudget();
	// Only a rule can be endless; and watching each one costs more than the rule, so that this is done
	// only where watching the whole had to stop it.
	const hasRules = text.parts.some(({ lines }) => lines.some((line) => /RRULE/i.test(line)));
	const watched = { window, budget: { ...budget, isWatched: true } };
	const whole = hasRules
		? underWatch(budget, () => workOut(text, zone, watched))
		: workOut(text, zone, watched);
	return whole ?? workOut(text, zone, { window, budget: createRuleBudget() });
};

const intervalShape =
	/^P(?:(\d{1,3})W)?(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?$/;

/** How long the calendar asks us to wait between polls (RFC 7986, and the older X- form), ms. */
export const refreshMsOf = (properties: ReadonlyMap<string, string>): number | null => {
	const text = properties.get('REFRESH-INTERVAL') ?? properties.get('X-PUBLISHED-TTL') ?? '';
	const parts = intervalShape.exec(text);
	if (parts === null) return null;
	const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = parts
		.slice(1)
		.map((part) => Number(part ?? 0));
	const ms = ((weeks * 7 + days) * 24 * 60 + hours * 60 + minutes) * MINUTE_MS + seconds * 1_000;
	return ms === 0 ? null : Math.min(ms, DAY_MS);
};
