// Reads the manifest of SMART Scheduling Links: edition 1.0, the draft of 2026 and Bulk Publish.
import type { Result } from '#domain/result.ts';
import { ok, refuse } from '#domain/result.ts';
import { parseOffsetInstant, type Instant } from '#domain/time.ts';
import { isJson, textOf } from './fhir-shapes.ts';

export type ManifestFile = { readonly type: string; readonly url: string };

export type Manifest = {
	readonly transactionAt: Instant | null;
	/** Files of describing resources, in the order of the manifest, each URL once. */
	readonly directory: readonly ManifestFile[];
	readonly slots: readonly ManifestFile[];
};

/** More output files than this are not read. */
export const MAX_FILES = 500;

const described = new Set([
	'Location',
	'Schedule',
	'Practitioner',
	'PractitionerRole',
	'HealthcareService',
	'Organization',
	'InsurancePlan'
]);

const parseJson = (body: Buffer): unknown => {
	try {
		return JSON.parse(body.toString('utf8').replace(/^\uFEFF/, ''));
	} catch {
		return undefined;
	}
};

/**
 * Parses a manifest. Output types we do not know are ignored, `extension: null` is tolerated; an
 * output that is no {type, url} makes the whole manifest not understood, because skipping it would
 * hide slots (a nested array once hid every slot of a chain).
 */
export const parseManifest = (
	body: Buffer,
	manifestUrl: string
): Result<Manifest, 'not_json' | 'no_output' | 'odd_output' | 'no_slots' | 'too_many_files'> => {
	const manifest = parseJson(body);
	if (!isJson(manifest)) return refuse('not_json');
	const { output } = manifest;
	if (!Array.isArray(output)) return refuse('no_output');
	const files = new Map<string, ManifestFile>();
	for (const each of output) {
		const type = isJson(each) ? textOf(each['type']) : '';
		const url = isJson(each) ? textOf(each['url'], 2_000) : '';
		const isOdd = type === '' || url === '' || !URL.canParse(url, manifestUrl);
		if (isOdd) return refuse('odd_output');
		const absolute = new URL(url, manifestUrl).href;
		if (type === 'Slot' || described.has(type)) files.set(absolute, { type, url: absolute });
	}
	if (files.size > MAX_FILES) return refuse('too_many_files');
	const all = [...files.values()];
	const slots = all.filter(({ type }) => type === 'Slot');
	const directory = all.filter(({ type }) => type !== 'Slot');
	if (slots.length === 0 || !directory.some(({ type }) => type === 'Schedule')) {
		return refuse('no_slots');
	}
	const told = parseOffsetInstant(textOf(manifest['transactionTime'], 60));
	return ok({ transactionAt: told?.at ?? null, directory, slots });
};

export const manifestFaults = {
	not_json: 'The manifest is not a JSON object.',
	no_output: 'The manifest lists no output.',
	odd_output: 'An output of the manifest has no type or no address.',
	no_slots: 'The manifest names no Schedule file or no Slot file.',
	too_many_files: `The manifest names more than ${MAX_FILES} files.`
} as const;
