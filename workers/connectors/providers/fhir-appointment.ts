// The Appointment we ask a FHIR server to create, and the identifier we know it by.
import type { BookingOrder } from '../connector.ts';
import type { Json } from './fhir-shapes.ts';

/** Identifiers of ours are URNs: no domain of ours need exist for them to be unique. */
const IDENTIFIER_SYSTEM = 'urn:ietf:rfc:3986';
export const identifierOf = (bookingId: string): string => `urn:uuid:${bookingId}`;
export const identifierQuery = (bookingId: string): string =>
	`identifier=${encodeURIComponent(`${IDENTIFIER_SYSTEM}|${identifierOf(bookingId)}`)}`;

/** Who answers the telephone when the visit is for somebody else (FHIR R4, Patient.contact). */
const contactWords = { child: 'Parent or guardian', cared_for: 'Caregiver' } as const;

const kindWords = { video: 'Video visit', phone: 'Phone call', chat: 'Chat' } as const;

/** The Appointment to create. The patient travels inside it, never in an address. */
export const appointmentOf = (order: BookingOrder): Json => {
	const { patient, kind } = order;
	const { forWhom = 'me' } = patient;
	const telecom = [
		{ system: 'phone', value: patient.phone },
		...(patient.email === null ? [] : [{ system: 'email', value: patient.email }])
	];
	return {
		resourceType: 'Appointment',
		contained: [
			{
				resourceType: 'Patient',
				id: 'patient',
				name: [{ family: patient.familyName, given: [patient.givenName] }],
				telecom,
				birthDate: patient.bornOn,
				...(forWhom !== 'me' && {
					contact: [{ relationship: [{ text: contactWords[forWhom] }], telecom }]
				})
			}
		],
		identifier: [{ system: IDENTIFIER_SYSTEM, value: identifierOf(order.bookingId) }],
		status: 'booked',
		start: new Date(order.startsAt).toISOString(),
		end: new Date(order.endsAt).toISOString(),
		slot: [{ reference: `Slot/${order.sourceSlotId}` }],
		participant: [{ actor: { reference: '#patient' }, status: 'accepted' }],
		...(patient.reason !== null && { reasonCode: [{ text: patient.reason }] }),
		...(kind !== null && { comment: kindWords[kind] })
	};
};
