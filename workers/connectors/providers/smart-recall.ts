// Recalls a publication that this process has not kept: the manifest names the same files, and each
// of them is as it was.
import type { Fingerprint, SpokenAnswer } from '#domain/answer.ts';
import type { SourceSettings } from '#domain/source.ts';
import { toInstant } from '#domain/time.ts';
import type { PollRequest } from '../connector.ts';
import type { FetchContext, KeptFile } from '../fetch-files.ts';
import { windowOf } from '../poll-window.ts';
import { readAsOf } from '../read-as.ts';
import {
	aboutOf,
	areAsPrinted,
	asBefore,
	beginRecall,
	isAsPrinted,
	parsePrint,
	printOf,
	type FilesPrint,
	type Recall
} from '../recall.ts';
import { manifestType, ndjsonType } from './smart-gather.ts';
import { parseManifest, type Manifest } from './smart-manifest.ts';

const aboutLinks = (source: SourceSettings): string => aboutOf('links', readAsOf(source));
const indexOf = ({ directory, slots }: Manifest): string => aboutOf(directory, slots);

/** The fingerprint of a complete answer of these files. */
export const printOfPublication = (read: {
	readonly answer: SpokenAnswer;
	readonly request: PollRequest;
	readonly manifest: Manifest;
	readonly beyondAt: number;
	/** The manifest first. */
	readonly files: readonly KeptFile[];
}): Fingerprint =>
	printOf({
		answer: read.answer,
		about: aboutLinks(read.request.source),
		index: indexOf(read.manifest),
		beyondAt: read.beyondAt,
		describedAt: read.request.now,
		transactionAt: read.manifest.transactionAt,
		files: read.files
	});

/** What the manifest says now; null = it names other files, or cannot be read. */
const lookAtManifest = async (
	recall: Recall,
	context: FetchContext,
	print: FilesPrint
): Promise<{ readonly transactionAt: number | null } | null> => {
	const [first] = print.files;
	if (first === undefined) return null;
	if (await isAsPrinted(recall, context, first, manifestType)) return print;
	const heard = recall.heard.get(first.url);
	if (heard?.ok !== true) return null;
	const manifest = parseManifest(heard.file.body, context.caller.url);
	return manifest.ok && indexOf(manifest.value) === print.index ? manifest.value : null;
};

/** N20: `unchanged`, or what was heard on the way to seeing that it is not, or cannot be said. */
export const recallPublication = async (
	context: FetchContext,
	request: PollRequest
): Promise<SpokenAnswer | Recall> => {
	const recall = beginRecall();
	const window = windowOf(request);
	const print = parsePrint(request, window);
	if (print?.about !== aboutLinks(request.source)) return recall;
	const manifest = await lookAtManifest(recall, context, print);
	if (manifest === null) return recall;
	const isSame = await areAsPrinted(recall, context, print.files.slice(1), ndjsonType);
	if (!isSame) return recall;
	const validAt = toInstant(manifest.transactionAt ?? recall.dateMs ?? request.now);
	return asBefore(print, request, window, { recall, validAt });
};
