import { expect, test } from 'vitest';
import { toInstant } from '#domain/time.ts';
import { appointmentOf } from '#workers/connectors/providers/fhir-appointment.ts';
import { makeSource } from '../poll-once.ts';

const patientOf = (forWhom?: 'me' | 'child' | 'cared_for') => {
	const made = appointmentOf({
		source: makeSource({ kind: 'fhir-slots' }),
		bookingId: '3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f01',
		sourceSlotId: 's1',
		scheduleKey: 'a',
		startsAt: toInstant(0),
		endsAt: toInstant(1_200_000),
		kind: 'video',
		patient: {
			givenName: 'Rosa',
			familyName: 'Martin',
			bornOn: '2019-05-23',
			phone: '406-555-0134',
			email: null,
			reason: null,
			...(forWhom === undefined ? {} : { forWhom })
		},
		signal: new AbortController().signal
	});
	return (made as { contained: { contact?: unknown }[] }).contained[0];
};

test('[J26] whoever calls for the patient is the patient’s contact', () => {
	const telecom = [{ system: 'phone', value: '406-555-0134' }];
	expect(patientOf('child')?.contact).toEqual([
		{ relationship: [{ text: 'Parent or guardian' }], telecom }
	]);
	expect(patientOf('cared_for')?.contact).toEqual([
		{ relationship: [{ text: 'Caregiver' }], telecom }
	]);
	expect(patientOf('me')).not.toHaveProperty('contact');
	expect(patientOf()).not.toHaveProperty('contact');
});
