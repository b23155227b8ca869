// Books at a FHIR server without special operations: hold the Slot if it can be written, create the
// Appointment once (our identifier makes a repeat harmless), then settle the Slot. An answer that
// was lost is said to be lost: never taken for a no, never repeated blindly.
import { parseOffsetInstant, toInstant } from '#domain/time.ts';
import type { BookingLookup, BookingOrder, BookingOutcome, Connector } from '../connector.ts';
import type { HttpClient } from '../http-client.ts';
import type { Heard } from '../http-faults.ts';
import { headerOf } from '../http-headers.ts';
import { appointmentOf, identifierQuery } from './fhir-appointment.ts';
import {
	askFhir,
	etagOf,
	fhirType,
	findOurs,
	giveBack,
	isSafeId,
	openSession,
	putSlot,
	resourceOf,
	type AskWritable,
	type HeldSlot,
	type Session
} from './fhir-session.ts';
import { codingsOf, extensionsOf, listOf, textOf, webAddressOf, type Json } from './fhir-shapes.ts';

const idOfLocation = (heard: Heard): string =>
	/\/Appointment\/([A-Za-z0-9.-]{1,64})(?:\/|$)/.exec(
		headerOf(heard.headers, 'location') ?? ''
	)?.[1] ?? '';

/** The virtual service's address, told only after booking. */
const joinUrlOf = (appointment: Json): string | null => {
	const urls = extensionsOf(appointment, (url) => /virtualService/i.test(url)).flatMap(
		(extension) => [
			extension['valueUrl'],
			...listOf(extension['extension']).map((part) => part['valueUrl'] ?? part['valueString'])
		]
	);
	return urls.map(webAddressOf).find((url) => url !== null) ?? null;
};

const unconfirmed = (detail: string): BookingOutcome => ({ state: 'unconfirmed', detail });
const rejected = (because: 'slot_taken' | 'clinic_refused'): BookingOutcome => ({
	state: 'rejected',
	because
});

/** What an Appointment of ours says. */
export const lookupOf = (appointment: Json, id: string): BookingLookup => {
	const status = textOf(appointment['status'], 40);
	if (['booked', 'arrived', 'checked-in', 'fulfilled'].includes(status)) {
		return { state: 'booked', appointmentId: id, joinUrl: joinUrlOf(appointment) };
	}
	if (['cancelled', 'entered-in-error', 'noshow'].includes(status)) return { state: 'absent' };
	return { state: 'unknown', detail: 'The clinic has the request and has not accepted it yet.' };
};

/** Asks the clinic whether it has our booking. */
export const findAppointment = async (
	session: Session,
	bookingId: string
): Promise<BookingLookup> => {
	const ours = await findOurs(session, bookingId);
	if (!ours.ok) return { state: 'unknown', detail: ours.detail };
	const found = ours.appointments.map((each) => lookupOf(each, textOf(each['id'])));
	return found.find(({ state }) => state === 'booked') ?? found[0] ?? { state: 'absent' };
};

type Step<T> = { readonly done: BookingOutcome } | { readonly value: T };

/** The slot as an attempt finds it: `isOurs` = tentative, and by all we know for this booking. */
type FoundSlot = { readonly found: HeldSlot | null; readonly isOurs: boolean };

/**
 * Step 1: the slot as it is now. Anything but free is taken, unless it is our own booking, or held
 * tentatively since an attempt of ours whose answer was lost (A27): then the Appointment decides.
 */
const readSlot = async (session: Session, order: BookingOrder): Promise<Step<FoundSlot>> => {
	const heard = await askFhir(session, `Slot/${order.sourceSlotId}`);
	if (!heard.ok) return { done: unconfirmed(heard.detail) };
	if (heard.status === 404 || heard.status === 410) return { done: rejected('slot_taken') };
	if (heard.status === 401 || heard.status === 403) {
		return { value: { found: null, isOurs: false } };
	}
	const slot = resourceOf(heard);
	if (heard.status !== 200 || slot === null) {
		return { done: unconfirmed(`The clinic could not be asked (${heard.status}).`) };
	}
	const startsAt = parseOffsetInstant(textOf(slot['start'], 60))?.at;
	const isOther = order.source.notes.trust !== 'wall' && startsAt !== order.startsAt;
	const isOurs = order.isRepeat === true && slot['status'] === 'busy-tentative' && !isOther;
	if (slot['status'] !== 'free' || isOther) {
		const before = await findAppointment(session, order.bookingId);
		if (before.state === 'booked') return { done: before };
		if (before.state === 'unknown') return { done: unconfirmed(before.detail) };
		if (!isOurs) return { done: rejected('slot_taken') };
	}
	const etag = etagOf(heard, slot);
	return { value: { found: etag === null ? null : { slot, etag }, isOurs } };
};

