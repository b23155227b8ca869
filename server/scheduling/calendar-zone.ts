// Times of calendar files in the clinic's zone, its rules spelled out (RFC 5545, 3.6.5): no program has
// to know the zone.
import { DAY_MS, MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import { offsetChanges, offsetMinutesAt } from '#domain/zone.ts';

/** 20261130T093000, as a clock in this zone shows it. */
const localText = (at: Instant, offsetMinutes: number): string =>
	new Date(at + offsetMinutes * MINUTE_MS).toISOString().replaceAll(/[-:]|\.\d+Z$/g, '');

const offsetText = (minutes: number): string => {
	const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
	const digits = [hours, rest].map((part) => String(part).padStart(2, '0')).join('');
	return `${minutes < 0 ? '-' : '+'}${digits}`;
};

/** Long enough that the rule in force at the visit, and the next one, are among the changes. */
const AROUND_MS = 400 * DAY_MS;

type Observance = {
	readonly onset: string;
	readonly before: number;
	readonly after: number;
	readonly isSummer: boolean;
};

const observancesOf = (zone: string, at: Instant): Observance[] => {
	const from = Math.floor((at - AROUND_MS) / DAY_MS) * DAY_MS;
	const changes = offsetChanges(zone, toInstant(from), toInstant(from + 2 * AROUND_MS));
	const first = offsetMinutesAt(toInstant(from), zone);
	const lowest = Math.min(first, ...changes.map(({ after }) => after));
	const start = { onset: '19700101T000000', before: first, after: first };
	return [
		start,
		...changes.map(({ at: onset, before, after }) => ({
			onset: localText(onset, before),
			before,
			after
		}))
	].map((each) => ({ ...each, isSummer: each.after > lowest }));
};

/** The zone's rules around a visit, as explicit changes: no program has to know the zone. */
export const zoneBlock = (zone: string, at: Instant): string =>
	[
		'BEGIN:VTIMEZONE',
		`TZID:${zone}`,
		...observancesOf(zone, at).flatMap(({ onset, before, after, isSummer }) => {
			const kind = isSummer ? 'DAYLIGHT' : 'STANDARD';
			return [
				`BEGIN:${kind}`,
				`DTSTART:${onset}`,
				`TZOFFSETFROM:${offsetText(before)}`,
				`TZOFFSETTO:${offsetText(after)}`,
				`END:${kind}`
			];
		}),
		'END:VTIMEZONE',
		''
	].join('\r\n');

/** In the hour that autumn repeats a clock shows nothing certain: then UTC is told. */
const isRepeated = (at: Instant, zone: string): boolean =>
	offsetChanges(zone, toInstant(at - DAY_MS), toInstant(at + DAY_MS)).some(
		(change) =>
			Math.abs(at - change.at + 1) <= (change.before - change.after) * MINUTE_MS &&
			change.after < change.before
	);

type Timed = { readonly zone: string; readonly startsAt: Instant; readonly endsAt: Instant };

/**
 * Puts an event's times into its zone: the library writes UTC only (with a zone it writes the server's
 * wall clock). `text` holds one event.
 */
export const eventInZone = (text: string, { zone, startsAt, endsAt }: Timed): string => {
	if (isRepeated(startsAt, zone) || isRepeated(endsAt, zone)) return text;
	const timeOf = (at: Instant): string => localText(at, offsetMinutesAt(at, zone));
	return text
		.replace(/^DTSTART:.*$/m, `DTSTART;TZID=${zone}:${timeOf(startsAt)}`)
		.replace(/^DTEND:.*$/m, `DTEND;TZID=${zone}:${timeOf(endsAt)}`);
};
