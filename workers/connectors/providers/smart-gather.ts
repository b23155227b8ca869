// Fetches one publication of SMART Scheduling Links: the manifest, then its files, only the changed ones.
import type { SilentAnswer } from '#domain/answer.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import type { PollRequest } from '../connector.ts';
import {
	fetchFile,
	inParallel,
	type FetchContext,
	type FetchedFile,
	type KeptFile
} from '../fetch-files.ts';
import { callerOf, type HttpClient } from '../http-client.ts';
import type { Unheard } from '../http-faults.ts';
import type { Kept } from '../kept-bodies.ts';
import type { Ledger, SlotReader } from '../ledger.ts';
import { windowOf, type PollWindow } from '../poll-window.ts';
import { silentFor, silentOf } from '../silent.ts';
import type { DescribedSchedule } from './schedule-facts.ts';
import {
	manifestFaults,
	parseManifest,
	type Manifest,
	type ManifestFile
} from './smart-manifest.ts';
import type { SinceState } from './smart-since.ts';

/** What is kept of the last committed poll of one publisher. */
export type KeptPublication = {
	readonly files: ReadonlyMap<string, KeptFile>;
	readonly ledger: Ledger;
	readonly described: Described;
	readonly readAs: string;
	readonly since: SinceState;
};

/** What the describing files say; made anew only when one of them changed. */
export type Described = {
	readonly schedules: ReadonlyMap<string, DescribedSchedule>;
	readonly facts: readonly ScheduleFact[];
	readonly reader: SlotReader;
	readonly fileCount: number;
};

export const publicationBytes = (kept: KeptPublication): number => {
	// The ledger's parts are views of the files.
	let bytes = kept.ledger.keys.bytes() + kept.ledger.ids.bytes();
	for (const file of kept.files.values()) bytes += file.body.byteLength;
	return bytes;
};

export type LinksParts = {
	readonly http: HttpClient;
	/** Bounds what is remembered between polls. */
	readonly kept: Kept<KeptPublication>;
	/** All files of one poll together, unpacked. */
	readonly listingBytes: number;
};

export const manifestType = 'application/json';
export const ndjsonType = 'application/fhir+ndjson';

export const notUnderstood = (detail: string, bytes: number): SilentAnswer =>
	silentFor('not_understood', detail, bytes);

export type Fetched = { readonly of: ManifestFile; readonly result: FetchedFile };

const fetchAll = async (
	context: FetchContext,
	files: readonly ManifestFile[]
): Promise<Fetched[]> =>
	inParallel(files, async (of) => {
		const mayRest = of.type !== 'Slot';
		return { of, result: await fetchFile(context, of.url, ndjsonType, mayRest) };
	});

export const bytesRead = (fetched: readonly Fetched[]): number =>
	fetched.reduce((sum, { result }) => sum + result.bytes, 0);

export const filesOf = (fetched: readonly Fetched[]): KeptFile[] =>
	fetched.flatMap(({ result }) => (result.ok ? [result.file] : []));

const firstFault = (fetched: readonly Fetched[]): Unheard | null => {
	for (const { result } of fetched) if (!result.ok) return result;
	return null;
};

export type Gathered = {
	readonly request: PollRequest;
	readonly window: PollWindow;
	readonly kept: KeptPublication | null;
	readonly manifestFile: KeptFile;
	readonly manifest: Manifest;
	readonly directory: readonly Fetched[];
	readonly slots: readonly Fetched[];
	readonly bytes: number;
};

/** How the files of one poll are fetched. */
export const contextOf = (
	{ http, listingBytes }: Pick<LinksParts, 'http' | 'listingBytes'>,
	{ source, now, signal }: PollRequest,
	kept: KeptPublication | null
): FetchContext => ({
	http,
	budget: { left: listingBytes },
	caller: callerOf(source),
	now,
	signal,
	kept: kept?.files ?? new Map<string, KeptFile>()
});

/**
 * The manifest and its files, conditional on what is kept; silent when nothing can be told of them.
 * `spent`: bytes that this poll has read before.
 */
export const gather = async (
	context: FetchContext,
	request: PollRequest,
	{ kept, spent }: { readonly kept: KeptPublication | null; readonly spent: number }
): Promise<Gathered | SilentAnswer> => {
	const { source } = request;
	const first = await fetchFile(context, source.url, manifestType);
	if (!first.ok) return silentOf(first, spent + first.bytes);
	const manifest = parseManifest(first.file.body, source.url);
	if (!manifest.ok) return notUnderstood(manifestFaults[manifest.reason], spent + first.bytes);
	const directory = await fetchAll(context, manifest.value.directory);
	const slots = await fetchAll(context, manifest.value.slots);
	const bytes = spent + first.bytes + bytesRead(directory) + bytesRead(slots);
	const fault = firstFault(directory);
	const isLost = directory.some(({ of, result }) => !result.ok && !context.kept.has(of.url));
	if (fault !== null && isLost) return silentOf(fault, bytes);
	const slotFault = firstFault(slots);
	if (slotFault !== null && slots.every(({ result }) => !result.ok))
		return silentOf(slotFault, bytes);
	return {
		request,
		window: windowOf(request),
		kept,
		manifestFile: first.file,
		manifest: manifest.value,
		directory,
		slots,
		bytes
	};
};
