// Appointments over FHIR: conditional create, read, change and cancel. One asker per place of a
// slot wins; the same identifier twice is one appointment.
import type { Appointment, BookRefusal } from '../clinic.ts';
import type { Ask, Reply } from '../exchange.ts';
import { namesEtag } from '../exchange.ts';
import { visitExtensions } from '../visit.ts';
import { isRecord, readAppointment, toFhirAppointment } from './appointment-record.ts';
import type { FhirContext } from './context.ts';
import { FHIR_PATH } from './context.ts';
import type { IssueCode } from './outcome.ts';
import { fhirJson, fhirText, outcome, versionHeaders } from './outcome.ts';
import { appointmentParams } from './params.ts';
import { readSearch } from './search.ts';

/** API clients share one name: the simulated servers ask for no sign-in. */
export const API_HOLDER = 'api';

const bookRefusals: Readonly<Record<BookRefusal, readonly [number, IssueCode, string]>> = {
	slot_taken: [409, 'conflict', 'The slot is not free any more'],
	slot_unknown: [404, 'not-found', 'The slot is not known'],
	slot_past: [422, 'business-rule', 'The slot has begun already']
};

export const parseJson = (text: string): unknown => {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
};

const appointmentReply = (
	{ clinic }: FhirContext,
	ask: Ask,
	status: number,
	each: Appointment
): Reply => {
	const { origin } = ask.url;
	const headers = {
		...versionHeaders(each.version, each.updatedAt),
		...(ask.method === 'POST' && {
			location: `${origin}${FHIR_PATH}/Appointment/${each.id}/_history/${each.version}`
		})
	};
	if ((ask.headers['prefer'] ?? '').includes('return=minimal'))
		return fhirText(status, '', headers);
	const visit = visitExtensions(clinic.organisation, each, origin);
	return fhirJson(status, toFhirAppointment(each, visit), headers);
};

/** The appointments an If-None-Exist query finds, or null when the query cannot be read. */
const findExisting = (context: FhirContext, query: string): Appointment[] | null => {
	const pairs = [...new URLSearchParams(query.replace(/^\?/, ''))];
	const search = readSearch(pairs, appointmentParams, true);
	if (!search.ok || pairs.length === 0) return null;
	return context.clinic
		.appointments()
		.filter((each) => search.value.matches(toFhirAppointment(each)));
};

/** POST Appointment, conditional with If-None-Exist. */
export const createAppointment = (context: FhirContext, ask: Ask): Reply => {
	const posted = readAppointment(parseJson(ask.body));
	if (!posted.ok) {
		const status = posted.reason === 'not_an_appointment' ? 400 : 422;
		return outcome(status, 'invalid', `Appointment refused: ${posted.reason}`);
	}
	const condition = ask.headers['if-none-exist'];
	if (condition !== undefined) {
		const existing = findExisting(context, condition);
		if (existing === null) return outcome(400, 'value', 'If-None-Exist not readable');
		if (existing.length > 1) return outcome(412, 'multiple-matches', 'If-None-Exist is ambiguous');
		if (existing[0] !== undefined) return appointmentReply(context, ask, 200, existing[0]);
	}
	const { startAt, ...value } = posted.value;
	const slot = context.clinic.slots.get(value.slotId);
	if (startAt !== null && slot !== undefined && slot.startAt !== startAt) {
		return outcome(422, 'business-rule', 'The slot begins at another time');
	}
	const booked = context.clinic.book({
		...value,
		via: 'fhir',
		referral: null,
		source: null,
		holder: API_HOLDER
	});
	if (!booked.ok) return outcome(...bookRefusals[booked.reason]);
	const reply = appointmentReply(context, ask, 201, booked.value);
	return context.profile.emptyCreateBody ? { ...reply, body: '' } : reply;
};

/** GET Appointment/[id]. */
export const readOneAppointment = (context: FhirContext, ask: Ask, id: string): Reply => {
	const found = context.clinic.appointment(id);
	if (found === undefined) return outcome(404, 'not-found', 'No such appointment');
	return appointmentReply(context, ask, 200, found);
};

type Move = { status: 'booked' | 'pending' | 'cancelled'; content?: Record<string, unknown> };

const readStatus = (value: unknown): Move['status'] | null =>
	value === 'booked' || value === 'pending' || value === 'cancelled' ? value : null;

/** A JSON Patch that replaces the status, alone or beside a reason for the cancellation. */
const readPatch = (body: unknown): Move | null => {
	if (!Array.isArray(body)) return null;
	const steps = body.filter(isRecord);
	const move = steps.find(({ op, path }) => op === 'replace' && path === '/status');
	const others = steps.filter((step) => step !== move);
	const known = others.every(({ path, op }) => op === 'test' || path === '/cancelationReason');
	const status = readStatus(move?.['value']);
	return status === null || !known ? null : { status };
};

const readPut = (body: unknown, id: string): Move | null => {
	if (!isRecord(body) || body['resourceType'] !== 'Appointment' || body['id'] !== id) return null;
	const status = readStatus(body['status']);
	return status === null ? null : { status, content: body };
};

/** PATCH (JSON Patch) or PUT of an appointment: confirm a pending one, or cancel. */
export const changeAppointment = (context: FhirContext, ask: Ask, id: string): Reply => {
	const { clinic, profile } = context;
	const before = clinic.appointment(id);
	if (before === undefined) return outcome(404, 'not-found', 'No such appointment');
	const isPatch = ask.method === 'PATCH';
	if (isPatch && !(ask.headers['content-type'] ?? '').startsWith('application/json-patch+json')) {
		return outcome(415, 'not-supported', 'PATCH takes application/json-patch+json');
	}
	const condition = ask.headers['if-match'];
	if (condition !== undefined && !namesEtag(condition, `W/"${before.version}"`)) {
		return outcome(profile.staleStatus, 'conflict', 'The appointment has changed meanwhile');
	}
	const body = parseJson(ask.body);
	const move = isPatch ? readPatch(body) : readPut(body, id);
	if (move === null) return outcome(422, 'invalid', 'Only the status may be changed');
	const after = clinic.changeAppointment(id, move.status, move.content);
	if (!after.ok) return outcome(422, 'business-rule', 'A cancelled appointment stays cancelled');
	return appointmentReply(context, ask, 200, after.value);
};
