// GET [base]/[type]?…: searches of slots, directory and appointments, with paging, includes and an
// ETag for every page.
import { createHash } from 'node:crypto';
import { must } from '#domain/result.ts';
import type { Ask, Reply } from '../exchange.ts';
import { scheduleId } from '../records.ts';
import type { Slot } from '../slot-book.ts';
import type { Distortion } from '../slot-record.ts';
import { distortionOf, isDistorted, publishedId } from '../slot-record.ts';
import { visitExtensions } from '../visit.ts';
import { toFhirAppointment } from './appointment-record.ts';
import type { FhirContext } from './context.ts';
import { directoryItem, includedItems } from './includes.ts';
import { fhirText, outcome } from './outcome.ts';
import type { Item } from './pages.ts';
import { readCount, readToken, writePage } from './pages.ts';
import type { WireResource } from './params.ts';
import { appointmentParams, directoryParams } from './params.ts';
import type { Query, Search, SearchParams } from './search.ts';
import { readSearch } from './search.ts';

type Place = { type: string; query: Query; after: string; strict: boolean };
type Found = { applied: Query; items: readonly Item[] };

/** What a search request names besides its URL. */
export type SearchRequest = {
	ask: Ask;
	base: string;
	/** Empty for the next page, whose token names the type. */
	type: string;
	/** Parameters that came as a posted form. */
	form: string;
};

const KEPT_QUERIES = 8;
const right: Distortion = { wrongOffset: false, repeatedIds: false };

const slotItem = (context: FhirContext, slot: Slot, wrong: Distortion): Item => ({
	key: `${String(slot.startAt).padStart(15, '0')}/${slot.id}`,
	path: `Slot/${publishedId(context.clinic.organisation, slot, wrong)}`,
	text: () => context.texts(slot, wrong),
	resource: { schedule: { reference: `Schedule/${scheduleId(slot.practitionerId)}` } }
});

/** The busy slots are missing where only free ones are listed. */
const listedSlots = ({ clinic, profile }: FhirContext): readonly Slot[] =>
	profile.listsOnlyFree
		? clinic.slots.sorted().filter((slot) => slot.status === 'free')
		: clinic.slots.sorted();

const compile = <T>(place: Place, params: SearchParams<T>): Search<T> | Reply => {
	const search = readSearch(place.query, params, place.strict);
	if (search.ok) return search.value;
	const name = String(search.details?.['name']).slice(0, 40);
	const code = search.reason === 'parameter_unknown' ? 'not-supported' : 'value';
	return outcome(400, code, `Search parameter ${name}`);
};

/** The items of the last few queries, so that the pages of one listing are searched for once. */
const keptItems = (context: FhirContext, key: string, find: () => readonly Item[]) => {
	const revision = context.clinic.slots.revision();
	const known = context.listings.get(key);
	if (known?.revision === revision) return known.items;
	const items = find();
	context.listings.delete(key);
	context.listings.set(key, { revision, items });
	const oldest = context.listings.keys().next().value;
	if (context.listings.size > KEPT_QUERIES && oldest !== undefined) context.listings.delete(oldest);
	return items;
};

const findSlots = (context: FhirContext, place: Place, wrong: Distortion): Found | Reply => {
	const search = compile(place, context.slotParams);
	if ('status' in search) return search;
	const find = (): Item[] =>
		listedSlots(context)
			.filter(search.matches)
			.map((slot) => slotItem(context, slot, wrong));
	const key = JSON.stringify(search.applied);
	const items = isDistorted(wrong) ? find() : keptItems(context, key, find);
	return { applied: search.applied, items };
};

const findAppointments = ({ clinic }: FhirContext, place: Place, origin: string): Found | Reply => {
	const search = compile<WireResource>(place, appointmentParams);
	if ('status' in search) return search;
	const items = clinic
		.appointments()
		.map((each) => toFhirAppointment(each, visitExtensions(clinic.organisation, each, origin)))
		.filter(search.matches)
		.map((resource) => {
			const path = `Appointment/${resource.id}`;
			return { key: path, path, text: () => JSON.stringify(resource), resource };
		});
	return { applied: search.applied, items: items.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
};

const findDirectory = ({ directory }: FhirContext, place: Place): Found | Reply => {
	const params = must(directoryParams[place.type], 'search parameters');
	const search = compile(place, params);
	if ('status' in search) return search;
	const items = [...directory]
		.filter(([, record]) => record.resourceType === place.type && search.matches(record))
		.map(([path, record]) => directoryItem(path, record));
	return { applied: search.applied, items: items.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
};

const readPlace = ({ ask, type, form }: SearchRequest): Place | Reply => {
	const strict = (ask.headers['prefer'] ?? '').includes('handling=strict');
	const token = ask.url.searchParams.get('pg');
	if (token === null) {
		const query = [...ask.url.searchParams, ...new URLSearchParams(form)];
		return { type, query, after: '', strict };
	}
	const read = readToken(token);
	return read.ok ? { ...read.value, strict } : outcome(400, 'value', 'Page token not readable');
};

export const isSearchable = (type: string): boolean =>
	type === 'Slot' || type === 'Appointment' || Object.hasOwn(directoryParams, type);

const cacheHeaders = (context: FhirContext, ask: Ask, type: string, distorted: boolean) => {
	if (type === 'Appointment') return { 'cache-control': 'no-store' };
	const url = createHash('sha1').update(ask.url.href).digest('base64url').slice(0, 12);
	const revision = type === 'Slot' ? context.clinic.slots.revision() : 0;
	const tag = [context.bootId, revision, url, ...(distorted ? ['x'] : [])].join('-');
	return { etag: `W/"${tag}"`, 'cache-control': 'no-cache' };
};

type Finding = { ask: Ask; place: Place; wrong: Distortion };

const findIn = (context: FhirContext, { ask, place, wrong }: Finding): Found | Reply => {
	if (place.type === 'Slot') return findSlots(context, place, wrong);
	if (place.type === 'Appointment') return findAppointments(context, place, ask.url.origin);
	return findDirectory(context, place);
};

/** Answers a search, or the next page a token stands for. */
export const search = (context: FhirContext, request: SearchRequest): Reply => {
	const { ask, base } = request;
	const place = readPlace(request);
	if ('status' in place) return place;
	const { type } = place;
	if (!isSearchable(type)) return outcome(404, 'not-found', 'Resource type not known here');
	const isEmpty = type === 'Slot' && ask.fault('empty_answer') !== undefined;
	const wrong = type === 'Slot' ? distortionOf(ask) : right;
	const found = findIn(context, { ask, place, wrong });
	if ('status' in found) return found;
	const { applied, items } = found;
	const body = (): string =>
		writePage({
			base,
			type,
			applied,
			matches: isEmpty ? [] : items,
			after: place.after,
			count: readCount(place.query, context.profile.maxPage),
			included: (shown) => includedItems(context, applied, type, shown)
		});
	return fhirText(200, body, cacheHeaders(context, ask, type, isEmpty || isDistorted(wrong)));
};
