// Connector for SMART Scheduling Links: manifest, NDJSON files, only the changed ones. Read-only:
// booking happens on the publisher's own pages. Unread files make the answer partial or silent.
import type { Answer, SilentAnswer, SpokenAnswer } from '#domain/answer.ts';
import { toInstant, type Instant } from '#domain/time.ts';
import type { Connector, PollRequest } from '../connector.ts';
import { readByDifference } from '../difference-reading.ts';
import type { FetchContext, KeptFile } from '../fetch-files.ts';
import { readInFull } from '../full-reading.ts';
import { parsePiece, type Part, type Reading } from '../ledger.ts';
import { bodyOfLines, lineMark, piecesOf } from '../pieces.ts';
import { readAsOf } from '../read-as.ts';
import { beginRecall } from '../recall.ts';
import { silentAbout } from '../silent.ts';
import {
	createDirectory,
	MAX_DIRECTORY,
	scheduleEntriesOf,
	type DirectoryEntry
} from './directory.ts';
import { describeSchedules, sameFacts, type DescribedSchedule } from './schedule-facts.ts';
import { createSlotReader, uselessness } from './slot-facts.ts';
import {
	bytesRead,
	contextOf,
	filesOf,
	gather,
	notUnderstood,
	type Described,
	type Fetched,
	type Gathered,
	type KeptPublication,
	type LinksParts
} from './smart-gather.ts';
import { printOfPublication, recallPublication } from './smart-recall.ts';
import { createDoubts, pollSince, type SinceState } from './smart-since.ts';

const entriesOf = (files: readonly KeptFile[]): DirectoryEntry[] => {
	const entries: DirectoryEntry[] = [];
	for (const file of files) {
		for (const piece of piecesOf(bodyOfLines(file.body))) {
			if (entries.length >= MAX_DIRECTORY) return entries;
			const parsed = parsePiece(piece);
			if (parsed !== null) entries.push({ resource: parsed.value });
		}
	}
	return entries;
};

/**
 * A file that ends in the middle of a line was cut off on the way (some servers end such an answer
 * politely), and one in which most lines are broken is no list of slots.
 */
const isWhole = (file: KeptFile): boolean => {
	const body = bodyOfLines(file.body);
	if (body.bytes.length === 0) return true;
	const endsInLine = file.body.at(-1) === 0x0a;
	const lastStart = body.bytes.lastIndexOf(lineMark.pattern) + 1;
	const last = { bytes: body.bytes, start: lastStart, end: body.bytes.length };
	return endsInLine || parsePiece(last) !== null;
};

const partsOf = (files: readonly KeptFile[]): Part[] =>
	files.map((file) => ({ name: file.url, body: bodyOfLines(file.body) }));

const zoneCounts = (schedules: Iterable<DescribedSchedule>): Record<string, number> => {
	const counts: Record<string, number> = {};
	for (const { zone } of schedules) counts[zone.from] = (counts[zone.from] ?? 0) + 1;
	return counts;
};

/** Some files did not come: what did come is told, nothing is removed. */
const isPartial = (gathered: Gathered, reading: Reading, whole: readonly KeptFile[]): boolean =>
	reading.isDoubtful ||
	whole.length < gathered.manifest.slots.length ||
	gathered.directory.some(({ result }) => !result.ok);

/** Schedules whose slots may be missing from this answer. */
const unreadOf = (
	schedules: ReadonlyMap<string, DescribedSchedule>,
	reading: Reading,
	missesFiles: boolean
): string[] => {
	const unread = new Set(reading.unread);
	for (const [key, { availability }] of schedules) {
		if (availability === 'unknown') unread.add(key);
	}
	if (!missesFiles || reading.listing.form !== 'full') return [...unread];
	const seen = new Set(reading.listing.facts.map((fact) => fact.scheduleKey));
	for (const key of schedules.keys()) if (!seen.has(key)) unread.add(key);
	return [...unread];
};

/** Only a publisher that says of every schedule that it has nothing says that it is empty. */
const isExplicitlyEmpty = (
	schedules: ReadonlyMap<string, DescribedSchedule>,
	reading: Reading,
	complete: boolean
): boolean =>
	complete &&
	reading.flags.records === 0 &&
	schedules.size > 0 &&
	[...schedules.values()].every(({ availability }) => availability === 'none');

const maxAgeOf = (gathered: Gathered): number | null => {
	const ages = [gathered.manifestFile, ...filesOf(gathered.slots)]
		.filter((file) => !file.isImmutable)
		.map((file) => file.maxAgeMs)
		.filter((age) => age !== null);
	return gathered.manifestFile.maxAgeMs ?? (ages.length === 0 ? null : Math.min(...ages));
};

const validAtOf = (gathered: Gathered): Instant =>
	gathered.manifest.transactionAt ??
	toInstant(gathered.manifestFile.dateMs ?? gathered.request.now);

