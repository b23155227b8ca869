// What booking and cancelling at a FHIR server share: one exchange, our appointments as the server
// has them now, and a Slot written only at the version that was read.
import type { Instant } from '#domain/time.ts';
import type { SourceSettings } from '#domain/source.ts';
import { callerOf, type Ask, type Caller, type HttpClient } from '../http-client.ts';
import type { Heard, Unheard } from '../http-faults.ts';
import { headerOf } from '../http-headers.ts';
import { parsePiece } from '../ledger.ts';
import { identifierOf, identifierQuery } from './fhir-appointment.ts';
import { baseOf } from './fhir-calendar.ts';
import { isJson, listOf, textOf, type Json } from './fhir-shapes.ts';

export const fhirType = 'application/fhir+json';

export type Session = {
	readonly http: HttpClient;
	readonly caller: Caller;
	readonly base: string;
	readonly signal: AbortSignal;
};

/** Whether the server says that Slots may be written; null = it does not say. */
export type AskWritable = (
	caller: Caller,
	signal: AbortSignal,
	now: Instant
) => Promise<boolean | null>;

export const openSession = (
	http: HttpClient,
	{ source, signal }: { readonly source: SourceSettings; readonly signal: AbortSignal }
): Session => ({
	http,
	caller: callerOf(source),
	base: baseOf(source.url),
	signal
});

export const isSafeId = (id: string): boolean => /^[A-Za-z0-9._-]{1,128}$/.test(id);

export const askFhir = (
	session: Session,
	path: string,
	more: Partial<Ask> = {}
): Promise<Heard | Unheard> =>
	session.http.exchange({
		caller: session.caller,
		url: `${session.base}/${path}`,
		signal: session.signal,
		...more,
		headers: { accept: fhirType, ...more.headers }
	});

export const resourceOf = (heard: Heard): Json | null => {
	const parsed = parsePiece({ bytes: heard.body, start: 0, end: heard.body.length })?.value;
	return isJson(parsed) ? parsed : null;
};

/** The version of a resource, for `If-Match`; null when the server told none. */
export const etagOf = (heard: Heard, resource: Json | null): string | null => {
	const told = headerOf(heard.headers, 'etag');
	if (told !== null) return told;
	const version = isJson(resource?.['meta']) ? textOf(resource['meta']['versionId'], 64) : '';
	return version === '' ? null : `W/"${version}"`;
};

export const isOurs = (appointment: Json, bookingId: string): boolean =>
	listOf(appointment['identifier']).some((each) => each['value'] === identifierOf(bookingId));

type Ours =
	| { readonly ok: true; readonly appointments: readonly Json[] }
	| { readonly ok: false; readonly detail: string };

/** The clinic's appointments under our identifier. It is opaque: it may be in an address. */
export const findOurs = async (session: Session, bookingId: string): Promise<Ours> => {
	const heard = await askFhir(session, `Appointment?${identifierQuery(bookingId)}`, {
		// FHIR servers remember searches for a minute; one from before our attempt would say "absent".
		headers: { 'cache-control': 'no-cache' }
	});
	if (!heard.ok) return { ok: false, detail: heard.detail };
	const bundle = resourceOf(heard);
	if (heard.status !== 200 || bundle?.['resourceType'] !== 'Bundle') {
		return { ok: false, detail: `The clinic could not be asked (${heard.status}).` };
	}
	// A server that ignores the search parameter lists other people's appointments.
	const appointments = listOf(bundle['entry'])
		.map((entry) => entry['resource'])
		.filter(isJson)
		.filter((resource) => resource['resourceType'] === 'Appointment')
		.filter((appointment) => isOurs(appointment, bookingId));
	return { ok: true, appointments };
};

export type HeldSlot = { readonly slot: Json; readonly etag: string };

export const putSlot = (
	session: Session,
	held: HeldSlot,
	status: string
): Promise<Heard | Unheard> =>
	askFhir(session, `Slot/${textOf(held.slot['id'])}`, {
		method: 'PUT',
		headers: { 'content-type': fhirType, 'if-match': held.etag },
		body: JSON.stringify({ ...held.slot, status })
	});

/** Makes a slot free again; best effort, tried twice, never against another version of it. */
export const giveBack = async (session: Session, held: HeldSlot | null): Promise<void> => {
	if (held === null) return;
	for (let tries = 0; tries < 2; tries += 1) {
		const heard = await putSlot(session, held, 'free');
		if (heard.ok && heard.status < 500) return;
	}
};
