// Opening hours as an operator writes them down, and the visits that fit into them. Pure.
import { z } from 'zod';
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant, type Instant } from './time.ts';
import { instantOfWall, wallTimeAt } from './zone.ts';

/** As in RFC 5545 and FHIR `daysOfWeek`, in lower case; Sunday first, as Date counts. */
const weekDays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

const clock = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'not a time like 09:00');

/**
 * Wall-clock hours on some days of the week. `to` at or before `from` is on the next day; `24:00`
 * is the end of the day.
 */
export const OpeningHours = z.strictObject({
	days: z.array(z.enum(weekDays)).min(1).max(7),
	from: clock,
	to: clock
});
export type OpeningHours = z.infer<typeof OpeningHours>;

export type Span = { readonly startsAt: Instant; readonly endsAt: Instant };

const minutesOf = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

/** The instant so many wall-clock minutes after the midnight that begins a day counted in UTC. */
const atWall = (dayMs: number, minutes: number, zone: string): Instant =>
	instantOfWall(wallTimeAt(toInstant(dayMs + minutes * MINUTE_MS), 'UTC'), zone);

const openSpans = (dayMs: number, hours: readonly OpeningHours[], zone: string): Span[] => {
	// 1970-01-01 was a Thursday.
	const day = weekDays[(dayMs / DAY_MS + 4) % 7];
	return hours
		.filter(({ days }) => day !== undefined && days.includes(day))
		.map(({ from, to }) => {
			const start = minutesOf(from);
			const end = minutesOf(to);
			return {
				startsAt: atWall(dayMs, start, zone),
				endsAt: atWall(dayMs, end > start ? end : end + DAY_MS / MINUTE_MS, zone)
			};
		});
};

/**
 * The visits of `lengthMs` that fit into the opening hours and start in [from, to), in order and
 * without overlap. Within one opening they follow each other in real time, so that on the day the
 * clocks change none is lost, doubled or cut.
 */
export const visitsWithin = (
	hours: readonly OpeningHours[],
	zone: string,
	asked: { readonly from: Instant; readonly to: Instant; readonly lengthMs: number }
): Span[] => {
	const { from, to, lengthMs } = asked;
	// A day earlier, for hours past midnight and zones ahead of UTC; a day later for those behind.
	const firstDay = Math.floor((from - 36 * HOUR_MS) / DAY_MS) * DAY_MS;
	const open: Span[] = [];
	for (let day = firstDay; day < to + DAY_MS; day += DAY_MS) {
		open.push(...openSpans(day, hours, zone));
	}
	open.sort((a, b) => a.startsAt - b.startsAt || a.endsAt - b.endsAt);
	const visits: Span[] = [];
	let free = -Infinity;
	for (const { startsAt, endsAt } of open) {
		for (let at = startsAt; at + lengthMs <= endsAt; at = toInstant(at + lengthMs)) {
			if (at < free) continue;
			free = at + lengthMs;
			if (at >= from && at < to) visits.push({ startsAt: at, endsAt: toInstant(free) });
		}
	}
	return visits;
};
