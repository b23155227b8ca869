// Cancels at Cal.com: our booking is looked for first, so that nothing is sent blindly, however often
// it is tried.
import type { CancelOrder, CancelOutcome, Connector, SecretOf } from '../connector.ts';
import type { HttpClient } from '../http-client.ts';
import {
	askCal,
	findOurs,
	isOff,
	isTrouble,
	openCalSession,
	type Session
} from './cal-com-session.ts';
import { BOOKINGS_VERSION } from './cal-com-shapes.ts';
import { textOf } from './fhir-shapes.ts';

const cancelled: CancelOutcome = { state: 'cancelled' };
const refused = (because: 'clinic_refused' | 'call_clinic'): CancelOutcome => ({
	state: 'refused',
	because
});
const unconfirmed = (detail: string): CancelOutcome => ({ state: 'unconfirmed', detail });

const cancelAt = async (session: Session, { bookingId }: CancelOrder): Promise<CancelOutcome> => {
	const ours = await findOurs(session, bookingId);
	if (ours.state === 'unknown') return unconfirmed(ours.detail);
	if (ours.state === 'absent' || isOff(ours.booking)) return cancelled;
	const uid = textOf(ours.booking['uid'], 100);
	if (!/^[A-Za-z0-9_-]+$/.test(uid)) return refused('call_clinic');
	const heard = await askCal(session, `bookings/${uid}/cancel`, {
		version: BOOKINGS_VERSION,
		method: 'POST',
		body: JSON.stringify({ cancellationReason: 'The patient cancelled.' })
	});
	if (!heard.ok) return unconfirmed(heard.detail);
	if (isTrouble(heard)) return unconfirmed(`The clinic answered with an error (${heard.status}).`);
	if (heard.status < 300) return cancelled;
	// Not ours to change, or not by this way: the clinic takes changes in another one.
	return refused([401, 403, 404, 405].includes(heard.status) ? 'call_clinic' : 'clinic_refused');
};

/** Creates the cancelling part of the connector. */
export const createCalComCancel = (
	http: HttpClient,
	secretOf: SecretOf
): NonNullable<Connector['cancel']> => {
	return async (order) => {
		const session = await openCalSession({ http, secretOf }, order);
		return session === null ? refused('call_clinic') : await cancelAt(session, order);
	};
};
