// Times as vendors write them: with an offset, without one, as counts of seconds, with the date and
// the time of day apart. A time that is none, or that the clocks skip, is refused.
import type { TimeRule } from '#domain/mapping.ts';
import { DAY_MS, MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import { instantOfWall, offsetMinutesAt, wallTimeAt, type WallTime } from '#domain/zone.ts';
import { valueAt, type Scope } from './mapped-paths.ts';
import { readWhen } from './slot-facts.ts';

export type MappedTime =
	| { readonly ok: true; readonly at: Instant; readonly isOffsetWrong: boolean }
	| { readonly ok: false; readonly reason: string };

/** A rule as it is read; nothing of it is changed. */
type Rule = Pick<TimeRule, 'as' | 'order'> & { readonly at: string | readonly [string, string] };

export type TimeContext = {
	/** Of the schedule; null = nobody knows. */
	readonly zone: string | null;
	/** A2: believe the wall clock, repair the offset. */
	readonly trustsWall: boolean;
};

const refused = (reason: string): MappedTime => ({ ok: false, reason });
const at = (instant: number, isOffsetWrong = false): MappedTime => ({
	ok: true,
	at: toInstant(instant),
	isOffsetWrong
});

const dateShape = /^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})$/;
const clockShape = /^(\d{1,2})(?::(\d{2}))?(?::(\d{2})(?:\.\d{1,9})?)?\s*([ap])?\.?m?\.?$/i;

const orders = { ymd: [0, 1, 2], mdy: [2, 0, 1], dmy: [2, 1, 0] } as const;

type Clock = { readonly hour: number; readonly minute: number; readonly second: number };

const clockOf = (text: string): Clock | null => {
	const parts = clockShape.exec(text);
	if (parts === null || (parts[2] === undefined && parts[4] === undefined)) return null;
	const [, hours = '', minutes = '0', seconds = '0', half] = parts;
	let hour = Number(hours);
	const [minute, second] = [Number(minutes), Number(seconds)];
	if (half !== undefined) {
		if (hour < 1 || hour > 12) return null;
		hour = (hour % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
	}
	const isMidnight = hour === 24 && minute === 0 && second === 0;
	if ((hour > 23 && !isMidnight) || minute > 59 || second > 59) return null;
	return { hour, minute, second };
};

/** The wall time of a date and a time of day; null when there is no such day or time. */
const wallOf = (text: string, order: TimeRule['order']): WallTime | null => {
	// An offset at the end is not believed here: that is what the rule says.
	const bare = text.trim().replace(/(?<=\d)\s*(?:Z|[+-]\d{2}:?\d{2})$/, '');
	const [date = '', ...rest] = bare.split(/[T\s]+/);
	const parts = dateShape.exec(date);
	const clock = clockOf(rest.join(' '));
	if (parts === null || clock === null) return null;
	const fields = [parts[1], parts[2], parts[3]].map(Number);
	const [year = 0, month = 0, day = 0] = orders[order].map((place) => fields[place]);
	if (year < 1_900 || year > 2_200 || month < 1 || month > 12) return null;
	const midnight = Date.UTC(year, month - 1, day);
	if (new Date(midnight).getUTCDate() !== day) return null;
	if (clock.hour < 24) return { year, month, day, ...clock };
	return { ...wallTimeAt(toInstant(midnight + DAY_MS), 'UTC') };
};

const atWall = (text: string, rule: Pick<Rule, 'order'>, zone: string | null): MappedTime => {
	if (zone === null) return refused('is a wall time, and nobody knows in which zone');
	const wall = wallOf(text, rule.order);
	if (wall === null) return refused('is no date and time');
	const instant = instantOfWall(wall, zone);
	// In spring an hour does not exist; whoever offers it means something else.
	const shown = instant + offsetMinutesAt(instant, zone) * MINUTE_MS;
	const { year, month, day, hour, minute, second } = wall;
	if (shown !== Date.UTC(year, month - 1, day, hour, minute, second)) {
		return refused('is a time that the clocks skip');
	}
	return at(instant);
};

/** Years 2000 to 2200: a count outside is in other units than the mapping says. */
const isPlausible = (ms: number): boolean => ms >= 946_684_800_000 && ms <= 7_258_118_400_000;

const atCount = (value: unknown, factor: number): MappedTime => {
	const count = typeof value === 'string' && /^\d{1,14}$/.test(value) ? Number(value) : value;
	if (typeof count !== 'number' || !Number.isFinite(count)) return refused('is no count of time');
	const ms = Math.floor(count * factor);
	return isPlausible(ms) ? at(ms) : refused('is a count of time in other units');
};

/** Seconds left out are common, and harmless. */
const withSeconds = (text: string): string =>
	text
		.replace(/^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?=Z|[+-]\d)/, '$1T$2:00')
		.replace(/^(\S{10}) /, '$1T');

/** Reads the time of a record. */
export const timeBy = (scope: Scope, rule: Rule, context: TimeContext): MappedTime => {
	const paths = typeof rule.at === 'string' ? [rule.at] : rule.at;
	const values = paths.map((path) => valueAt(scope, path));
	if (values.some((value) => value === undefined || value === '')) return refused('is missing');
	if (rule.as === 'epoch-ms') return atCount(values[0], 1);
	if (rule.as === 'epoch-seconds') return atCount(values[0], 1_000);
	const text = values.join(' ').slice(0, 100);
	if (rule.as === 'wall') return atWall(text, rule, context.zone);
	if (rule.as === 'utc') return atWall(text, rule, 'UTC');
	const candidates = context.zone === null ? [] : [context.zone];
	const when = readWhen(withSeconds(text), { candidates, trustsWall: context.trustsWall });
	return when === null ? refused('is no instant') : at(when.at, when.isOffsetWrong);
};
