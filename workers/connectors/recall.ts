// Recalls an answer whose bodies this process does not have: by the validators and digests of its files
// a source is seen to say what it said. What was fetched on the way is used by the reading that follows.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AnswerFlags, Fingerprint, SpokenAnswer } from '#domain/answer.ts';
import type { Instant } from '#domain/time.ts';
import packageFile from '../../package.json' with { type: 'json' };
import type { PollRequest } from './connector.ts';
import {
	inParallel,
	lookAtFile,
	type FetchContext,
	type FetchedFile,
	type KeptFile
} from './fetch-files.ts';
import type { PollWindow } from './poll-window.ts';

const FilePrint = z.object({
	url: z.string(),
	etag: z.string().nullable(),
	lastModified: z.string().nullable(),
	digest: z.string()
});
export type FilePrint = z.infer<typeof FilePrint>;

const count = z.number().int();

/** What a connector of files makes of a complete answer. */
const FilesPrint = z.object({
	/** Another question, other notes, another edition of this form: another fingerprint. */
	about: z.string(),
	/** Of the list of files, where one of them names the others. */
	index: z.string(),
	window: z.object({ from: z.number(), to: z.number() }),
	/** Start of the earliest slot beyond the window; null = none was listed. */
	beyondAt: z.number().nullable(),
	/** When the describing resources were read. */
	describedAt: z.number(),
	transactionAt: z.number().nullable(),
	maxAgeMs: z.number().nullable(),
	explicitEmpty: z.boolean(),
	canNarrow: z.boolean(),
	flags: z.object({
		records: count,
		badRecords: count,
		offsetMismatches: count,
		repeatedIds: count,
		duplicates: count,
		unknownStatuses: count,
		orphans: count
	}) satisfies z.ZodType<AnswerFlags>,
	refused: z.array(z.object({ where: z.string(), reason: z.string() })),
	/** In the order in which they are asked for. */
	files: z.array(FilePrint).min(1)
});
export type FilesPrint = z.infer<typeof FilesPrint>;

const digests = new WeakMap<Buffer, string>();

const digestOf = (body: Buffer): string => {
	const known = digests.get(body);
	if (known !== undefined) return known;
	const digest = createHash('sha256').update(body).digest('base64url');
	digests.set(body, digest);
	return digest;
};

/** Short for a long description of what was asked for, by this version: another may read otherwise. */
export const aboutOf = (...parts: readonly unknown[]): string =>
	digestOf(Buffer.from(JSON.stringify([packageFile.version, ...parts])));

type Printable = {
	readonly answer: SpokenAnswer;
	readonly about: string;
	readonly index?: string;
	readonly beyondAt: number;
	readonly describedAt: Instant;
	readonly transactionAt: Instant | null;
	readonly files: readonly KeptFile[];
};

/** The fingerprint of a complete answer read from files. */
export const printOf = ({
	answer,
	about,
	index = '',
	beyondAt,
	describedAt,
	transactionAt,
	files
}: Printable): Fingerprint =>
	({
		about,
		index,
		describedAt,
		transactionAt,
		window: answer.window,
		beyondAt: Number.isFinite(beyondAt) ? beyondAt : null,
		maxAgeMs: answer.maxAgeMs,
		explicitEmpty: answer.explicitEmpty,
		canNarrow: answer.canNarrow === true,
		flags: answer.flags,
		refused: [...answer.refused],
		files: files.map(({ url, etag, lastModified, body }) => ({
			url,
			etag,
			lastModified,
			digest: digestOf(body)
		}))
	}) satisfies FilesPrint;

/**
 * The fingerprint of a request; null where it is of an earlier form, or where slots of the window that
 * is asked for now were not in that answer's.
 */
export const parsePrint = (request: PollRequest, window: PollWindow): FilesPrint | null => {
	if (request.wantFull) return null;
	const parsed = FilesPrint.safeParse(request.fingerprint);
	if (!parsed.success) return null;
	const { window: was, beyondAt } = parsed.data;
	const isCovered = window.from >= was.from && window.to >= was.to;
	return isCovered && window.to <= (beyondAt ?? Infinity) ? parsed.data : null;
};

export type Recall = {
	/** Files that were fetched, or could not be, by URL: for the reading that follows. */
	readonly heard: Map<string, FetchedFile>;
	/** Read besides what was heard. */
	bytes: number;
	/** The server's clock at the first answer, UTC ms. */
	dateMs: number | null;
};

export const beginRecall = (): Recall => ({ heard: new Map(), bytes: 0, dateMs: null });

/** Asks for one file; true = it is as it was. */
export const isAsPrinted = async (
	recall: Recall,
	context: FetchContext,
	print: FilePrint,
	accept: string
): Promise<boolean> => {
	const looked = await lookAtFile(context, print.url, accept, print);
	if (looked.isSame) {
		recall.bytes += looked.bytes;
		recall.dateMs ??= looked.dateMs;
		return true;
	}
	const { fetched } = looked;
	recall.heard.set(print.url, fetched);
	if (!fetched.ok) return false;
	recall.dateMs ??= fetched.file.dateMs;
	return digestOf(fetched.file.body) === print.digest;
};

/** Asks for files, a few at a time, up to the first that differs. */
export const areAsPrinted = async (
	recall: Recall,
	context: FetchContext,
	prints: readonly FilePrint[],
	accept: string
): Promise<boolean> => {
	let isSame = true;
	await inParallel(prints, async (print) => {
		if (isSame && !(await isAsPrinted(recall, context, print, accept))) isSame = false;
	});
	return isSame;
};

/** N20: the answer as it was. */
export const asBefore = (
	print: FilesPrint,
	request: PollRequest,
	window: PollWindow,
	{ recall, validAt }: { readonly recall: Recall; readonly validAt: Instant }
): SpokenAnswer => ({
	state: 'complete',
	validAt,
	window: { from: window.from, to: window.to },
	listing: { form: 'unchanged' },
	schedules: null,
	unreadSchedules: [],
	explicitEmpty: print.explicitEmpty,
	flags: print.flags,
	refused: print.refused,
	maxAgeMs: print.maxAgeMs,
	cursor: request.cursor,
	bytes: [...recall.heard.values()].reduce((sum, { bytes }) => sum + bytes, recall.bytes),
	canNarrow: print.canNarrow
});
