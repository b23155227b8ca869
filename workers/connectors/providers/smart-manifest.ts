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

type Odd = 'not_json' | 'no_output' | 'odd_output' | 'too_many_files';

type Outputs = {
	readonly manifest: Readonly<Record<string, unknown>>;
	readonly directory: readonly ManifestFile[];
	readonly slots: readonly ManifestFile[];
};

/** The address of `{url}`, made absolute; null when there is none. */
const addressOf = (each: unknown, manifestUrl: string): string | null => {
	const url = isJson(each) ? textOf(each['url'], 2_000) : '';
	return url === '' || !URL.canParse(url, manifestUrl) ? null : new URL(url, manifestUrl).href;
};

const outputsOf = (body: Buffer, manifestUrl: string): Result<Outputs, Odd> => {
	const manifest = parseJson(body);
	if (!isJson(manifest)) return refuse('not_json');
	const { output } = manifest;
	if (!Array.isArray(output)) return refuse('no_output');
	const files = new Map<string, ManifestFile>();
	for (const each of output) {
		const type = isJson(each) ? textOf(each['type']) : '';
		const url = addressOf(each, manifestUrl);
		if (type === '' || url === null) return refuse('odd_output');
		if (type === 'Slot' || described.has(type)) files.set(url, { type, url });
	}
	if (files.size > MAX_FILES) return refuse('too_many_files');
	const all = [...files.values()];
	const slots = all.filter(({ type }) => type === 'Slot');
	return ok({ manifest, slots, directory: all.filter(({ type }) => type !== 'Slot') });
};

const instantIn = (text: unknown): Instant | null =>
	parseOffsetInstant(textOf(text, 60))?.at ?? null;

/**
 * Parses a manifest. Output types we do not know are ignored, `extension: null` is tolerated; an
 * output that is no {type, url} makes the whole manifest not understood, because skipping it would
 * hide slots (a nested array once hid every slot of a chain).
 */
export const parseManifest = (
	body: Buffer,
	manifestUrl: string
): Result<Manifest, Odd | 'no_slots'> => {
	const outputs = outputsOf(body, manifestUrl);
	if (!outputs.ok) return outputs;
	const { manifest, directory, slots } = outputs.value;
	if (slots.length === 0 || !directory.some(({ type }) => type === 'Schedule')) {
		return refuse('no_slots');
	}
	return ok({ transactionAt: instantIn(manifest['transactionTime']), directory, slots });
};

/** A manifest that was asked for with `_since`; it may name nothing at all. */
export type ManifestOfChanges = Manifest & {
	/** Files that name what was deleted. */
	readonly deleted: readonly string[];
	/** The `_since` that its `request` repeats: the publisher's only word on having read it. */
	readonly since: Instant | null;
	/** It says that there is more than this one page. */
	readonly hasMore: boolean;
};

const sinceIn = (request: unknown): Instant | null => {
	const text = textOf(request, 2_000);
	return URL.canParse(text) ? instantIn(new URL(text).searchParams.get('_since')) : null;
};

/** null = not to be understood as changes. */
export const parseManifestOfChanges = (
	body: Buffer,
	manifestUrl: string
): ManifestOfChanges | null => {
	const outputs = outputsOf(body, manifestUrl);
	if (!outputs.ok) return null;
	const { manifest, directory, slots } = outputs.value;
	const listed: unknown = manifest['deleted'] ?? [];
	if (!Array.isArray(listed) || listed.length > MAX_FILES) return null;
	const deleted = listed.map((each) => addressOf(each, manifestUrl));
	if (!deleted.every((url) => url !== null)) return null;
	const { link } = manifest;
	return {
		transactionAt: instantIn(manifest['transactionTime']),
		directory,
		slots,
		deleted: [...new Set(deleted)],
		since: sinceIn(manifest['request']),
		hasMore: Array.isArray(link) && link.some((each) => isJson(each) && each['relation'] === 'next')
	};
};

export const manifestFaults = {
	not_json: 'The manifest is not a JSON object.',
	no_output: 'The manifest lists no output.',
	odd_output: 'An output of the manifest has no type or no address.',
	no_slots: 'The manifest names no Schedule file or no Slot file.',
	too_many_files: `The manifest names more than ${MAX_FILES} files.`
} as const;
