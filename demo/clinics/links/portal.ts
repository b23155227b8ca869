// The clinic's own booking portal: plain HTML forms, no script. It reads `source` and
// `booking-referral`, keeps them through the flow, and books the slot there and then.
import { randomUUID } from 'node:crypto';
import type { Appointment, Clinic } from '../clinic.ts';
import type { Ask, Reply } from '../exchange.ts';
import type { LinksProfile } from '../profiles.ts';
import { joinPath } from '../visit.ts';
import type { Slot } from '../slot-book.ts';
import type { Handoff } from './portal-pages.ts';
import { bookingPage, confirmedPage, messagePage, takenPage } from './portal-pages.ts';

/** How long a visitor of a draft publisher's portal keeps the slot while filling in the form. */
const PORTAL_HOLD_MS = 300_000;
const NEXT_TIMES = 5;
const TEXT_LIMIT = 200;

const html = (status: number, body: string): Reply => ({
	status,
	headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
	body
});

const seeOther = (location: string): Reply => ({
	status: 303,
	headers: { location, 'cache-control': 'no-store' },
	body: ''
});

const readHandoff = (params: URLSearchParams): Handoff => ({
	source: (params.get('source') ?? '').slice(0, TEXT_LIMIT),
	referral: (params.get('booking-referral') ?? '').slice(0, TEXT_LIMIT),
	hold: (params.get('hold') ?? '').slice(0, TEXT_LIMIT)
});

/** The same visitor is known by the referral, else by the token of the form. */
const holderOf = ({ referral, hold }: Handoff): string =>
	referral === '' ? `portal ${hold}` : `referral ${referral}`;

const confirmedPath = (appointment: Appointment): string => `/book/confirmed/${appointment.id}`;

const findByReferral = (clinic: Clinic, slotId: string, referral: string) =>
	referral === ''
		? undefined
		: clinic
				.appointments()
				.find(
					(each) =>
						each.slotId === slotId && each.referral === referral && each.status !== 'cancelled'
				);

const nextTimes = (clinic: Clinic, slot: Slot): Slot[] =>
	clinic.slots
		.sorted()
		.filter(
			(each) =>
				each.practitionerId === slot.practitionerId &&
				each.status === 'free' &&
				each.startAt > clinic.now()
		)
		.slice(0, NEXT_TIMES);

const refusalReply = (clinic: Clinic, slotId: string, handoff: Handoff): Reply => {
	const slot = clinic.slots.get(slotId);
	const { organisation } = clinic;
	if (slot === undefined)
		return html(404, messagePage(organisation, 'Not possible', 'This time is not offered.'));
	if (slot.startAt <= clinic.now()) {
		return html(410, messagePage(organisation, 'Not possible', 'This time has passed.'));
	}
	return html(409, takenPage(organisation, nextTimes(clinic, slot), handoff));
};

const showForm = (clinic: Clinic, profile: LinksProfile, ask: Ask, slotId: string): Reply => {
	const read = readHandoff(ask.url.searchParams);
	const handoff = { ...read, hold: read.hold === '' ? randomUUID() : read.hold };
	const booked = findByReferral(clinic, slotId, handoff.referral);
	if (booked !== undefined) return seeOther(confirmedPath(booked));
	const slot = clinic.slots.get(slotId);
	const mine = slot?.status === 'busy-tentative' && slot.heldBy === holderOf(handoff);
	if (slot === undefined || slot.startAt <= clinic.now() || (slot.status !== 'free' && !mine)) {
		return refusalReply(clinic, slotId, handoff);
	}
	const holds = profile.edition === '2-draft' && slot.capacity === 1 && ask.method === 'GET';
	if (holds) clinic.hold(slotId, holderOf(handoff), PORTAL_HOLD_MS);
	return html(200, bookingPage(clinic.organisation, slot, handoff, ''));
};

const fieldNames = ['patient-name', 'patient-phone', 'patient-email', 'birth-date', 'insurance'];

const readFields = (form: URLSearchParams): Record<string, string> =>
	Object.fromEntries(
		fieldNames.map((name) => [name, (form.get(name) ?? '').trim().slice(0, TEXT_LIMIT)])
	);

const isContactable = (fields: Readonly<Record<string, string>>): boolean =>
	fields['patient-name'] !== '' &&
	(fields['patient-phone'] !== '' || fields['patient-email'] !== '');

const takeForm = (clinic: Clinic, ask: Ask, slotId: string): Reply => {
	const form = new URLSearchParams(ask.body);
	const handoff = readHandoff(form);
	const booked = findByReferral(clinic, slotId, handoff.referral);
	if (booked !== undefined) return seeOther(confirmedPath(booked));
	const fields = readFields(form);
	const slot = clinic.slots.get(slotId);
	if (slot !== undefined && !isContactable(fields)) {
		const problem = 'Please give a name, and a telephone number or an email address.';
		return html(422, bookingPage(clinic.organisation, slot, handoff, problem));
	}
	const made = clinic.book({
		slotId,
		via: 'portal',
		status: 'booked',
		identifiers: [],
		referral: handoff.referral === '' ? null : handoff.referral,
		source: handoff.source === '' ? null : handoff.source,
		content: fields,
		holder: holderOf(handoff)
	});
	return made.ok ? seeOther(confirmedPath(made.value)) : refusalReply(clinic, slotId, handoff);
};

const confirmed = (clinic: Clinic, ask: Ask, id: string, action: string | undefined): Reply => {
	const { organisation } = clinic;
	const found = clinic.appointment(id);
	if (found === undefined)
		return html(404, messagePage(organisation, 'Not possible', 'No such appointment.'));
	if (ask.method === 'POST' && action === 'cancel') {
		clinic.changeAppointment(id, 'cancelled');
		return seeOther(confirmedPath(found));
	}
	return html(200, confirmedPage(organisation, found, joinPath(organisation, found)));
};

/** The portal's handler, for all paths under /book/. */
export const createPortal =
	(clinic: Clinic, profile: LinksProfile) =>
	(ask: Ask): Reply => {
		const [slotId = '', id, action] = ask.url.pathname.split('/').slice(2);
		if (slotId === 'confirmed' && id !== undefined) return confirmed(clinic, ask, id, action);
		if (ask.method === 'POST') return takeForm(clinic, ask, slotId);
		return showForm(clinic, profile, ask, slotId);
	};
