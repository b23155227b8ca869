// The calendar file of a booking (RFC 5545, RFC 7986): neutral words, the clinic's
// zone spelled out, no patient data.
// A calendar on a shared phone or a work computer must not tell what the visit is about.
import ical, { ICalAttendeeStatus, ICalCalendarMethod, ICalEventStatus } from 'ical-generator';
import type { BookingState, BookingView } from '#domain/booking.ts';
import { modalities, type VisitKind } from '#domain/codes.ts';
import type { Instant } from '#domain/time.ts';
import { eventInZone, zoneBlock } from './calendar-zone.ts';

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

/**
 * How to join, as CONFERENCE (RFC 7986, 5.11): what the clinic gave for it, a link or a number to
 * dial in. Its front desk's telephone is no way to join: programs would offer to dial it as one.
 */
const conferenceOf = (booking: BookingView): [string, string][] => {
	const { joinUrl } = booking;
	if (joinUrl === null) return [];
	const kind = joinUrl.startsWith('tel:') ? 'phone' : (booking.kind ?? 'video');
	// A list of parameter values: in quotation marks it would be one value.
	return [[`CONFERENCE;VALUE=URI;FEATURE=${featuresOf(kind)}`, asUriValue(joinUrl)]];
};

/** Whom to call when something goes wrong, as CONTACT (RFC 5545, 3.8.4.2): the clinic's telephone. */
const contactOf = ({ phone }: BookingView): [string, string][] =>
	phone === null ? [] : [['CONTACT', phone]];

/** Who waits for whom, where it is not plain from a link. */
const descriptionOf = ({ kind, joinUrl }: BookingView): string | null =>
	kind === 'phone' && joinUrl === null ? 'The clinic calls you on the number you gave.' : null;

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
		description: descriptionOf(booking),
		x: [...conferenceOf(booking), ...contactOf(booking)],
		...people
	});
	const { zone, startsAt } = booking;
	return eventInZone(`${calendar.toString()}\r\n`, booking).replace(
		'BEGIN:VEVENT',
		`${zoneBlock(zone, startsAt)}BEGIN:VEVENT`
	);
};
