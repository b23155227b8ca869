// A clinic's visits as a calendar that its own programs subscribe to. Whoever has the address may read
// it, so that it holds times and practitioners and nothing of patients; a clinic ends it at will.
import { createHash, randomBytes } from 'node:crypto';
import ical, { ICalEventStatus } from 'ical-generator';
import type { ClinicCalendars } from '#domain/api.ts';
import type { BookingState } from '#domain/booking.ts';
import { modalities } from '#domain/codes.ts';
import { ok, refuse } from '#domain/result.ts';
import { MINUTE_MS, SECOND_MS, type Instant } from '#domain/time.ts';
import type { Sql } from '../platform/postgres.ts';
import { readClinicSource } from '../store/clinic.ts';
import {
	endCalendar,
	findCalendar,
	keepCalendar,
	readCalendarSince,
	readCalendarVisits,
	type CalendarVisit
} from '../store/clinic-calendars.ts';
import { eventInZone, zoneBlock } from './calendar-zone.ts';

type Deps = { readonly sql: Sql; readonly publicUrl: string };

/** Unguessable; the address is the only key. */
const TOKEN_BYTES = 32;
const tokenShape = /^[A-Za-z0-9_-]{43}$/;
/** How often programs are asked to look (RFC 7986, 5.7). */
const REFRESH_MS = 15 * MINUTE_MS;

/** TEXT (RFC 5545, 3.3.11): the library escapes it in events, and in a calendar's name does not. */
const asText = (words: string): string =>
	words.replaceAll(/[\\;,]/g, String.raw`\$&`).replaceAll(/\r\n?|\n/g, String.raw`\n`);

const END = 'END:VCALENDAR';

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Not yet certain, or decided on the clinic's own page: tentative. */
const statusOf = (state: BookingState): ICalEventStatus => {
	if (state === 'booked') return ICalEventStatus.CONFIRMED;
	return state === 'cancelled' ? ICalEventStatus.CANCELLED : ICalEventStatus.TENTATIVE;
};

const titleOf = ({ kind, practitionerName }: CalendarVisit): string => {
	const words = modalities.find(({ id }) => id === kind)?.consumerName ?? 'Telehealth visit';
	return `${words} · ${practitionerName}`;
};

const eventOf = (visit: CalendarVisit, consoleUrl: string): string => {
	const event = ical().createEvent({
		id: `${visit.calendarUid}@slotcast`,
		stamp: new Date(visit.changedAt),
		start: new Date(visit.startsAt),
		end: new Date(visit.endsAt),
		summary: titleOf(visit),
		description: 'Booked through Slotcast. Who comes is on the console.',
		url: consoleUrl,
		sequence: visit.sequence,
		status: statusOf(visit.state)
	});
	return eventInZone(event.toString(), visit);
};

type Clinic = { readonly name: string; readonly zone: string };

/**
 * The same visits give the same bytes, so that a program which asks again is told "not modified".
 * `since` stands for a visit where there is none: a calendar has at least one part (RFC 5545, 3.6).
 */
const composeCalendar = (
	{ name, zone }: Clinic,
	visits: readonly CalendarVisit[],
	{ since, consoleUrl }: { readonly since: Instant; readonly consoleUrl: string }
): string => {
	const head = ical({
		name: asText(`${name} · Slotcast`),
		prodId: { company: 'Slotcast', product: 'Clinic', language: 'EN' },
		ttl: REFRESH_MS / SECOND_MS
	}).toString();
	const zones = new Map([[zone, visits[0]?.startsAt ?? since]]);
	for (const visit of visits) if (!zones.has(visit.zone)) zones.set(visit.zone, visit.startsAt);
	const blocks = [...zones].map(([name, at]) => zoneBlock(name, at));
	const events = visits.map((visit) => `${eventOf(visit, consoleUrl).trimEnd()}\r\n`);
	return [head.slice(0, -END.length), ...blocks, ...events, `${END}\r\n`].join('');
};

export const clinicCalendars = ({ sql, publicUrl }: Deps): ClinicCalendars => ({
	since: (source) => readCalendarSince(sql, source),
	make: async (source) => {
		const token = randomBytes(TOKEN_BYTES).toString('base64url');
		await keepCalendar(sql, source, hashOf(token));
		return `${publicUrl}/calendar/${token}.ics`;
	},
	end: async (source) => {
		await endCalendar(sql, source);
	},
	read: async (token) => {
		const found = tokenShape.test(token) ? await findCalendar(sql, hashOf(token)) : null;
		if (found === null) return refuse('calendar_unknown');
		if (found.isEnded) return refuse('calendar_ended');
		const clinic = await readClinicSource(sql, found.source);
		if (clinic === undefined) return refuse('calendar_unknown');
		const visits = await readCalendarVisits(sql, found.source);
		const { madeAt: since } = found;
		return ok(composeCalendar(clinic, visits, { since, consoleUrl: `${publicUrl}/console` }));
	}
});
