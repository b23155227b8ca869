// Cancels at a FHIR server: the Appointment is read, and written only at the version that was read,
// so that nothing is sent blindly, however often it is tried. Then its Slot is made free where the
// server leaves that to us, and only if nobody has touched the Slot meanwhile.
import { parseOffsetInstant, toInstant } from '#domain/time.ts';
import type { CancelOrder, CancelOutcome, Connector } from '../connector.ts';
import type { HttpClient } from '../http-client.ts';
import type { Heard, Unheard } from '../http-faults.ts';
import { isJson, textOf, type Json } from './fhir-shapes.ts';
import {
	askFhir,
	etagOf,
	fhirType,
	findOurs,
	giveBack,
	isOurs,
	isSafeId,
	openSession,
	resourceOf,
	type AskWritable,
	type HeldSlot,
	type Session
} from './fhir-session.ts';

const cancelled: CancelOutcome = { state: 'cancelled' };
const refused = (because: 'clinic_refused' | 'too_late' | 'call_clinic'): CancelOutcome => ({
	state: 'refused',
	because
});
const unconfirmed = (detail: string): CancelOutcome => ({ state: 'unconfirmed', detail });

type Known = { readonly appointment: Json; readonly etag: string | null };
type Reading = { readonly done: CancelOutcome } | Known | 'absent';

/** Under our identifier: the one that stands, else any. */
const readByIdentifier = async (session: Session, order: CancelOrder): Promise<Reading> => {
	const ours = await findOurs(session, order.bookingId);
	if (!ours.ok) return { done: unconfirmed(ours.detail) };
	const standing = ours.appointments.find((each) => each['status'] !== 'cancelled');
	const appointment = standing ?? ours.appointments[0];
	if (appointment === undefined) return 'absent';
	const meta = appointment['meta'];
	const version = isJson(meta) ? textOf(meta['versionId'], 64) : '';
	return { appointment, etag: version === '' ? null : `W/"${version}"` };
};

/** The clinic's record as it is now: by its own id, else by our identifier. */
const readAppointment = async (session: Session, order: CancelOrder): Promise<Reading> => {
	const { appointmentId } = order;
	if (appointmentId === null || !isSafeId(appointmentId)) {
		return await readByIdentifier(session, order);
	}
	const heard = await askFhir(session, `Appointment/${appointmentId}`, {
		headers: { 'cache-control': 'no-cache' }
	});
	if (!heard.ok) return { done: unconfirmed(heard.detail) };
	if (heard.status === 410) return 'absent';
	const appointment = heard.status === 200 ? resourceOf(heard) : null;
	// Read-only, renumbered or somebody else's: our identifier decides.
	if (appointment === null || !isOurs(appointment, order.bookingId)) {
		return await readByIdentifier(session, order);
	}
	return { appointment, etag: etagOf(heard, appointment) };
};

/** What the record already says, or null when it is to be cancelled. */
const settledBy = (appointment: Json): CancelOutcome | null => {
	const status = textOf(appointment['status'], 40);
	if (status === 'cancelled' || status === 'entered-in-error') return cancelled;
	if (['fulfilled', 'noshow', 'arrived', 'checked-in'].includes(status)) return refused('too_late');
	return null;
};

export const REASON = {
	coding: [
		{
			system: 'http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason',
			code: 'pat',
			display: 'Patient'
		}
	]
};

/** Sends one attempt; 'again' = the record has another version by now. */
export type SendCancel = (
	session: Session,
	known: Known,
	key: string
) => Promise<CancelOutcome | 'again'>;

/** What an answer to a cancellation means. */
export const meaningOfWrite = (heard: Heard | Unheard): CancelOutcome | 'again' => {
	if (!heard.ok) return unconfirmed(heard.detail);
	const { status } = heard;
	if (status === 409 || status === 412) return 'again';
	if (status >= 200 && status < 300) return cancelled;
	if (status >= 500 || status === 408 || status === 429 || status < 400) {
		return unconfirmed(`The clinic answered with an error (${status}).`);
	}
	// No such method, or none for us: the clinic takes changes in another way.
	return refused([401, 403, 404, 405].includes(status) ? 'call_clinic' : 'clinic_refused');
};

export const putCancelled: SendCancel = async (session, { appointment, etag }, key) =>
	meaningOfWrite(
		await askFhir(session, `Appointment/${textOf(appointment['id'])}`, {
			method: 'PUT',
			headers: {
				'content-type': fhirType,
				'idempotency-key': `"${key}"`,
				...(etag !== null && { 'if-match': etag })
			},
			body: JSON.stringify({ ...appointment, status: 'cancelled', cancelationReason: REASON })
		})
	);

const lastUpdatedOf = (resource: Json): number => {
	const meta = resource['meta'];
	const text = isJson(meta) ? textOf(meta['lastUpdated'], 60) : '';
	return parseOffsetInstant(text)?.at ?? NaN;
};

/** The slot as it is before we write, if it is one that we may have to free; else null. */
const readTaken = async (session: Session, order: CancelOrder): Promise<HeldSlot | null> => {
	if (!isSafeId(order.sourceSlotId)) return null;
	const heard = await askFhir(session, `Slot/${order.sourceSlotId}`);
	const slot = heard.ok && heard.status === 200 ? resourceOf(heard) : null;
	if (!heard.ok || slot === null) return null;
	const etag = etagOf(heard, slot);
	const isTaken = slot['status'] === 'busy' || slot['status'] === 'busy-tentative';
	return isTaken && etag !== null ? { slot, etag } : null;
};

/** A record may move between reading and writing, but not for ever. */
const MAX_READINGS = 3;

/** Reads, then sends; again while the record moves. Never throws for what a server does. */
export const cancelAt = async (
	session: Session,
	order: CancelOrder,
	{ send, canWriteSlots }: { readonly send: SendCancel; readonly canWriteSlots: boolean }
): Promise<CancelOutcome> => {
	for (let reading = 0; reading < MAX_READINGS; reading += 1) {
		const found = await readAppointment(session, order);
		if (found === 'absent') return cancelled;
		if ('done' in found) return found.done;
		const settled = settledBy(found.appointment);
		const taken = canWriteSlots ? await readTaken(session, order) : null;
		if (settled !== null) {
			// An earlier attempt of ours, perhaps cut off before the slot. Untouched since then it is
			// nobody else's; both times are of the clinic's own clock.
			const isLeft =
				taken !== null && lastUpdatedOf(taken.slot) <= lastUpdatedOf(found.appointment);
			if (settled.state === 'cancelled' && isLeft) await giveBack(session, taken);
			return settled;
		}
		const outcome = await send(session, found, order.key);
		if (outcome === 'again') continue;
		// A server that frees its slot by itself has given it another version: it is left alone.
		if (outcome.state === 'cancelled') await giveBack(session, taken);
		return outcome;
	}
	return unconfirmed('The appointment at the clinic is being changed by others.');
};

/** Creates the cancelling part of the connector. */
export const createFhirCancel =
	(http: HttpClient, askWritable: AskWritable): NonNullable<Connector['cancel']> =>
	async (order) => {
		const session = openSession(http, order);
		const writable = await askWritable(session.caller, order.signal, toInstant(Date.now()));
		return await cancelAt(session, order, {
			send: putCancelled,
			canWriteSlots: writable !== false
		});
	};
