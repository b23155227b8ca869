// What booking and cancelling at Cal.com share: one exchange, and our booking as the server has it
// now, found by our id in its metadata.
import type { SourceSettings } from '#domain/source.ts';
import type { SecretOf } from '../connector.ts';
import { callerOf, type Ask, type Caller, type HttpClient } from '../http-client.ts';
import type { Heard, Unheard } from '../http-faults.ts';
import {
	bookingIdOf,
	BOOKINGS_VERSION,
	calBaseOf,
	calHeaders,
	envelopeOf
} from './cal-com-shapes.ts';
import { isJson, listOf, textOf, type Json } from './fhir-shapes.ts';

export type Session = {
	readonly http: HttpClient;
	readonly caller: Caller;
	readonly secret: string;
	readonly signal: AbortSignal;
};

export const askCal = (
	{ http, caller, secret, signal }: Session,
	path: string,
	{ version, ...more }: Partial<Ask> & { version: string }
): Promise<Heard | Unheard> =>
	http.exchange({
		caller,
		url: `${calBaseOf(caller.url)}/v2/${path}`,
		signal,
		...more,
		headers: {
			accept: 'application/json',
			...(more.body !== undefined && { 'content-type': 'application/json' }),
			...calHeaders(version, secret),
			...more.headers
		}
	});

/** null = the hub has no key of the clinic. */
export const openCalSession = async (
	parts: { readonly http: HttpClient; readonly secretOf: SecretOf },
	{ source, signal }: { readonly source: SourceSettings; readonly signal: AbortSignal }
): Promise<Session | null> => {
	const secret = await parts.secretOf(source.key);
	return secret === null ? null : { http: parts.http, caller: callerOf(source), secret, signal };
};

/** No answer to a write that says anything. */
export const isTrouble = ({ status }: Heard): boolean =>
	status >= 500 ||
	status === 408 ||
	status === 429 ||
	status < 200 ||
	(status >= 300 && status < 400);

/** Cancelled, or never accepted. */
export const isOff = (booking: Json): boolean =>
	['cancelled', 'rejected'].includes(textOf(booking['status'], 40));

export type Ours =
	| { readonly state: 'found'; readonly booking: Json }
	| { readonly state: 'absent' }
	| { readonly state: 'unknown'; readonly detail: string };

const PAGE = 100;
/** Newest first: a booking of ours is among the last ones made. */
const MAX_PAGES = 10;

/** Looks for our id among the bookings. Nothing of a patient is in the address. */
export const findOurs = async (session: Session, bookingId: string): Promise<Ours> => {
	for (let page = 0; page < MAX_PAGES; page += 1) {
		const path = `bookings?sortCreated=desc&take=${PAGE}&skip=${page * PAGE}`;
		const headers = { 'cache-control': 'no-cache' };
		const heard = await askCal(session, path, { version: BOOKINGS_VERSION, headers });
		if (!heard.ok) return { state: 'unknown', detail: heard.detail };
		const envelope = heard.status === 200 ? envelopeOf(heard.body) : null;
		if (envelope === null || !Array.isArray(envelope.data)) {
			return { state: 'unknown', detail: `The clinic could not be asked (${heard.status}).` };
		}
		const ours = listOf(envelope.data).filter((booking) => bookingIdOf(booking) === bookingId);
		const booking = ours.find((each) => !isOff(each)) ?? ours[0];
		if (booking !== undefined) return { state: 'found', booking };
		const paging = envelope.all['pagination'];
		const hasMore = isJson(paging) ? paging['hasNextPage'] === true : envelope.data.length === PAGE;
		if (!hasMore) return { state: 'absent' };
	}
	return { state: 'unknown', detail: 'The clinic has more bookings than can be looked through.' };
};
