// Books a time that `$find` proposed: finds it again, keeps it by `$hold` where the server does,
// and books it by `$book` under our identifier. An answer that was lost is said to be lost.
import type { FhirFind } from '#domain/source.ts';
import type { BookingOrder, BookingOutcome } from '../connector.ts';
import type { Heard, Unheard } from '../http-faults.ts';
import { appointmentOf } from './fhir-appointment.ts';
import { findAppointment, lookupOf, outcomeCodes } from './fhir-booking.ts';
import { askFhir, resourceOf, type Session } from './fhir-session.ts';
import { listOf, textOf, type Json } from './fhir-shapes.ts';
import { askFind } from './find-asking.ts';
import { appointmentsOf, readFound } from './find-reading.ts';

const unconfirmed = (detail: string): BookingOutcome => ({ state: 'unconfirmed', detail });
const rejected = (because: 'slot_taken' | 'clinic_refused'): BookingOutcome => ({
	state: 'rejected',
	because
});

/** "Taken" is said only when it was not taken by ourselves. */
const takenUnlessOurs = async (session: Session, bookingId: string): Promise<BookingOutcome> => {
	const found = await findAppointment(session, bookingId);
	if (found.state === 'booked') return found;
	return found.state === 'unknown' ? unconfirmed(found.detail) : rejected('slot_taken');
};

/** What is offered at one time. */
const MOST_BYTES = 4 * 1_048_576;

type Step<T> = { readonly done: BookingOutcome } | { readonly value: T };

/** Step 1: the proposal as it is offered now; its id may be a new one. */
const findAgain = async (
	session: Session,
	order: BookingOrder,
	find: FhirFind
): Promise<Step<Json>> => {
	const own = order.scheduleKey.startsWith('Schedule/') ? { schedules: [order.scheduleKey] } : {};
	const window = { from: order.startsAt, to: order.endsAt };
	const asked = { window, mostBytes: MOST_BYTES };
	const { answers, fault } = await askFind(session, { ...find, ...own }, asked);
	for (const appointment of answers.flatMap(appointmentsOf)) {
		const bundle = { resourceType: 'Bundle', entry: [{ resource: appointment }] };
		const [one] = readFound([bundle], order.source, []).reads;
		if (one?.read.kind !== 'slot') continue;
		const { fact } = one.read;
		const isIt =
			fact.startsAt === order.startsAt &&
			fact.endsAt === order.endsAt &&
			fact.sourceSlotId === order.sourceSlotId;
		if (isIt) return { value: appointment };
	}
	if (fault !== null) return { done: unconfirmed(fault.detail) };
	return { done: await takenUnlessOurs(session, order.bookingId) };
};

/** `key`: ours, the same for every attempt at one change. */
export const askOperation = (
	session: Session,
	name: string,
	{ parameter, key }: { readonly parameter: readonly object[]; readonly key?: string }
): Promise<Heard | Unheard> =>
	askFhir(session, `Appointment/${name}`, {
		method: 'POST',
		headers: {
			'content-type': 'application/fhir+json',
			...(key !== undefined && { 'idempotency-key': `"${key}"` })
		},
		body: JSON.stringify({ resourceType: 'Parameters', parameter })
	});

const isTrouble = ({ status }: Heard): boolean =>
	status >= 500 || status === 408 || status === 429 || (status >= 300 && status < 400);

/** Codes by which servers say that a time is not to be had any more. */
const goneCodes: ReadonlySet<string> = new Set(['conflict', 'not-found', 'duplicate', 'deleted']);

const isGone = (heard: Heard): boolean => {
	if ([404, 409, 410, 412].includes(heard.status)) return true;
	return outcomeCodes(resourceOf(heard)).some((code) => goneCodes.has(code));
};

const referenceTo = (appointment: Json): { reference: string } => ({
	reference: `Appointment/${textOf(appointment['id'], 64)}`
});

