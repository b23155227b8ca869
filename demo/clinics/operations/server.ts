// A simulated FHIR server whose free time exists only as an answer to `$find`, in the dialect of
// Argonaut, IHE ITI Scheduling or Medplum, with `$hold` and `$book`.
import { z } from 'zod';
import type { Ask, Handler, Reply } from '../exchange.ts';
import { ANA_RUIZ, type Booking, type Office, type Visit, type Who } from '../small/office.ts';
import { bundle, fhir, givenIn, iso, outcome, referenceIn } from './wire.ts';

export type Dialect = 'argonaut' | 'ihe' | 'medplum';
export const OPERATIONS_PATH = '/fhir';

const PAGE = 60;
const HOLD_MS = 300_000;
const SERVICE = 'HealthcareService/visit';
const scheduleOf = ({ ref }: Who): string => `Schedule/${ref}`;
const actorOf = ({ ref, name }: Who): { reference: string; display: string } => ({
	reference: `Practitioner/dr-${ref}`,
	display: name
});

type Hold = { readonly visit: Visit; readonly until: number };

type State = {
	readonly office: Office;
	readonly dialect: Dialect;
	readonly holds: Map<string, Hold>;
	turn: number;
};

const slotOf = ({ who }: Office, visit: Visit, status: string): object => ({
	resourceType: 'Slot',
	id: `slot-${visit.id}`,
	schedule: { reference: scheduleOf(who) },
	status,
	start: iso(visit.startAt),
	end: iso(visit.endAt)
});

/** Ids of proposals are new at every asking, as those of servers that keep none. */
const proposalOf = (state: State, visit: Visit): object => {
	state.turn += 1;
	const isMedplum = state.dialect === 'medplum';
	return {
		resourceType: 'Appointment',
		...(!isMedplum && { id: `p${state.turn}-${visit.id}` }),
		status: 'proposed',
		...(isMedplum && { contained: [slotOf(state.office, visit, 'free')] }),
		serviceType: [{ coding: [{ system: 'http://snomed.info/sct', code: '185389009' }] }],
		start: iso(visit.startAt),
		end: iso(visit.endAt),
		participant: [{ actor: actorOf(state.office.who), status: 'needs-action' }]
	};
};

const dropLapsed = ({ holds, office }: State): void => {
	for (const [id, { visit, until }] of holds) {
		if (until > office.now()) continue;
		if (visit.heldBy === id) visit.heldBy = null;
		holds.delete(id);
	}
};

/** Held times are not offered. */
const find = (state: State, ask: Ask): Reply => {
	const { office, dialect } = state;
	const isNext = ask.url.searchParams.has('from');
	if (dialect === 'ihe' && ask.method !== 'POST' && !isNext) return outcome(405, 'not-supported');
	const given = givenIn(ask);
	const textOf = (name: string): string => String(given?.get(name)?.['valueDateTime'] ?? '');
	const from = Date.parse(textOf('start'));
	const to = Date.parse(textOf('end'));
	if (!(from < to)) return outcome(400, 'invalid');
	const isMedplum = dialect === 'medplum';
	if (isMedplum && to - from > 31 * 86_400_000) return outcome(400, 'invalid');
	const isKnown =
		!isMedplum ||
		(textOf('schedule') === scheduleOf(office.who) && textOf('service-type-reference') === SERVICE);
	if (!isKnown) return outcome(404, 'not-found');
	const isEmpty = ask.fault('empty_answer') !== undefined;
	const open = isEmpty
		? []
		: office.visits().filter((visit) => {
				const isInside = visit.startAt >= from && visit.startAt < to;
				return isInside && visit.isFree && visit.heldBy === null;
			});
	const at = Number(ask.url.searchParams.get('from') ?? 0);
	const some = open.slice(at, at + PAGE).map((visit) => proposalOf(state, visit));
	const more = new URL(ask.url);
	more.searchParams.set('from', String(at + PAGE));
	more.searchParams.set('start', iso(from));
	more.searchParams.set('end', iso(to));
	const next = at + PAGE < open.length ? more.href : null;
	const found = bundle(ask, some, { next, total: open.length });
	return fhir(
		200,
		isMedplum
			? { resourceType: 'Parameters', parameter: [{ name: 'return', resource: found }] }
			: found
	);
};

const Appointment = z.looseObject({
	resourceType: z.literal('Appointment'),
	start: z.string().optional(),
	identifier: z.array(z.object({ value: z.string() })).default([])
});

const visitOf = (state: State, resource: unknown): Visit | undefined => {
	const parsed = Appointment.safeParse(resource);
	return parsed.success ? state.office.at(Date.parse(parsed.data.start ?? '')) : undefined;
};

const hold = (state: State, ask: Ask): Reply => {
	const given = givenIn(ask);
	const reference = z
		.object({ reference: z.string() })
		.safeParse(given?.get('appointment-reference')?.['valueReference']).data?.reference;
	const byId = /^Appointment\/p\d+-(.+)$/.exec(reference ?? '')?.[1];
	const resource =
		given?.get('appt-resource')?.['resource'] ?? given?.get('appointment')?.['resource'];
	const visit =
		byId === undefined
			? visitOf(state, resource)
			: state.office.visits().find(({ id }) => id === byId);
	if (visit === undefined || !visit.isFree || visit.heldBy !== null)
		return outcome(409, 'not-found');
	state.turn += 1;
	const id = `h${state.turn}`;
	visit.heldBy = id;
	state.holds.set(id, { visit, until: state.office.now() + HOLD_MS });
	const pending = { ...proposalOf(state, visit), id, status: 'pending' };
	return fhir(201, {
		resourceType: 'Bundle',
		type: 'transaction-response',
		entry: [{ resource: pending }]
	});
};

