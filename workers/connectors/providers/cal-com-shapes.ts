// What Cal.com's API v2 is asked and answers: versions, addresses, envelopes. Its answers are read
// tolerantly; whatever is missing is said to be missing.
import type { CalEventType, SourceSettings } from '#domain/source.ts';
import { parsePiece } from '../ledger.ts';
import { isJson, textOf, type Json } from './fhir-shapes.ts';

/** The version is a header; without it an older API answers in other shapes. */
export const SLOTS_VERSION = '2024-09-04';
export const BOOKINGS_VERSION = '2024-08-13';

/** `https://api.cal.example` of whatever was configured, with or without `/v2`. */
export const calBaseOf = (url: string): string => {
	const { origin, pathname } = new URL(url);
	return origin + pathname.replace(/\/+$/, '').replace(/\/v2$/, '');
};

export const calHeaders = (version: string, secret: string | null): Record<string, string> => ({
	'cal-api-version': version,
	...(secret !== null && { authorization: `Bearer ${secret}` })
});

export const scheduleKeyOf = ({ id }: Pick<CalEventType, 'id'>): string => `event-type-${id}`;

/** The event type of one of our schedules; null = it is none of this source. */
export const eventTypeOf = (
	scheduleKey: string,
	{ calEventTypes = [] }: SourceSettings['notes']
): CalEventType | null => calEventTypes.find((each) => scheduleKeyOf(each) === scheduleKey) ?? null;

/** `data` of a success envelope, and the envelope; null = it is none. */
export const envelopeOf = (body: Buffer): { readonly data: unknown; readonly all: Json } | null => {
	const parsed = parsePiece({ bytes: body, start: 0, end: body.length })?.value;
	return isJson(parsed) && parsed['status'] === 'success' && 'data' in parsed
		? { data: parsed['data'], all: parsed }
		: null;
};

/** Our booking's name in Cal.com's metadata. */
export const METADATA_KEY = 'slotcastBookingId';

export const bookingIdOf = (booking: Json): string =>
	isJson(booking['metadata']) ? textOf(booking['metadata'][METADATA_KEY], 100) : '';