const describedBy = (gathered: Gathered, files: readonly KeptFile[]): Described => {
	const { kept, request } = gathered;
	const isSame = ({ of, result }: Fetched): boolean =>
		result.ok && result.isSame && kept?.files.has(of.url) === true;
	if (kept !== null && gathered.directory.every(isSame)) {
		const count = kept.described.fileCount;
		if (count === gathered.directory.length) return kept.described;
	}
	const { source } = request;
	const entries = entriesOf(files);
	const schedules = describeSchedules(createDirectory(entries), source);
	const directory = createDirectory(scheduleEntriesOf(entries));
	return {
		schedules,
		facts: [...schedules.values()].map(({ fact }) => fact),
		reader: createSlotReader({ directory, schedules, notes: source.notes }, 'file'),
		fileCount: gathered.directory.length
	};
};

const sinceAfter = ({ manifest, request, slots }: Gathered): SinceState => ({
	at: manifest.transactionAt,
	listedAt: request.now,
	listingBytes: bytesRead(slots),
	updates: 0,
	told: new Map()
});

/** The answer of what was gathered, and what to keep of it when it is committed. */
const compose = (
	gathered: Gathered
): { readonly answer: SpokenAnswer; readonly keep: (() => KeptPublication) | null } => {
	const { request, window, kept } = gathered;
	const { source } = request;
	const directoryFiles = gathered.directory.flatMap(({ of, result }) => {
		const file = result.ok ? result.file : kept?.files.get(of.url);
		return file === undefined ? [] : [file];
	});
	const whole = filesOf(gathered.slots).filter(isWhole);
	const described = describedBy(gathered, directoryFiles);
	const { schedules, facts, reader } = described;
	const parts = partsOf(whole);
	const how = { reader, window };
	const missesFiles = whole.length < gathered.manifest.slots.length;
	// After polls with `_since` the kept listing is behind what was committed: read everything.
	const isComparable = kept !== null && kept.since.updates === 0 && !missesFiles;
	const reading =
		(isComparable ? readByDifference(kept.ledger, parts, how) : null) ?? readInFull(parts, how);
	const complete = !isPartial(gathered, reading, whole);
	const isSame = kept !== null && sameFacts(kept.described.facts, facts);
	const files = new Map(
		[gathered.manifestFile, ...directoryFiles, ...whole].map((file) => [file.url, file])
	);
	const answer: SpokenAnswer = {
		state: complete ? 'complete' : 'partial',
		validAt: validAtOf(gathered),
		window: { from: window.from, to: window.to },
		listing: reading.listing,
		schedules: isSame ? null : facts,
		unreadSchedules: unreadOf(schedules, reading, missesFiles),
		explicitEmpty: isExplicitlyEmpty(schedules, reading, complete),
		flags: reading.flags,
		refused: reading.refused,
		maxAgeMs: maxAgeOf(gathered),
		cursor: {
			files: files.size,
			transactionAt: gathered.manifest.transactionAt,
			zones: zoneCounts(schedules.values())
		},
		bytes: gathered.bytes,
		fingerprint: () =>
			complete
				? printOfPublication({
						answer,
						request,
						manifest: gathered.manifest,
						beyondAt: reading.beyondAt,
						files: [gathered.manifestFile, ...directoryFiles, ...whole]
					})
				: null
	};
	const readAs = readAsOf(source);
	const keep = (): KeptPublication => ({
		files,
		ledger: reading.settle(),
		described,
		readAs,
		since: sinceAfter(gathered)
	});
	return { answer, keep: complete ? keep : null };
};

const pollByListing = async (
	context: FetchContext,
	request: PollRequest,
	how: { readonly kept: KeptPublication | null; readonly spent: number }
): Promise<ReturnType<typeof compose> | SilentAnswer> => {
	const gathered = await gather(context, request, how);
	if ('state' in gathered) return gathered;
	const composed = compose(gathered);
	const { answer } = composed;
	const useless = uselessness(answer.flags);
	if (useless !== null) return silentAbout(useless, answer);
	const isCutOff =
		answer.state === 'partial' &&
		gathered.slots.every(({ result }) => !result.ok || !isWhole(result.file));
	return isCutOff ? notUnderstood('The slot files were cut off.', answer.bytes) : composed;
};

/** Creates the connector. */
export const createSmartSchedulingLinks = (parts: LinksParts): Connector => {
	const doubts = createDoubts();
	const { kept } = parts;
	return {
		poll: async (request): Promise<Answer> => {
			const { source, token } = request;
			const basis = request.wantFull ? null : request.basis;
			const found = kept.find(source.key, basis);
			const known = found?.readAs === readAsOf(source) ? found : null;
			const context = contextOf(parts, request, known);
			const recalled = known === null ? await recallPublication(context, request) : beginRecall();
			if ('state' in recalled) return recalled;
			const spent = { bytes: recalled.bytes };
			const updated =
				known === null ? null : await pollSince({ request, context, known, doubts }, spent);
			const composed =
				updated ??
				(await pollByListing({ ...context, heard: recalled.heard }, request, {
					kept: known,
					spent: spent.bytes
				}));
			if ('state' in composed) return composed;
			const { answer, keep } = composed;
			const builds = answer.listing.form === 'full' ? null : basis;
			if (keep !== null) kept.propose(source.key, { token, basis: builds, make: keep });
			return answer;
		},
		settle: kept.settle,
		book: null,
		findBooking: null
	};
};
