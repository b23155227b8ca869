// How to join a visit: told only after booking, by the Appointment over FHIR and by the portal's
// page, and led to by the clinic's own small page.
import { must } from '#domain/result.ts';
import type { Appointment, Clinic } from './clinic.ts';
import { modalityOf } from './codes.ts';
import type { Reply } from './exchange.ts';
import { messagePage } from './links/portal-pages.ts';
import type { Extension } from './wire.ts';
import type { Organisation } from './world.ts';

export const VISIT_PATH = '/visit/';

const kindsOf = (org: Organisation, slotId: string) =>
	must(
		org.practitioners.find(({ id }) => slotId.startsWith(`${id}-`)),
		'practitioner of the appointment'
	).visitKinds;

/** The path to join by, or null when the clinic will call or the visit is off. */
export const joinPath = (org: Organisation, appointment: Appointment): string | null => {
	const isOnline = kindsOf(org, appointment.slotId).some((kind) => kind !== 'phone');
	return appointment.status === 'booked' && isOnline ? VISIT_PATH + appointment.id : null;
};

/** R5's Appointment.virtualService, in R4 by the cross-version extension. */
export const visitExtensions = (
	org: Organisation,
	appointment: Appointment,
	origin: string
): Extension[] => {
	const path = joinPath(org, appointment);
	const kind = kindsOf(org, appointment.slotId).find((each) => each !== 'phone');
	if (path === null || kind === undefined) return [];
	return [
		{
			url: 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.virtualService',
			extension: [
				{ url: '_datatype', valueString: 'VirtualServiceDetail' },
				{ url: 'channelType', valueCoding: modalityOf(kind) },
				{ url: 'address', valueUrl: origin + path }
			]
		}
	];
};

/** The page behind a join link. */
export const visitReply = (clinic: Clinic, id: string): Reply => {
	const { organisation } = clinic;
	const found = clinic.appointment(id);
	const isOn = found !== undefined && joinPath(organisation, found) !== null;
	return {
		status: isOn ? 200 : 404,
		headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
		body: isOn
			? messagePage(
					organisation,
					'Your visit',
					'Your visit opens here ten minutes before it begins.'
				)
			: messagePage(organisation, 'Not possible', 'No such visit.')
	};
};
