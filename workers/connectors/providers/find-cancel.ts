// Cancels at a FHIR server with scheduling operations: Medplum by `$cancel`, IHE by `$book` of an
// Appointment that is cancelled, Argonaut by writing the Appointment at the version that was read.
import type { FhirFind } from '#domain/source.ts';
import type { HttpClient } from '../http-client.ts';
import type { Connector } from '../connector.ts';
import { cancelAt, meaningOfWrite, putCancelled, REASON, type SendCancel } from './fhir-cancel.ts';
import { openSession } from './fhir-session.ts';
import { textOf } from './fhir-shapes.ts';
import { askOperation } from './find-booking.ts';

const byCancel: SendCancel = async (session, { appointment }, key) => {
	const reference = `Appointment/${textOf(appointment['id'], 64)}`;
	const parameter = [{ name: 'appointment-reference', valueReference: { reference } }];
	return meaningOfWrite(await askOperation(session, '$cancel', { parameter, key }));
};

const byBook: SendCancel = async (session, { appointment }, key) => {
	const resource = { ...appointment, status: 'cancelled', cancelationReason: REASON };
	const parameter = [{ name: 'appointment-resource', resource }];
	return meaningOfWrite(await askOperation(session, '$book', { parameter, key }));
};

const ways: Readonly<Record<FhirFind['style'], SendCancel>> = {
	medplum: byCancel,
	ihe: byBook,
	argonaut: putCancelled
};

/** Creates the cancelling part of the connector. Its servers free their time by themselves. */
export const createFindCancel =
	(http: HttpClient): NonNullable<Connector['cancel']> =>
	async (order) => {
		const { find } = order.source.notes;
		if (find === undefined) return { state: 'refused', because: 'call_clinic' };
		return await cancelAt(openSession(http, order), order, {
			send: ways[find.style],
			canWriteSlots: false
		});
	};