/** Step 2: busy-tentative, where the server lets us; null = the Appointment alone decides. */
const hold = async (session: Session, free: HeldSlot): Promise<Step<HeldSlot | null>> => {
	const heard = await putSlot(session, free, 'busy-tentative');
	if (!heard.ok) return { done: unconfirmed(heard.detail) };
	if (heard.status === 409 || heard.status === 412) return { done: rejected('slot_taken') };
	if (heard.status === 422) return { done: rejected('clinic_refused') };
	if (heard.status >= 500 || heard.status === 429) {
		return { done: unconfirmed(`The clinic answered with an error (${heard.status}).`) };
	}
	if (heard.status >= 300) return { value: null };
	const slot = resourceOf(heard) ?? free.slot;
	const etag = etagOf(heard, slot);
	return { value: etag === null ? null : { slot, etag } };
};

/** The codes of an OperationOutcome; [] for anything else. */
export const outcomeCodes = (resource: Json | null): string[] =>
	listOf(resource?.['issue']).flatMap((issue) => [
		textOf(issue['code'], 60),
		...codingsOf(issue['details']).map(({ code }) => code ?? '')
	]);

/** What an answer to the POST means. Exported: recorded answers are checked against it. */
export const readCreation = (heard: Heard): BookingOutcome | 'ask_first' => {
	const { status } = heard;
	const resource = resourceOf(heard);
	if (status === 200 || status === 201) {
		if (resource?.['resourceType'] !== 'Appointment') {
			const id = idOfLocation(heard);
			return id === '' ? 'ask_first' : { state: 'booked', appointmentId: id, joinUrl: null };
		}
		const id = textOf(resource['id']) || idOfLocation(heard);
		const found = lookupOf(resource, id);
		if (found.state === 'booked') return found;
		return found.state === 'absent' ? rejected('clinic_refused') : unconfirmed(found.detail);
	}
	if (status === 409 || status === 412) {
		// "Already processed" is no conflict over the slot: it may well be our own first attempt.
		const isRepeat = outcomeCodes(resource).some(
			(code) => code === 'duplicate' || code === 'multiple-matches'
		);
		return isRepeat ? 'ask_first' : rejected('slot_taken');
	}
	if (status === 404 || status === 410) return rejected('slot_taken');
	if (status >= 500 || status === 408 || status === 429 || status < 400) {
		return unconfirmed(`The clinic answered with an error (${status}).`);
	}
	return rejected('clinic_refused');
};

/** Step 3: the Appointment, at most one under our identifier. */
const create = async (session: Session, order: BookingOrder): Promise<BookingOutcome> => {
	const heard = await askFhir(session, 'Appointment', {
		method: 'POST',
		headers: {
			'content-type': fhirType,
			'if-none-exist': identifierQuery(order.bookingId),
			prefer: 'return=representation'
		},
		body: JSON.stringify(appointmentOf(order))
	});
	if (!heard.ok) return unconfirmed(heard.detail);
	const outcome = readCreation(heard);
	// Booked without a word about it: how to join may still be read from the clinic's record.
	const isWordless =
		outcome !== 'ask_first' && outcome.state === 'booked' && heard.body.length === 0;
	if (outcome !== 'ask_first' && !isWordless) return outcome;
	const found = await findAppointment(session, order.bookingId);
	if (outcome !== 'ask_first') return found.state === 'booked' ? found : outcome;
	return found.state === 'booked'
		? found
		: unconfirmed('The clinic says that it has this request.');
};

/** Creates the two writing halves of the connector. */
export const createFhirBooking = (
	http: HttpClient,
	askWritable: AskWritable
): { book: NonNullable<Connector['book']>; findBooking: NonNullable<Connector['findBooking']> } => {
	return {
		findBooking: (order) => findAppointment(openSession(http, order), order.bookingId),
		book: async (order) => {
			const session = openSession(http, order);
			if (!isSafeId(order.sourceSlotId)) return rejected('clinic_refused');
			const read = await readSlot(session, order);
			if ('done' in read) return read.done;
			const { found, isOurs } = read.value;
			let held: HeldSlot | null = null;
			const writable = await askWritable(session.caller, order.signal, toInstant(Date.now()));
			if (found !== null && writable !== false) {
				const holding = isOurs ? { value: found } : await hold(session, found);
				if ('done' in holding) return holding.done;
				held = holding.value;
			}
			const outcome = await create(session, order);
			// A hold that only looks like ours runs out by itself: it may be somebody else's.
			if (outcome.state === 'rejected' && !isOurs) await giveBack(session, held);
			// A server that settles its slot by itself answers 409 or 412 here, which is as good.
			if (outcome.state === 'booked' && held !== null) await putSlot(session, held, 'busy');
			return outcome;
		}
	};
};