const versionOf = ({ status }: Booking): string => (status === 'booked' ? '1' : '2');

const told = (state: State, booking: Booking): object => ({
	...booking.content,
	resourceType: 'Appointment',
	id: booking.id,
	meta: { versionId: versionOf(booking) },
	status: booking.status,
	extension: [
		{
			url: 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.virtualService',
			extension: [{ url: 'address', valueUrl: `https://meet.${state.office.host}/${booking.id}` }]
		}
	]
});

const book = (state: State, ask: Ask): Reply => {
	const given = givenIn(ask);
	const names: Readonly<Record<Dialect, string>> = {
		argonaut: 'appt-resource',
		ihe: 'appointment-resource',
		medplum: 'appointment'
	};
	const resource = given?.get(names[state.dialect])?.['resource'];
	const parsed = Appointment.safeParse(resource);
	const visit = visitOf(state, resource);
	if (!parsed.success) return outcome(400, 'invalid');
	if (state.dialect === 'ihe' && parsed.data['status'] === 'cancelled')
		return cancelled(state, String(parsed.data['id']));
	if (state.dialect === 'ihe' && given?.get('patient-resource') === undefined)
		return outcome(400, 'required');
	const id = typeof parsed.data['id'] === 'string' ? parsed.data['id'] : '';
	const made =
		visit === undefined
			? null
			: state.office.book(visit, id, {
					reference: parsed.data.identifier[0]?.value ?? '',
					content: parsed.data
				});
	if (made === null) return outcome(state.dialect === 'medplum' ? 400 : 409, 'conflict');
	state.holds.delete(id);
	return fhir(201, {
		resourceType: 'Bundle',
		type: 'transaction-response',
		entry: [{ resource: told(state, made) }]
	});
};

const cancelled = (state: State, id: string): Reply => {
	const booking = state.office.bookings().find((each) => each.id === id);
	if (booking === undefined) return outcome(404, 'not-found');
	if (!state.office.cancel(id)) return outcome(409, 'conflict');
	return fhir(200, told(state, booking));
};

const cancel = (state: State, ask: Ask): Reply =>
	cancelled(state, referenceIn(givenIn(ask)).replace('Appointment/', ''));

/** Only that it is cancelled: nothing else of an appointment changes here. */
const put = (state: State, ask: Ask, id: string): Reply => {
	const booking = state.office.bookings().find((each) => each.id === id);
	if (booking === undefined) return outcome(404, 'not-found');
	if (ask.headers['if-match'] !== `W/"${versionOf(booking)}"`) return outcome(412, 'conflict');
	const status = z.object({ status: z.string() }).safeParse(JSON.parse(ask.body)).data?.status;
	return status === 'cancelled' ? cancelled(state, id) : outcome(422, 'business-rule');
};

const search = (state: State, ask: Ask): Reply => {
	const wanted = ask.url.searchParams.get('identifier')?.split('|')[1];
	const ours = state.office.bookings().filter(({ reference }) => reference === wanted);
	return fhir(
		200,
		bundle(
			ask,
			ours.map((each) => told(state, each)),
			{ next: null, total: ours.length }
		)
	);
};

const read = (state: State, id: string): Reply => {
	const booking = state.office.bookings().find((each) => each.id === id);
	return booking === undefined ? outcome(404, 'not-found') : fhir(200, told(state, booking));
};

const route = (state: State, ask: Ask): Reply => {
	const operation = ask.url.pathname.slice(OPERATIONS_PATH.length);
	if (operation === '/Appointment/$find') return find(state, ask);
	if (operation === '/Appointment/$hold' && ask.method === 'POST') return hold(state, ask);
	if (operation === '/Appointment/$book' && ask.method === 'POST') return book(state, ask);
	if (operation === '/Appointment' && ask.method === 'GET') return search(state, ask);
	if (operation === '/Appointment/$cancel' && ask.method === 'POST' && state.dialect === 'medplum')
		return cancel(state, ask);
	const id = /^\/Appointment\/([\w-]+)$/.exec(operation)?.[1];
	if (id !== undefined && ask.method === 'PUT' && state.dialect === 'argonaut')
		return put(state, ask, id);
	if (id !== undefined && ask.method === 'GET') return read(state, id);
	return outcome(404, 'not-supported');
};

/** What an operator notes of this server. */
export const operationsNotes = {
	schedule: scheduleOf(ANA_RUIZ),
	service: SERVICE,
	practitioner: actorOf(ANA_RUIZ).reference
};

/** Creates the server's handler over a practice. */
export const createOperationsHandler =
	(dialect: Dialect) =>
	(office: Office): Handler => {
		const state: State = { office, dialect, holds: new Map(), turn: 0 };
		return (ask) => {
			dropLapsed(state);
			return route(state, ask);
		};
	};
