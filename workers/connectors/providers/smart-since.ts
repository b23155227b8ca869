// Polls with `_since`: only what changed since the last answer. The publisher may ignore it, and does
// not say so: such an answer is an update, which takes away only what it names as deleted, and whole
// listings come in between (docs/decisions/021).
import type { SpokenAnswer } from '#domain/answer.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS, toInstant, type Instant } from '#domain/time.ts';
import type { PollRequest } from '../connector.ts';
import { fetchFile, inParallel, type FetchContext, type KeptFile } from '../fetch-files.ts';
import { windowOf } from '../poll-window.ts';
import { applyRecords, readChangedRecords, readDeleted, type Told } from './smart-changes.ts';
import type { KeptPublication } from './smart-gather.ts';
import { parseManifestOfChanges, type ManifestOfChanges } from './smart-manifest.ts';

/** What is kept for the next `_since`. */
export type SinceState = {
	/** The publisher's own clock (transactionTime) at the last answer; null = it tells none. */
	readonly at: Instant | null;
	/** Ours, at the last whole listing: for how long ago, nothing else. */
	readonly listedAt: Instant;
	/** Bytes of slot files that the last whole listing had to read. */
	readonly listingBytes: number;
	readonly updates: number;
	readonly told: Told;
};

/** A listing that reads less than this is simply read again, bytes. */
export const SINCE_WORTH_BYTES = 65_536;
/** Polls with `_since` between two whole listings. */
export const SINCE_IN_A_ROW = 5;
/** A publication may be put together a little later than it is dated. */
const OVERLAP_MS = 120 * SECOND_MS;
const MOST_DOUBTED = 5_000;

/** Publishers at which `_since` saved nothing: asked again after ten minutes, then ever more rarely. */
export type Doubts = {
	readonly has: (sourceKey: string, now: Instant) => boolean;
	readonly add: (sourceKey: string, now: Instant) => void;
	readonly clear: (sourceKey: string) => void;
};

const FIRST_DOUBT_MS = 10 * MINUTE_MS;

export const createDoubts = (): Doubts => {
	const doubted = new Map<string, { readonly at: Instant; readonly forMs: number }>();
	return {
		has: (sourceKey, now) => {
			const doubt = doubted.get(sourceKey);
			return doubt !== undefined && Math.abs(now - doubt.at) < doubt.forMs;
		},
		add: (sourceKey, now) => {
			const doubt = doubted.get(sourceKey);
			doubted.delete(sourceKey);
			const forMs = doubt === undefined ? FIRST_DOUBT_MS : Math.min(2 * doubt.forMs, DAY_MS);
			doubted.set(sourceKey, { at: now, forMs });
			const [oldest] = doubted.keys();
			if (doubted.size > MOST_DOUBTED && oldest !== undefined) doubted.delete(oldest);
		},
		clear: (sourceKey) => void doubted.delete(sourceKey)
	};
};

/** A109: a loss that nobody tells is seen within the source's budget. */
const isListingDue = ({ source, now }: PollRequest, since: SinceState): boolean =>
	since.updates >= SINCE_IN_A_ROW ||
	now + source.minIntervalMs - since.listedAt > source.freshForMs;

/** The instant to ask with; null = list everything. */
const sinceOf = (request: PollRequest, known: KeptPublication): Instant | null => {
	const { since, ledger } = known;
	if (since.at === null || since.listingBytes < SINCE_WORTH_BYTES) return null;
	if (isListingDue(request, since)) return null;
	// Where only free slots are listed a taken one just vanishes; ids that repeat name no slot.
	if (ledger.isOnlyFree || ledger.flags.repeatedIds > 0 || ledger.flags.duplicates > 0) return null;
	// Slots that enter the window did not change: only a listing finds them.
	if (windowOf(request).to !== ledger.window.to) return null;
	return toInstant(since.at - OVERLAP_MS);
};

const addressWith = (url: string, since: Instant): string => {
	const address = new URL(url);
	address.searchParams.set('_since', new Date(since).toISOString());
	return address.href;
};

/** The publisher read `_since`: it repeats it, or the operator knows; and it names no file whole. */
const isOffered = (
	changes: ManifestOfChanges,
	since: Instant,
	{ request, known }: SinceParts
): boolean =>
	(changes.since === since || request.source.notes.asksSince === true) &&
	changes.slots.every(({ url }) => !known.files.has(url));

export type SinceParts = {
	readonly request: PollRequest;
	readonly context: FetchContext;
	readonly known: KeptPublication;
	readonly doubts: Doubts;
};

type Spent = { bytes: number };

