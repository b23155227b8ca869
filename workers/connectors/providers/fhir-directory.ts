// Reads who offers the slots of a FHIR server: its Schedules and everything they lead to, a few
// rounds of searches by id. What cannot be found stays unknown; only the Schedules are essential.
import type { FetchContext } from '../fetch-files.ts';
import { fetchFile, inParallel } from '../fetch-files.ts';
import type { Unheard } from '../http-faults.ts';
import { parsePiece } from '../ledger.ts';
import type { DirectoryEntry } from './directory.ts';
import type { FhirFeatures } from './fhir-features.ts';
import { entriesOfPages, fhirJson, searchAll } from './fhir-search.ts';
import { isJson, referencesOf, textOf } from './fhir-shapes.ts';

export type ReadDirectory =
	| { readonly ok: true; readonly entries: readonly DirectoryEntry[]; readonly bytes: number }
	| { readonly ok: false; readonly fault: Unheard; readonly bytes: number };

/** Members that lead from a Schedule to what patients choose by. */
const paths = [
	'actor',
	'practitioner',
	'organization',
	'healthcareService',
	'location',
	'coverageArea',
	'providedBy',
	'managingOrganization'
] as const;

const followed = new Set([
	'PractitionerRole',
	'Practitioner',
	'HealthcareService',
	'Location',
	'Organization'
]);

const ROUNDS = 4;
const IDS_AT_ONCE = 40;
const MAX_SINGLE_READS = 200;
const PAGE = 200;
/** All describing resources of one source together, unpacked. */
const DIRECTORY_BYTES = 64 * 1_048_576;

/** `Type/id` of what the entries refer to and do not hold. */
const missingOf = (entries: readonly DirectoryEntry[], tried: ReadonlySet<string>): string[] => {
	const resources = entries.map(({ resource }) => resource).filter(isJson);
	const held = new Set(
		resources.map((each) => `${textOf(each['resourceType'])}/${textOf(each['id'])}`)
	);
	const wanted = new Set<string>();
	for (const resource of resources) {
		for (const reference of paths.flatMap((path) => referencesOf(resource[path]))) {
			const [, type = '', id = ''] =
				/(?:^|\/)([A-Za-z]+)\/([A-Za-z0-9.-]{1,64})$/.exec(reference) ?? [];
			const key = `${type}/${id}`;
			if (followed.has(type) && !held.has(key) && !tried.has(key)) wanted.add(key);
		}
	}
	return [...wanted];
};

const batchesOf = (
	keys: readonly string[]
): { readonly type: string; readonly ids: string[] }[] => {
	const batches: { type: string; ids: string[] }[] = [];
	for (const [type, members] of Map.groupBy(keys, (key) => key.split('/')[0] ?? '')) {
		const ids = members.map((key) => key.split('/')[1] ?? '');
		for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
			batches.push({ type, ids: ids.slice(at, at + IDS_AT_ONCE) });
		}
	}
	return batches;
};

type Found = {
	readonly entries: DirectoryEntry[];
	readonly bytes: number;
	/** Why what was asked for may be there all the same; null = it is not. */
	readonly trouble: Unheard | null;
};

/** Faults that pass. A server that says "no such thing" is not in trouble. */
const troubleOf = (fault: Unheard): Unheard | null =>
	['timeout', 'unreachable', 'http_error', 'throttled'].includes(fault.reason) ? fault : null;

const readOne = async (context: FetchContext, url: string): Promise<Found> => {
	const fetched = await fetchFile(context, url, fhirJson);
	if (!fetched.ok) return { entries: [], bytes: fetched.bytes, trouble: troubleOf(fetched) };
	const { body } = fetched.file;
	const resource = parsePiece({ bytes: body, start: 0, end: body.length })?.value;
	return { entries: [{ resource }], bytes: fetched.bytes, trouble: null };
};

/**
 * One batch by `_id`; a server that does not understand it is asked for each resource. One broken
 * resource is unknown; when most cannot be had, the server is in trouble.
 */
const readBatch = async (
	context: FetchContext,
	base: string,
	batch: { readonly type: string; readonly ids: readonly string[] }
): Promise<Found> => {
	const ids = batch.ids.join(',');
	const found = await searchAll(context, `${base}/${batch.type}?_id=${ids}&_count=${PAGE}`);
	if (found.fault === null && !found.ignored.includes('_id')) {
		return { entries: entriesOfPages(found.pages), bytes: found.bytes, trouble: null };
	}
	const single = batch.ids.slice(0, MAX_SINGLE_READS);
	const all = await inParallel(single, (id) => readOne(context, `${base}/${batch.type}/${id}`));
	const troubles = all.flatMap(({ trouble }) => trouble ?? []);
	return {
		entries: all.flatMap(({ entries }) => entries),
		bytes: all.reduce((sum, { bytes }) => sum + bytes, found.bytes),
		trouble: troubles.length * 2 > all.length ? (troubles[0] ?? null) : null
	};
};

const canSearch = (features: FhirFeatures, type: string): boolean =>
	features.searchable === null || features.searchable.includes(type);

/** Reads the directory. `known` = entries that came along with something else. */
export const readDirectory = async (
	context: FetchContext,
	base: string,
	features: FhirFeatures,
	known: readonly DirectoryEntry[]
): Promise<ReadDirectory> => {
	const fresh: FetchContext = { ...context, kept: new Map(), budget: { left: DIRECTORY_BYTES } };
	const schedules = await searchAll(fresh, `${base}/Schedule?_count=${PAGE}`);
	let { bytes } = schedules;
	// A server that describes its schedules only beside the slots has no search for them.
	const isToldBeside =
		schedules.fault?.status !== null &&
		known.some(({ resource }) => isJson(resource) && resource['resourceType'] === 'Schedule');
	if (schedules.fault !== null && !(isToldBeside && schedules.fault.reason === 'misconfigured')) {
		return { ok: false, fault: schedules.fault, bytes };
	}
	const entries = [...known, ...entriesOfPages(schedules.pages)];
	if (canSearch(features, 'InsurancePlan')) {
		const plans = await searchAll(fresh, `${base}/InsurancePlan?_count=${PAGE}`);
		bytes += plans.bytes;
		entries.push(...entriesOfPages(plans.pages));
	}
	const tried = new Set<string>();
	for (let round = 0; round < ROUNDS; round += 1) {
		const missing = missingOf(entries, tried);
		if (missing.length === 0) break;
		for (const key of missing) tried.add(key);
		const found = await inParallel(batchesOf(missing), (batch) => readBatch(fresh, base, batch));
		for (const each of found) {
			bytes += each.bytes;
			entries.push(...each.entries);
		}
		// A39: half a directory would take schedules out of the rooms where they are offered.
		const [trouble] = found.flatMap((each) => each.trouble ?? []);
		if (trouble !== undefined) return { ok: false, fault: trouble, bytes };
	}
	return { ok: true, entries, bytes };
};
