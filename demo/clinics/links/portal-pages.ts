// The portal's pages as HTML text. Everything that came from outside is escaped.
import { must } from '#domain/result.ts';
import type { Appointment } from '../clinic.ts';
import { escapeHtml } from '../exchange.ts';
import { fullName } from '../people.ts';
import type { Slot } from '../slot-book.ts';
import type { Organisation } from '../world.ts';

/** What the portal keeps through the flow. */
export type Handoff = {
	/** Who sent the patient. */
	source: string;
	/** The sender's opaque handle. */
	referral: string;
	/** The form's own token for the slot it keeps. */
	hold: string;
};

const style =
	'body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}' +
	'label{display:block;margin-top:1rem}input{font:inherit;width:100%;padding:.5rem;box-sizing:border-box}' +
	'button{font:inherit;margin-top:1.5rem;padding:.6rem 1.2rem}.problem{border-left:4px solid;padding-left:1rem}';

const page = (org: Organisation, title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)} - ${escapeHtml(org.profile.name)}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>${style}</style></head>
<body><header><p>${escapeHtml(org.profile.name)}</p></header><main><h1>${escapeHtml(title)}</h1>
${body}</main></body></html>`;

const whoAndWhen = (org: Organisation, slot: Pick<Slot, 'practitionerId' | 'startAt'>): string => {
	const person = must(
		org.practitioners.find(({ id }) => id === slot.practitionerId),
		'practitioner'
	);
	const when = new Intl.DateTimeFormat('en-US', {
		dateStyle: 'full',
		timeStyle: 'long',
		timeZone: person.timeZone
	}).format(slot.startAt);
	const at = new Date(slot.startAt).toISOString();
	return `<p>${escapeHtml(fullName(person.name))}<br><time datetime="${at}">${escapeHtml(when)}</time></p>`;
};

const hidden = (name: string, value: string): string =>
	`<input type="hidden" name="${name}" value="${escapeHtml(value)}">`;

const field = (name: string, label: string, type: string, more = ''): string =>
	`<label for="${name}">${label}</label><input id="${name}" name="${name}" type="${type}"${more}>`;

/** The form that books; `problem` is what to mend, or empty. */
export const bookingPage = (
	org: Organisation,
	slot: Slot,
	handoff: Handoff,
	problem: string
): string =>
	page(
		org,
		'Book this visit',
		`${whoAndWhen(org, slot)}
${problem === '' ? '' : `<p class="problem" role="alert">${escapeHtml(problem)}</p>`}
<form method="post" action="/book/${slot.id}">
${hidden('source', handoff.source)}${hidden('booking-referral', handoff.referral)}${hidden('hold', handoff.hold)}
${field('patient-name', 'Name', 'text', ' autocomplete="name" required')}
${field('patient-phone', 'Telephone (or email below)', 'tel', ' autocomplete="tel"')}
${field('patient-email', 'Email', 'email', ' autocomplete="email"')}
${field('birth-date', 'Date of birth (optional)', 'date', ' autocomplete="bday"')}
${field('insurance', 'Insurance (optional)', 'text')}
<button>Book</button>
</form>`
	);

/**
 * The page after booking; its address is the proof, it holds the clinic's appointment id. `join` is
 * the path to join by, null when the clinic calls.
 */
export const confirmedPage = (
	org: Organisation,
	appointment: Appointment,
	join: string | null
): string => {
	const isCancelled = appointment.status === 'cancelled';
	const practitionerId = appointment.slotId.slice(0, appointment.slotId.lastIndexOf('-'));
	return page(
		org,
		isCancelled ? 'Your visit is cancelled' : 'Your visit is booked',
		`${whoAndWhen(org, { practitionerId, startAt: appointment.startAt })}
<p>Confirmation <data id="confirmation" value="${appointment.id}">${appointment.id.slice(0, 8).toUpperCase()}</data>
(<span id="appointment-status">${appointment.status}</span>)</p>
${
	isCancelled
		? ''
		: `<p>${join === null ? 'We will call you.' : `<a id="join" href="${join}">Join your visit here</a>`}</p>
<form method="post" action="/book/confirmed/${appointment.id}/cancel"><button>Cancel this visit</button></form>`
}`
	);
};

/** Somebody else was faster: the next free times of the same clinician. */
export const takenPage = (org: Organisation, next: readonly Slot[], handoff: Handoff): string => {
	const query = new URLSearchParams({
		source: handoff.source,
		'booking-referral': handoff.referral
	});
	const link = (slot: Slot): string =>
		`<li><a href="/book/${slot.id}?${escapeHtml(query.toString())}">Choose</a> ${whoAndWhen(org, slot)}</li>`;
	const list =
		next.length === 0 ? '<p>No other times now.</p>' : `<ul>${next.map(link).join('')}</ul>`;
	return page(
		org,
		'This time is taken',
		`<p>Someone else has booked it. The next free times:</p>${list}`
	);
};

export const messagePage = (org: Organisation, title: string, message: string): string =>
	page(org, title, `<p>${escapeHtml(message)}</p>`);
