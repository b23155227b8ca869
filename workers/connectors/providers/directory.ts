// The resources a source describes its schedules with, found again by reference: relative
// (`Location/1`), absolute, versioned, or by the fullUrl of a Bundle entry (`urn:uuid:…`).
import { isJson, textOf, type Json } from './fhir-shapes.ts';

export type Directory = {
	readonly resolve: (reference: string) => Json | undefined;
	readonly ofType: (type: string) => readonly Json[];
	/** The source's own id of the Schedule a reference means, whether it is described or not. */
	readonly scheduleKeyOf: (reference: string) => string;
};

export type DirectoryEntry = { readonly resource: unknown; readonly fullUrl?: unknown };

/** More resources than this are not taken in. */
export const MAX_DIRECTORY = 100_000;

/** `Type/id` of any form of reference; '' when it has none. */
const shortForm = (reference: string): string =>
	/(?:^|\/)([A-Z][A-Za-z]+\/[A-Za-z0-9._-]{1,200})(?:\/_history\/[^/]*)?$/.exec(reference)?.[1] ??
	'';

const keyOf = (resource: Json | undefined): string =>
	resource?.['resourceType'] === 'Schedule' ? textOf(resource['id']) : '';

export const createDirectory = (entries: Iterable<DirectoryEntry>): Directory => {
	const byReference = new Map<string, Json>();
	const byType = new Map<string, Json[]>();
	for (const { resource, fullUrl } of entries) {
		if (!isJson(resource) || byReference.size >= MAX_DIRECTORY) continue;
		const type = textOf(resource['resourceType']);
		const id = textOf(resource['id']);
		if (type === '' || id === '' || byReference.has(`${type}/${id}`)) continue;
		byReference.set(`${type}/${id}`, resource);
		if (typeof fullUrl === 'string' && fullUrl !== '') byReference.set(fullUrl, resource);
		const alike = byType.get(type);
		if (alike === undefined) byType.set(type, [resource]);
		else alike.push(resource);
	}
	const resolve = (reference: string): Json | undefined =>
		byReference.get(reference) ?? byReference.get(shortForm(reference));
	return {
		resolve,
		ofType: (type) => byType.get(type) ?? [],
		scheduleKeyOf: (reference) => {
			const key = keyOf(resolve(reference));
			if (key !== '') return key;
			const short = shortForm(reference);
			return short.startsWith('Schedule/')
				? short.slice('Schedule/'.length)
				: reference.slice(0, 200);
		}
	};
};

/** Only what finding a Schedule by reference needs: the rest need not stay in memory. */
export const scheduleEntriesOf = (entries: readonly DirectoryEntry[]): DirectoryEntry[] =>
	entries.flatMap(({ resource, fullUrl }) => {
		const isSchedule = isJson(resource) && resource['resourceType'] === 'Schedule';
		if (!isSchedule) return [];
		const stub: Json = { resourceType: 'Schedule', id: resource['id'] };
		return [{ resource: stub, fullUrl }];
	});
