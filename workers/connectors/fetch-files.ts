// Fetches files with validators, a few at a time: what has not changed is taken from the last time.
import { must } from '#domain/result.ts';
import type { Instant } from '#domain/time.ts';
import type { Caller, HttpClient } from './http-client.ts';
import { unheard, type Heard, type Unheard } from './http-faults.ts';
import { cacheWordOf, dateOf, headerOf } from './http-headers.ts';

/** A file as it was last read. */
export type KeptFile = {
	readonly url: string;
	readonly etag: string | null;
	readonly lastModified: string | null;
	readonly isImmutable: boolean;
	readonly maxAgeMs: number | null;
	readonly dateMs: number | null;
	readonly readAt: Instant;
	readonly body: Buffer;
};

export type FetchedFile =
	| { readonly ok: true; readonly file: KeptFile; readonly isSame: boolean; readonly bytes: number }
	| Unheard;

export type FetchContext = {
	readonly http: HttpClient;
	readonly caller: Caller;
	readonly now: Instant;
	readonly signal: AbortSignal;
	/** Files of the last committed poll, by URL; empty = ask for everything. */
	readonly kept: ReadonlyMap<string, KeptFile>;
	/** What all files of this poll together may still weigh, unpacked. */
	readonly budget: { left: number };
	/** What was heard of some files earlier in this very poll, by URL: they are not asked for twice. */
	readonly heard?: ReadonlyMap<string, FetchedFile>;
	/** Sent with every request: a version, a key. */
	readonly headers?: Readonly<Record<string, string>>;
};

/** All files or pages of one poll together, unpacked, unless set otherwise. */
export const LISTING_BYTES = 128 * 1_048_576;

/** A file whose URL stands for its content is asked for again only after this, ms. */
const IMMUTABLE_MS = 300_000;

const keptFileOf = (url: string, heard: Heard, now: Instant): KeptFile => ({
	url,
	etag: headerOf(heard.headers, 'etag'),
	lastModified: headerOf(heard.headers, 'last-modified'),
	...cacheWordOf(heard.headers),
	dateMs: dateOf(heard.headers),
	readAt: now,
	body: heard.body
});

type Validators = Pick<KeptFile, 'etag' | 'lastModified'>;

const conditionOf = (kept: Validators | undefined): Record<string, string> => {
	if (kept === undefined) return {};
	if (kept.etag !== null) return { 'if-none-match': kept.etag };
	return kept.lastModified === null ? {} : { 'if-modified-since': kept.lastModified };
};

type Looked =
	| { readonly isSame: true; readonly bytes: number; readonly dateMs: number | null }
	| { readonly isSame: false; readonly fetched: FetchedFile };

/** Asks for a file under the condition that it is not as `kept` any more. */
export const lookAtFile = async (
	{ http, caller, headers, signal, now }: FetchContext,
	url: string,
	accept: string,
	kept: Validators | undefined
): Promise<Looked> => {
	const condition = conditionOf(kept);
	const heard = await http.read({
		caller,
		url,
		headers: { accept, ...headers, ...condition },
		signal
	});
	if (!heard.ok) return { isSame: false, fetched: heard };
	const { bytes, status } = heard;
	if (status !== 304) {
		const file = keptFileOf(url, heard, now);
		return { isSame: false, fetched: { ok: true, file, isSame: false, bytes } };
	}
	if (Object.keys(condition).length > 0) {
		return { isSame: true, bytes, dateMs: dateOf(heard.headers) };
	}
	const detail = 'The source said "not modified" without being asked.';
	return { isSame: false, fetched: unheard('not_understood', detail, { bytes, status }) };
};

const overBudget = (bytes: number): Unheard =>
	unheard('too_large', 'The files of the source together are larger than allowed.', { bytes });

/** One file; `mayRest` = a file declared immutable need not be asked for at every poll. */
export const fetchFile = async (
	context: FetchContext,
	url: string,
	accept: string,
	mayRest = false
): Promise<FetchedFile> => {
	if (context.budget.left <= 0) return overBudget(0);
	const fetched = await fetchOne(context, url, accept, mayRest);
	if (!fetched.ok) return fetched;
	context.budget.left -= fetched.file.body.byteLength;
	return context.budget.left < 0 ? overBudget(fetched.bytes) : fetched;
};

const fetchOne = async (
	context: FetchContext,
	url: string,
	accept: string,
	mayRest: boolean
): Promise<FetchedFile> => {
	const heard = context.heard?.get(url);
	if (heard !== undefined) return heard;
	const { now } = context;
	const kept = context.kept.get(url);
	const rests = mayRest && kept?.isImmutable === true && now - kept.readAt < IMMUTABLE_MS;
	if (rests) return { ok: true, file: kept, isSame: true, bytes: 0 };
	const looked = await lookAtFile(context, url, accept, kept);
	if (looked.isSame) {
		const file = { ...must(kept, 'what was asked about'), dateMs: looked.dateMs, readAt: now };
		return { ok: true, file, isSame: true, bytes: looked.bytes };
	}
	const { fetched } = looked;
	if (!fetched.ok || kept?.body.equals(fetched.file.body) !== true) return fetched;
	// The old bytes are kept instead, so that comparing them later is free.
	return { ...fetched, file: { ...fetched.file, body: kept.body }, isSame: true };
};

const AT_ONCE = 4;

/** Runs `work` over all items, at most AT_ONCE at a time; results in order. */
export const inParallel = async <T, R>(
	items: readonly T[],
	work: (item: T) => Promise<R>
): Promise<R[]> => {
	const results: R[] = [];
	let next = 0;
	const run = async (): Promise<void> => {
		for (;;) {
			const at = next;
			next += 1;
			const item = items[at];
			if (item === undefined) return;
			results[at] = await work(item);
		}
	};
	await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, run));
	return results;
};