/** The bodies of all; null when one does not come, or a line of it may be missing. */
const fetchWhole = async (
	context: FetchContext,
	urls: readonly string[],
	spent: Spent
): Promise<KeptFile[] | null> => {
	const fetched = await inParallel(urls, (url) =>
		fetchFile(context, url, 'application/fhir+ndjson')
	);
	const files: KeptFile[] = [];
	for (const one of fetched) {
		spent.bytes += one.bytes;
		if (one.ok) files.push(one.file);
	}
	return files.length === urls.length ? files : null;
};

/** The describing files that the answer names are as they were kept. */
const isSameDirectory = async (
	{ context, known }: SinceParts,
	{ directory }: ManifestOfChanges,
	spent: Spent
): Promise<boolean> => {
	if (!directory.every(({ url }) => known.files.has(url))) return false;
	const fetched = await inParallel(directory, ({ url }) =>
		fetchFile(context, url, 'application/fhir+ndjson', true)
	);
	for (const { bytes } of fetched) spent.bytes += bytes;
	return fetched.every((one) => one.ok && one.isSame);
};

type AskedChanges = {
	readonly changes: ManifestOfChanges;
	/** Its transactionTime. */
	readonly at: Instant;
	readonly maxAgeMs: number | null;
};

/** The manifest of changes; null = `_since` is of no use here now. */
const askManifest = async (
	parts: SinceParts,
	since: Instant,
	spent: Spent
): Promise<AskedChanges | null> => {
	const { request, context, doubts } = parts;
	const { source, now } = request;
	const url = addressWith(source.url, since);
	const asked = await fetchFile({ ...context, kept: new Map() }, url, 'application/json');
	spent.bytes += asked.bytes;
	if (!asked.ok) {
		const { status } = asked;
		const isRefused = status !== null && status >= 400 && status < 500 && status !== 429;
		if (isRefused) doubts.add(source.key, now);
		return null;
	}
	const changes = parseManifestOfChanges(asked.file.body, source.url);
	if (changes === null || !isOffered(changes, since, parts)) {
		doubts.add(source.key, now);
		return null;
	}
	// A clock that was set back, or more pages than this one.
	const at = changes.transactionAt;
	if (at === null || at < since || changes.hasMore) return null;
	return { changes, at, maxAgeMs: asked.file.maxAgeMs };
};

export type UpdatedPublication = {
	readonly answer: SpokenAnswer;
	readonly keep: () => KeptPublication;
};

const compose = (
	{ request, known }: SinceParts,
	found: {
		readonly at: Instant;
		readonly maxAgeMs: number | null;
		readonly applied: NonNullable<ReturnType<typeof applyRecords>>;
	},
	bytes: number
): UpdatedPublication => {
	const { at, maxAgeMs, applied } = found;
	const { ledger, since } = known;
	const { from, to } = windowOf(request);
	const updates = since.updates + 1;
	const total = ledger.keys.distinct() - applied.gone.length;
	return {
		answer: {
			state: 'partial',
			isUpdate: true,
			validAt: at,
			window: { from, to },
			listing: { form: 'delta', changed: applied.changed, gone: applied.gone, total },
			schedules: null,
			unreadSchedules: [],
			explicitEmpty: false,
			flags: ledger.flags,
			refused: ledger.refused,
			maxAgeMs,
			cursor: { updates, transactionAt: at },
			bytes
		},
		keep: () => ({ ...known, since: { ...since, at, updates, told: applied.told } })
	};
};

/**
 * A106: the answer of a poll with `_since`; null = list everything, with what this cost already.
 */
export const pollSince = async (
	parts: SinceParts,
	spent: Spent
): Promise<UpdatedPublication | null> => {
	const { request, context, known, doubts } = parts;
	const { source, now } = request;
	if (source.notes.asksSince === false || doubts.has(source.key, now)) return null;
	const since = sinceOf(request, known);
	if (since === null) return null;
	const asked = await askManifest(parts, since, spent);
	if (asked === null) return null;
	const { changes, at, maxAgeMs } = asked;
	if (!(await isSameDirectory(parts, changes, spent))) return null;
	const anew = { ...context, kept: new Map<string, KeptFile>() };
	const slotUrls = changes.slots.map(({ url }) => url);
	const slots = await fetchWhole(anew, slotUrls, spent);
	const deletedFiles = slots && (await fetchWhole(anew, changes.deleted, spent));
	if (slots === null || deletedFiles === null) return null;
	if (spent.bytes < known.since.listingBytes) doubts.clear(source.key);
	else doubts.add(source.key, now);
	const { ledger, described, since: before } = known;
	const { reader } = described;
	const records = readChangedRecords(
		slots.map(({ body }) => body),
		reader
	);
	const deleted = readDeleted(deletedFiles.map(({ body }) => body));
	if (records === null || deleted === null) return null;
	const window = windowOf(request);
	const applied = applyRecords({ ledger, reader, told: before.told, window }, records, deleted);
	if (applied === null) return null;
	return compose(parts, { at, maxAgeMs, applied }, spent.bytes);
};
