// The times of a recurring event inside a window, through ical.js, in wall time. A rule written to
// keep us busy is cut short: by its frequency, by steps, and at the last by a watchdog.
import { createContext, Script } from 'node:vm';
import ICAL from 'ical.js';
import { DAY_MS, toInstant, type Instant } from '#domain/time.ts';
import type { WallTime } from '#domain/zone.ts';
import { utc, type CalendarZone } from './ical-zones.ts';

/** What all rules of one calendar together may still cost. */
export type RuleBudget = {
	steps: number;
	/** Rules that may still be stopped by the watchdog; then no more rules are followed. */
	stops: number;
	/** Somebody further out watches already. */
	isWatched: boolean;
};

export const createRuleBudget = (): RuleBudget => ({ steps: 20_000, stops: 3, isWatched: false });

/** Steps of one rule, from its start or, where it can be moved, from the window's. */
const MAX_STEPS = 2_000;
const WATCHDOG_MS = 1_000;

const watched = new Script('work()');
/** Made once: a context costs a millisecond. */
const room: { work: () => void } = { work: () => {} };
const context = createContext(room);

/** Runs what may never end; null when the watchdog stopped it. */
export const underWatch = <T>(budget: RuleBudget, work: () => T): T | null => {
	if (budget.isWatched) return work();
	if (budget.stops <= 0) return null;
	let result: T | null = null;
	try {
		room.work = () => {
			result = work();
		};
		watched.runInContext(context, { timeout: WATCHDOG_MS });
		return result;
	} catch (error) {
		// Made in the context, so it is no Error of ours.
		const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : '';
		const isStopped = code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
		if (!isStopped) throw error;
		budget.stops -= 1;
		return null;
	}
};

export type Rule = Readonly<Record<string, unknown>>;

export type Expansion =
	| { readonly ok: true; readonly walls: readonly WallTime[] }
	| { readonly ok: false; readonly reason: string };

const refused = (reason: string): Expansion => ({ ok: false, reason });

const frequencies = ['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'];

/** Days between two steps of a rule that may be moved without changing it; 0 = it may not. */
const strideDays = (rule: Rule): number => {
	if ('count' in rule) return 0;
	const interval = typeof rule['interval'] === 'number' ? rule['interval'] : 1;
	if (rule['freq'] === 'DAILY') return interval;
	return rule['freq'] === 'WEEKLY' ? interval * 7 : 0;
};

const wallMs = (wall: WallTime): number => utc.toInstant(wall);

/** The wall time, later by whole days. */
export const daysLater = (wall: WallTime, days: number): WallTime =>
	days === 0 ? wall : utc.toWall(toInstant(wallMs(wall) + days * DAY_MS));

const timeOf = (wall: WallTime, isDate: boolean): ICAL.Time =>
	isDate
		? ICAL.Time.fromData({ year: wall.year, month: wall.month, day: wall.day, isDate: true })
		: ICAL.Time.fromData({ ...wall, isDate: false });

const wallOf = (time: ICAL.Time): WallTime => ({
	year: time.year,
	month: time.month,
	day: time.day,
	hour: time.isDate ? 0 : time.hour,
	minute: time.isDate ? 0 : time.minute,
	second: time.isDate ? 0 : time.second
});

/** UNTIL in the event's own wall time, as ical.js compares it; null = it is no time. */
const untilOf = (value: unknown, zone: CalendarZone, isDate: boolean): string | null => {
	const text = typeof value === 'string' ? value : '';
	const parts = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(Z)?)?$/.exec(text);
	if (parts === null) return null;
	const [, date = '', time, isUtc] = parts;
	if (isDate) return date;
	if (time === undefined) return `${date}T23:59:59`;
	if (isUtc === undefined) return text;
	const at = Date.parse(text);
	if (Number.isNaN(at)) return null;
	const wall = zone.toWall(toInstant(at));
	return timeOf(wall, false).toString();
};

export type Recurring = {
	readonly start: WallTime;
	readonly isDate: boolean;
	readonly zone: CalendarZone;
	/** Wall times in [from, to) are wanted. */
	readonly from: Instant;
	readonly to: Instant;
};

const moved = (rule: Rule, event: Recurring): WallTime => {
	const stride = strideDays(rule);
	// Two days earlier: `from` is an instant, and this counts wall time.
	const behind = event.from - 2 * DAY_MS - wallMs(event.start);
	if (stride === 0 || behind <= 0) return event.start;
	return daysLater(event.start, Math.floor(behind / (stride * DAY_MS)) * stride);
};

const follow = (rule: Rule, event: Recurring, budget: RuleBudget): Expansion => {
	const iterator = ICAL.Recur.fromData(rule).iterator(timeOf(moved(rule, event), event.isDate));
	const walls: WallTime[] = [];
	const last = event.to + 2 * DAY_MS;
	for (let steps = 0; ; steps += 1) {
		if (steps >= MAX_STEPS || budget.steps <= 0)
			return refused('repeats more often than we follow');
		budget.steps -= 1;
		const next = iterator.next() as ICAL.Time | null | undefined;
		if (next === null || next === undefined) return { ok: true, walls };
		const wall = wallOf(next);
		const at = wallMs(wall);
		if (at >= last) return { ok: true, walls };
		if (at >= event.from - 2 * DAY_MS) walls.push(wall);
	}
};

/** The wall times of one RRULE (as jCal tells it) around a window; the start not included. */
export const expandRule = (rule: Rule, event: Recurring, budget: RuleBudget): Expansion => {
	const freq = typeof rule['freq'] === 'string' ? rule['freq'] : '';
	if (!frequencies.includes(freq)) return refused('repeats by the hour or faster, or not at all');
	const until = 'until' in rule ? untilOf(rule['until'], event.zone, event.isDate) : undefined;
	if (until === null) return refused('the end of the rule is no time');
	try {
		const plain = { ...rule, ...(until !== undefined && { until }) };
		const found = underWatch(budget, () => follow(plain, event, budget));
		return found ?? refused('the rule takes too long to work out');
	} catch {
		return refused('the rule cannot be read');
	}
};
