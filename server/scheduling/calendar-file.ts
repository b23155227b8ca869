// The calendar file of a booking (RFC 5545, RFC 7986): neutral words, the clinic's
// zone spelled out, no patient data.
// A calendar on a shared phone or a work computer must not tell what the visit is about.
import ical, { ICalAttendeeStatus, ICalCalendarMethod, ICalEventStatus } from 'ical-generator';
import type { BookingState, BookingView } from '#domain/booking.ts';
import { modalities, type VisitKind } from '#domain/codes.ts';
import { DAY_MS, MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import { offsetChanges, offsetMinutesAt } from '#domain/zone.ts';

const statusFor: Readonly<Record<BookingState, ICalEventStatus>> = {
	confirming: ICalEventStatus.TENTATIVE,
	unconfirmed: ICalEventStatus.TENTATIVE,
	handed_over: ICalEventStatus.TENTATIVE,
	booked: ICalEventStatus.CONFIRMED,
	cancelling: ICalEventStatus.CONFIRMED,
	rejected: ICalEventStatus.CANCELLED,
	cancelled: ICalEventStatus.CANCELLED
};

const featuresOf = (kind: VisitKind): string => {
	const modality = modalities.find((one) => one.id === kind);
	return (modality?.icalConferenceFeatures ?? []).join(',');
};

/** ASCII; the library escapes , and ; as in texts, but a URI has no escapes (RFC 5545, 3.3.13). */
const asUriValue = (url: string): string =>
	(URL.canParse(url) ? new URL(url).href : url).replaceAll(',', '%2C').replaceAll(';', '%3B');

const telUri = (phone: string): string => `tel:${phone.replaceAll(/[^+0-9]/g, '')}`;

/** How to join, as CONFERENCE: the clinic's link, else its telephone for a visit by phone. */
const conferenceOf = (booking: BookingView): [string, string][] => {
	const kind = booking.kind ?? 'video';
	const property = (features: string) => `CONFERENCE;VALUE=URI;FEATURE="${features}"`;
	if (booking.joinUrl !== null) return [[property(featuresOf(kind)), asUriValue(booking.joinUrl)]];
	if (booking.phone === null) return [];
	return [[property(featuresOf('phone')), telUri(booking.phone)]];
};

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
const zoneBlock = (zone: string, at: Instant): string =>
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

/** The library writes UTC only (with a zone it writes the server's wall clock): put right here. */
const inZone = (text: string, { zone, startsAt, endsAt }: BookingView): string => {
	if (isRepeated(startsAt, zone) || isRepeated(endsAt, zone)) return text;
	const timeOf = (at: Instant): string => localText(at, offsetMinutesAt(at, zone));
	return text
		.replace(/^DTSTART:.*$/m, `DTSTART;TZID=${zone}:${timeOf(startsAt)}`)
		.replace(/^DTEND:.*$/m, `DTEND;TZID=${zone}:${timeOf(endsAt)}`)
		.replace('BEGIN:VEVENT', `${zoneBlock(zone, startsAt)}BEGIN:VEVENT`);
};

/** Who asks whom, in a file that is sent by e-mail (iTIP). */
export type Invitation = { readonly organizer: string; readonly attendee: string };

const methodOf = (state: BookingState, invitation: Invitation | null): ICalCalendarMethod => {
	if (state === 'cancelled' || state === 'rejected') return ICalCalendarMethod.CANCEL;
	return invitation === null ? ICalCalendarMethod.PUBLISH : ICalCalendarMethod.REQUEST;
};

/** `text/calendar`, CRLF, lines folded. The same UID and a rising SEQUENCE replace what was there. */
export const makeCalendarFile = (
	booking: BookingView,
	now: Instant,
	invitation: Invitation | null = null
): string => {
	const calendar = ical({
		prodId: { company: 'Slotcast', product: 'Visits', language: 'EN' },
		method: methodOf(booking.state, invitation)
	});
	const people =
		invitation === null
			? {}
			: {
					organizer: { name: 'Slotcast', email: invitation.organizer },
					attendees: [
						{ email: invitation.attendee, rsvp: false, status: ICalAttendeeStatus.ACCEPTED }
					]
				};
	calendar.createEvent({
		id: `${booking.calendarUid}@slotcast`,
		stamp: new Date(now),
		start: new Date(booking.startsAt),
		end: new Date(booking.endsAt),
		summary: 'Telehealth visit',
		sequence: booking.sequence,
		status: statusFor[booking.state],
		x: conferenceOf(booking),
		...people
	});
	return inZone(`${calendar.toString()}\r\n`, booking);
};
