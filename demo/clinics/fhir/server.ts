// A simulated FHIR R4 server under /fhir: routes to search, slots, appointments and metadata.
import type { Clinic } from '../clinic.ts';
import type { Ask, Handler, Reply } from '../exchange.ts';
import type { Faults } from '../faults.ts';
import type { FhirProfile } from '../profiles.ts';
import { VISIT_PATH, visitReply } from '../visit.ts';
import { changeAppointment, createAppointment, readOneAppointment } from './appointment-routes.ts';
import { capabilityOf } from './capability.ts';
import type { FhirContext } from './context.ts';
import { createFhirContext, FHIR_PATH } from './context.ts';
import { fhirJson, outcome } from './outcome.ts';
import { isSearchable, search } from './search-routes.ts';
import { readSlot, slotHistory, updateSlot } from './slot-routes.ts';

const bodyTypes = ['application/fhir+json', 'application/json', 'application/json-patch+json'];

const hasFhirBody = (ask: Ask): boolean =>
	bodyTypes.includes((ask.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '');

const readRoute = (context: FhirContext, ask: Ask, base: string, path: string[]): Reply => {
	const [type = '', id, history] = path;
	if (type === 'metadata') {
		return fhirJson(200, capabilityOf(context, base), { etag: `W/"${context.bootId}"` });
	}
	if (id === undefined) return search(context, { ask, base, type, form: '' });
	if (type === 'Slot' && id === '_history') return slotHistory(context, ask, base);
	const current =
		type === 'Slot'
			? readSlot(context, id)
			: type === 'Appointment'
				? readOneAppointment(context, ask, id)
				: readDirectory(context, `${type}/${id}`);
	if (history === undefined || current.headers['etag'] === `W/"${path[3]}"`) return current;
	return outcome(404, 'not-found', 'That version is not kept');
};

const readDirectory = ({ directory }: FhirContext, path: string): Reply => {
	const record = directory.get(path);
	if (record === undefined) return outcome(404, 'not-found', 'No such resource');
	return fhirJson(200, record, {
		etag: 'W/"1"',
		'last-modified': new Date(record.meta?.lastUpdated ?? 0).toUTCString()
	});
};

const writeRoute = (context: FhirContext, ask: Ask, base: string, path: string[]): Reply => {
	const [type = '', id] = path;
	if (ask.method === 'POST' && id === '_search' && isSearchable(type)) {
		return search(context, { ask, base, type, form: ask.body });
	}
	if (!hasFhirBody(ask)) return outcome(415, 'not-supported', 'Send application/fhir+json');
	const key = `${ask.method} ${type}${id === undefined ? '' : '/id'}`;
	if (key === 'POST Appointment') return createAppointment(context, ask);
	if (key === 'PUT Slot/id') return updateSlot(context, ask, id ?? '');
	if (key === 'PUT Appointment/id' || key === 'PATCH Appointment/id') {
		return changeAppointment(context, ask, id ?? '');
	}
	return outcome(405, 'not-supported', 'Not supported here');
};

/** The handler of one clinic's FHIR server. */
export const createFhirHandler = (
	clinic: Clinic,
	profile: FhirProfile,
	faults: Faults
): { handler: Handler; close: () => void } => {
	const context = createFhirContext(clinic, profile, faults);
	const handler: Handler = (ask) => {
		const base = `${ask.url.origin}${FHIR_PATH}`;
		const { pathname } = ask.url;
		if (pathname.startsWith(VISIT_PATH)) {
			return visitReply(clinic, pathname.slice(VISIT_PATH.length));
		}
		if (pathname !== FHIR_PATH && !pathname.startsWith(`${FHIR_PATH}/`)) {
			return outcome(404, 'not-found', 'Nothing here');
		}
		const path = pathname
			.slice(FHIR_PATH.length + 1)
			.split('/')
			.filter(Boolean);
		const subscription = context.subscriptions.handle(ask, path);
		if (subscription !== null) return subscription;
		const isRead = ask.method === 'GET' || ask.method === 'HEAD';
		return isRead ? readRoute(context, ask, base, path) : writeRoute(context, ask, base, path);
	};
	return { handler, close: context.subscriptions.close };
};