const holdParameters = (proposal: Json, { style }: FhirFind): readonly object[] => {
	if (style === 'ihe')
		return [{ name: 'appointment-reference', valueReference: referenceTo(proposal) }];
	if (style === 'medplum') return [{ name: 'appointment', resource: proposal }];
	return [{ name: 'appt-resource', resource: proposal }];
};

/** Step 2: the time is kept; the proposal, or what it has become. */
const hold = async (
	session: Session,
	order: BookingOrder,
	{ find, proposal }: { find: FhirFind; proposal: Json }
): Promise<Step<Json>> => {
	if (!find.holds) return { value: proposal };
	const heard = await askOperation(session, '$hold', {
		parameter: holdParameters(proposal, find)
	});
	if (!heard.ok) return { done: unconfirmed(heard.detail) };
	// Some say 501 or "not-supported": then the booking alone decides.
	if (outcomeCodes(resourceOf(heard)).includes('not-supported')) return { value: proposal };
	if (isTrouble(heard))
		return { done: unconfirmed(`The clinic answered with an error (${heard.status}).`) };
	const [held] = appointmentsOf(resourceOf(heard));
	if (held !== undefined && held['status'] === 'pending') return { value: held };
	const isRefused = held?.['status'] === 'cancelled' || isGone(heard);
	if (isRefused) return { done: await takenUnlessOurs(session, order.bookingId) };
	return {
		done:
			heard.status < 300
				? unconfirmed('The clinic says neither yes nor no.')
				: rejected('clinic_refused')
	};
};

/** The Appointment to book: what was found, with our identifier and the patient inside. */
const orderedOf = (found: Json, order: BookingOrder, status: string): Json => {
	const ours = appointmentOf(order);
	const { slot: _, ...mine } = ours;
	return {
		...found,
		...mine,
		status,
		contained: [...listOf(found['contained']), ...listOf(ours['contained'])],
		participant: [...listOf(found['participant']), ...listOf(ours['participant'])],
		identifier: [...listOf(found['identifier']), ...listOf(ours['identifier'])]
	};
};

const bookParameters = (
	found: Json,
	order: BookingOrder,
	{ style }: FhirFind
): readonly object[] => {
	const status = textOf(found['status'], 20) || 'proposed';
	if (style === 'medplum')
		return [{ name: 'appointment', resource: orderedOf(found, order, status) }];
	if (style === 'argonaut')
		return [{ name: 'appt-resource', resource: orderedOf(found, order, status) }];
	const [patient] = listOf(appointmentOf(order)['contained']);
	return [
		{ name: 'appointment-resource', resource: orderedOf(found, order, 'pending') },
		{ name: 'patient-resource', resource: patient }
	];
};

/** Step 3: sent once. */
const book = async (
	session: Session,
	order: BookingOrder,
	parameter: readonly object[]
): Promise<BookingOutcome> => {
	const heard = await askOperation(session, '$book', { parameter });
	if (!heard.ok) return unconfirmed(heard.detail);
	if (isTrouble(heard)) return unconfirmed(`The clinic answered with an error (${heard.status}).`);
	const [made] = appointmentsOf(resourceOf(heard));
	if (made !== undefined && heard.status < 300) {
		const found = lookupOf(made, textOf(made['id'], 64));
		if (found.state === 'booked') return found;
		if (found.state === 'unknown') return unconfirmed(found.detail);
		return await takenUnlessOurs(session, order.bookingId);
	}
	if (isGone(heard)) return await takenUnlessOurs(session, order.bookingId);
	if (heard.status >= 400) return rejected('clinic_refused');
	const found = await findAppointment(session, order.bookingId);
	return found.state === 'booked' ? found : unconfirmed('The clinic says neither yes nor no.');
};

/** Books a found time; the outcome in the words of every connector. */
export const bookFound = async (
	session: Session,
	order: BookingOrder,
	find: FhirFind
): Promise<BookingOutcome> => {
	const proposal = await findAgain(session, order, find);
	if ('done' in proposal) return proposal.done;
	const held = await hold(session, order, { find, proposal: proposal.value });
	if ('done' in held) return held.done;
	return await book(session, order, bookParameters(held.value, order, find));
};
