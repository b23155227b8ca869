// _include and _include:iterate: resources of the directory that the shown ones refer to.
import type { DirectoryRecord } from '../wire.ts';
import type { FhirContext } from './context.ts';
import type { Item } from './pages.ts';
import { referencesAt } from './params.ts';
import type { Query } from './search.ts';

/** `Type:parameter` to the field that holds the references. */
const includePaths: Readonly<Record<string, string>> = {
	'Slot:schedule': 'schedule',
	'Schedule:actor': 'actor',
	'PractitionerRole:practitioner': 'practitioner',
	'PractitionerRole:organization': 'organization',
	'PractitionerRole:location': 'location',
	'PractitionerRole:service': 'healthcareService',
	'HealthcareService:location': 'location',
	'HealthcareService:organization': 'providedBy',
	'InsurancePlan:network': 'network'
};

const texts = new WeakMap<DirectoryRecord, string>();

/** Directory resources never change, so their texts are made once. */
const textOf = (record: DirectoryRecord): string => {
	const known = texts.get(record);
	if (known !== undefined) return known;
	const text = JSON.stringify(record);
	texts.set(record, text);
	return text;
};

export const directoryItem = (path: string, record: DirectoryRecord): Item => ({
	key: path,
	path,
	text: () => textOf(record),
	resource: record
});

/** Follows the includes asked for from the shown items through the directory, each once. */
export const includedItems = (
	{ directory }: FhirContext,
	query: Query,
	type: string,
	shown: readonly Item[]
): Item[] => {
	const wanted = query
		.filter(([name]) => name === '_include' || name === '_include:iterate')
		.map(([, value]) => value.split(':'));
	const seen = new Set(shown.map(({ path }) => path));
	const found: Item[] = [];
	const visit = (from: string, resource: unknown): void => {
		for (const [source, param, target] of wanted) {
			const path = source === from ? includePaths[`${source}:${param}`] : undefined;
			if (path === undefined) continue;
			for (const reference of referencesAt(resource, path)) {
				const record = directory.get(reference);
				const isWanted = target === undefined || reference.startsWith(`${target}/`);
				if (record === undefined || !isWanted || seen.has(reference)) continue;
				seen.add(reference);
				found.push(directoryItem(reference, record));
				visit(record.resourceType, record);
			}
		}
	};
	for (const { resource } of shown) visit(type, resource);
	return found;
};
