// Books at Cal.com: reserve the time, create the booking with our id in its metadata, give the
// kept time back. A lost answer is said to be lost; our id in the list of bookings settles it.
import type {
	BookingLookup,
	BookingOrder,
	BookingOutcome,
	Connector,
	SecretOf
} from '../connector.ts';
import type { HttpClient } from '../http-client.ts';
import type { Heard } from '../http-faults.ts';
import {
	askCal,
	findOurs,
	isOff,
	isTrouble,
	openCalSession,
	type Session
} from './cal-com-session.ts';
import {
	BOOKINGS_VERSION,
	envelopeOf,
	eventTypeOf,
	METADATA_KEY,
	SLOTS_VERSION
} from './cal-com-shapes.ts';
import { isJson, listOf, textOf, webAddressOf, type Json } from './fhir-shapes.ts';

const unconfirmed = (detail: string): BookingOutcome => ({ state: 'unconfirmed', detail });
const rejected = (because: 'slot_taken' | 'clinic_refused'): BookingOutcome => ({
	state: 'rejected',
	because
});

const joinUrlOf = (booking: Json): string | null =>
	webAddressOf(booking['meetingUrl']) ?? webAddressOf(booking['location']);

const lookupOf = (booking: Json): BookingLookup => {
	const status = textOf(booking['status'], 40);
	const appointmentId = textOf(booking['uid'], 100);
	if (status === 'accepted' && appointmentId !== '') {
		return { state: 'booked', appointmentId, joinUrl: joinUrlOf(booking) };
	}
	if (isOff(booking)) return { state: 'absent' };
	return { state: 'unknown', detail: 'The clinic has the request and has not accepted it yet.' };
};

/** Whether the clinic has our booking. */
const find = async (session: Session, bookingId: string): Promise<BookingLookup> => {
	const ours = await findOurs(session, bookingId);
	return ours.state === 'found' ? lookupOf(ours.booking) : ours;
};

type Step<T> = { readonly done: BookingOutcome } | { readonly value: T };

const isTaken = ({ status }: Heard): boolean => status === 409 || status === 422;
/** "Taken" is said only when it was not taken by ourselves. */
const takenUnlessOurs = async (session: Session, bookingId: string): Promise<BookingOutcome> => {
	const found = await find(session, bookingId);
	if (found.state === 'booked') return found;
	return found.state === 'unknown' ? unconfirmed(found.detail) : rejected('slot_taken');
};

/** Step 1: the time is kept for a few minutes; null = keeping is not for us, book at once. */
const reserve = async (
	session: Session,
	order: BookingOrder,
	eventTypeId: number
): Promise<Step<string | null>> => {
	const heard = await askCal(session, 'slots/reservations', {
		version: SLOTS_VERSION,
		method: 'POST',
		body: JSON.stringify({ eventTypeId, slotStart: new Date(order.startsAt).toISOString() })
	});
	if (!heard.ok) return { done: unconfirmed(heard.detail) };
	if (isTrouble(heard)) {
		return { done: unconfirmed(`The clinic answered with an error (${heard.status}).`) };
	}
	if (isTaken(heard)) {
		// A73: an earlier attempt of ours may have reserved it; then the booking itself decides.
		if (order.isRepeat === true) return { value: null };
		return { done: await takenUnlessOurs(session, order.bookingId) };
	}
	const data = heard.status < 300 ? envelopeOf(heard.body)?.data : undefined;
	const uid = isJson(data) ? textOf(data['reservationUid'], 100) : '';
	return { value: /^[A-Za-z0-9-]+$/.test(uid) ? uid : null };
};

/** Best effort: what was kept runs out by itself. */
const release = async (session: Session, uid: string | null): Promise<void> => {
	if (uid === null) return;
	await askCal(session, `slots/reservations/${uid}`, { version: SLOTS_VERSION, method: 'DELETE' });
};

const bodyOf = (order: BookingOrder, eventTypeId: number): string => {
	const { patient, source } = order;
	return JSON.stringify({
		start: new Date(order.startsAt).toISOString(),
		eventTypeId,
		attendee: {
			name: `${patient.givenName} ${patient.familyName}`,
			timeZone: source.notes.zone ?? 'UTC',
			phoneNumber: patient.phone,
			...(patient.email !== null && { email: patient.email })
		},
		metadata: { [METADATA_KEY]: order.bookingId },
		...(patient.reason !== null && { bookingFieldsResponses: { notes: patient.reason } })
	});
};

/** Step 2: the booking, at most one: there is no idempotency key, so nothing is ever sent twice. */
const create = async (
	session: Session,
	order: BookingOrder,
	eventTypeId: number
): Promise<BookingOutcome> => {
	const heard = await askCal(session, 'bookings', {
		version: BOOKINGS_VERSION,
		method: 'POST',
		body: bodyOf(order, eventTypeId)
	});
	if (!heard.ok) return unconfirmed(heard.detail);
	if (isTrouble(heard)) return unconfirmed(`The clinic answered with an error (${heard.status}).`);
	if (isTaken(heard)) return await takenUnlessOurs(session, order.bookingId);
	if (heard.status >= 400) return rejected('clinic_refused');
	const data = envelopeOf(heard.body)?.data;
	const [booking] = listOf(data);
	const found = booking === undefined ? await find(session, order.bookingId) : lookupOf(booking);
	if (found.state === 'booked') return found;
	if (found.state === 'unknown') return unconfirmed(found.detail);
	return booking === undefined
		? unconfirmed('The clinic says neither yes nor no.')
		: rejected('clinic_refused');
};

/** Creates the two writing halves of the connector. */
export const createCalComBooking = (
	http: HttpClient,
	secretOf: SecretOf
): { book: NonNullable<Connector['book']>; findBooking: NonNullable<Connector['findBooking']> } => {
	const parts = { http, secretOf };
	return {
		findBooking: async (order) => {
			const session = await openCalSession(parts, order);
			if (session === null)
				return { state: 'unknown', detail: 'The hub has no key of the clinic.' };
			return await find(session, order.bookingId);
		},
		book: async (order) => {
			const session = await openCalSession(parts, order);
			const type = eventTypeOf(order.scheduleKey, order.source.notes);
			// Without a key bookings cannot be read back, and a lost answer would stay lost.
			if (session === null || type === null) return rejected('clinic_refused');
			const reserved = await reserve(session, order, type.id);
			if ('done' in reserved) return reserved.done;
			const outcome = await create(session, order, type.id);
			// While it is unclear the time stays kept: nobody else should get the time meanwhile.
			if (outcome.state !== 'unconfirmed') await release(session, reserved.value);
			return outcome;
		}
	};
};
