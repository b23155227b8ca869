// A tape of what a poll heard, taken and played back where the HTTP client would speak to a source:
// whoever reads cannot tell, so that replaying needs no reader of its own. No request header is
// kept, addresses only as digests, and of an answer only the headers that steer its reading.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import type { Ask } from './http-client.ts';
import { unheard, type Heard, type Unheard } from './http-faults.ts';
import type { HeaderBag } from './http-headers.ts';

/** Stands between whoever asks and the network; `next` really asks. */
export type Tape = (ask: Ask, next: () => Promise<Heard | Unheard>) => Promise<Heard | Unheard>;

export type RawExchange = {
	/** Digest of method, address and body. */
	readonly request: string;
	/** Digest of the address without its query: what a later exchange takes the place of. */
	readonly page: string;
	/** When it was heard, ms since 1970. */
	readonly heardAt: number;
	readonly status: number;
	readonly headers: HeaderBag;
	/** Decompressed. */
	readonly body: Buffer;
};

export type Recorder = {
	readonly tape: Tape;
	/** Runs `work` and tells what was heard in it: not what others hear meanwhile (bookings). */
	readonly record: <T>(
		work: () => Promise<T>
	) => Promise<{ readonly value: T; readonly exchanges: readonly RawExchange[] }>;
};

const keptHeaders: ReadonlySet<string> = new Set([
	'cache-control',
	'content-type',
	'date',
	'etag',
	'last-modified',
	'link',
	'retry-after'
]);

/** Request headers that hold no secret. */
const plainHeaders: ReadonlySet<string> = new Set([
	'accept',
	'cache-control',
	'cal-api-version',
	'content-type',
	'if-modified-since',
	'if-none-match',
	'prefer'
]);

const digest = (...parts: readonly string[]): string =>
	createHash('sha256').update(parts.join('\n')).digest('base64url');

const requestOf = ({ method = 'GET', url, body = '' }: Ask): string => digest(method, url, body);

const pageOf = ({ url }: Ask): string => {
	const { origin, pathname } = new URL(url);
	return digest(origin + pathname);
};

const LEAST_SECRET_CHARACTERS = 6;

/** What we sent to be let in: `Bearer abc` is looked for as a whole and as `abc`. */
const secretsIn = ({ headers = {} }: Ask): string[] =>
	Object.entries(headers)
		.filter(([name]) => !plainHeaders.has(name.toLowerCase()))
		.flatMap(([, value]) => value.split(/\s+/))
		.filter((word) => word.length >= LEAST_SECRET_CHARACTERS && word !== 'Bearer');

/** A source that repeats our secret in its answer does not get it written down. */
const scrub = (body: Buffer, secrets: readonly string[]): Buffer => {
	let clean = body;
	for (const secret of secrets) {
		for (let at = clean.indexOf(secret); at >= 0; at = clean.indexOf(secret, at + 1)) {
			if (clean === body) clean = Buffer.from(body);
			clean.fill('*', at, at + Buffer.byteLength(secret));
		}
	}
	return clean;
};

const exchangeOf = (ask: Ask, heard: Heard): RawExchange => ({
	request: requestOf(ask),
	page: pageOf(ask),
	heardAt: Date.now(),
	status: heard.status,
	headers: Object.fromEntries(
		Object.entries(heard.headers).filter(([name]) => keptHeaders.has(name))
	),
	body: scrub(heard.body, secretsIn(ask))
});

export const createRecorder = (): Recorder => {
	const running = new AsyncLocalStorage<RawExchange[]>();
	return {
		tape: async (ask, next) => {
			const heard = await next();
			if (heard.ok) running.getStore()?.push(exchangeOf(ask, heard));
			return heard;
		},
		record: async (work) => {
			const exchanges: RawExchange[] = [];
			const value = await running.run(exchanges, work);
			return { value, exchanges };
		}
	};
};

/** Answers as it was once answered; what was never heard is unreachable. Nothing is really asked. */
export const playTape = (exchanges: readonly RawExchange[]): Tape => {
	const byRequest = new Map(exchanges.map((one) => [one.request, one]));
	return async (ask) => {
		const kept = byRequest.get(requestOf(ask));
		if (kept === undefined) {
			return unheard('unreachable', 'This request is not among the kept answers.', {
				maybeSent: false
			});
		}
		const { status, headers, body } = kept;
		return { ok: true, status, headers, body, bytes: body.byteLength };
	};
};

/**
 * E16: what a poll did not ask again, because the process still knew it (features, a directory), is
 * taken over from the answer before, so that each kept answer can be read by itself.
 */
export const withEarlier = (
	heard: readonly RawExchange[],
	earlier: readonly RawExchange[],
	since: number
): RawExchange[] => {
	const pages = new Set(heard.map(({ page }) => page));
	return [...earlier.filter((one) => !pages.has(one.page) && one.heardAt >= since), ...heard];
};

const HEAD_BYTES = 4;

/** One run of bytes: the length of a head in JSON, the head, the bodies one after another. */
export const packExchanges = (exchanges: readonly RawExchange[]): Buffer => {
	const head = Buffer.from(
		JSON.stringify(exchanges.map(({ body, ...rest }) => ({ ...rest, size: body.byteLength })))
	);
	const length = Buffer.alloc(HEAD_BYTES);
	length.writeUInt32BE(head.byteLength);
	return Buffer.concat([length, head, ...exchanges.map(({ body }) => body)]);
};

type Packed = Omit<RawExchange, 'body'> & { readonly size: number };

/** The inverse; only for what was packed here and authenticated since. */
export const unpackExchanges = (packed: Buffer): RawExchange[] => {
	const end = HEAD_BYTES + packed.readUInt32BE();
	const head = JSON.parse(packed.toString('utf8', HEAD_BYTES, end)) as Packed[];
	let at = end;
	return head.map(({ size, ...rest }) => {
		const body = packed.subarray(at, at + size);
		at += size;
		return { ...rest, body };
	});
};
