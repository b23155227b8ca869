// Turns a held place into a booking: hold, claim, patient, booking, audit, idempotency and log
// entries in one transaction, or nothing of them.
import type { ConfirmBooking } from '#domain/commands.ts';
import type { BookingState } from '#domain/booking.ts';
import type { BookingId, DeviceKey, PatientId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import { logClinicBooking } from './booking-log.ts';
import {
	keepClaim,
	lockHold,
	makeBooking,
	yieldToSource,
	type BookingRequest,
	type HeldRow
} from './make-booking.ts';
import { actAs, insertPatient } from './patients.ts';
import { hasMostVisits, printsOf } from './person-limit.ts';
import { findRequest, keepRequest, lockDevice } from './requests.ts';

export type ConfirmRequest = {
	readonly device: DeviceKey;
	readonly command: ConfirmBooking;
	/** Ids for what is to be made; unused when the request is a repeat. */
	readonly bookingId: BookingId;
	readonly patientId: PatientId;
	/** Visits to come that one person may have. */
	readonly maxVisits: number;
} & Pick<BookingRequest, 'linkOf' | 'handOverMs'>;

export type Confirmed = {
	readonly bookingId: BookingId;
	/** `confirming` = the clinic must be asked; anything else is settled or handed over. */
	readonly state: BookingState;
	readonly entries: readonly RoomEntry<unknown>[];
};

/** What the request asked, for comparing with a repeat; kept only as a keyed digest. */
const textOf = ({ holdId, kind, patient }: ConfirmBooking): string =>
	JSON.stringify([holdId, kind, patient]);

const confirmNow = async (
	tx: Tx,
	phi: PhiCipher,
	asked: ConfirmRequest & { readonly person: string },
	hold: HeldRow
): Promise<Confirmed | null> => {
	const { command, ...more } = asked;
	const { device, bookingId, patientId } = more;
	const request = {
		...more,
		holdId: command.holdId,
		kind: command.kind,
		hasEmail: command.patient.email !== null,
		replaces: null
	};
	const place = await keepClaim(tx, hold, request);
	if (place === undefined) return null;
	await yieldToSource(tx, hold.slotId);
	await insertPatient(tx, phi, { id: patientId, device, details: command.patient });
	const state = await makeBooking(tx, request, hold, place);
	const fingerprint = phi.fingerprint(textOf(command));
	await keepRequest(tx, device, command.requestId, { fingerprint, reply: { id: bookingId } });
	const slots = state === 'rejected' ? [hold.slotId] : [];
	const entries = await logClinicBooking(tx, bookingId, { slots, endedHold: true });
	return { bookingId, state, entries };
};

/**
 * K2: only a live hold, by its own device, under its own fence. Repeated under the same request id
 * or for the same hold, it answers with the booking that was made.
 */
export const confirmHold = (
	sql: Sql,
	phi: PhiCipher,
	asked: ConfirmRequest
): Promise<Result<Confirmed, 'hold_unknown' | 'hold_expired' | 'visit_limit' | 'request_reused'>> =>
	sql.begin(async (tx) => {
		await actAs(tx, `device:${asked.device}`);
		await lockDevice(tx, asked.device);
		const before = await findRequest(tx, asked.device, asked.command.requestId);
		if (before !== null && !phi.matches(before.fingerprint, textOf(asked.command))) {
			return refuse('request_reused');
		}
		const hold = await lockHold(tx, { device: asked.device, holdId: asked.command.holdId });
		if (hold === undefined) return refuse('hold_unknown');
		if (hold.bookingId !== null && hold.bookingState !== null) {
			return ok({ bookingId: hold.bookingId, state: hold.bookingState, entries: [] });
		}
		if (hold.state === 'expired' || (hold.state === 'held' && hold.isOver)) {
			return refuse('hold_expired');
		}
		if (hold.state !== 'held') return refuse('hold_unknown');
		const person = printsOf(phi, asked.command.patient);
		if (await hasMostVisits(tx, person, asked.maxVisits)) return refuse('visit_limit');
		const confirmed = await confirmNow(tx, phi, { ...asked, person: person.print }, hold);
		return confirmed === null ? refuse('hold_expired') : ok(confirmed);
	});
