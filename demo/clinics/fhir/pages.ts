// Searchset Bundles in pages. The next link is opaque and carries its place in the order, so that
// paging to the end shows every item that was there throughout, whatever changes meanwhile.
import type { Result } from '#domain/result.ts';
import { ok, refuse } from '#domain/result.ts';
import type { Query } from './search.ts';

export type PageToken = {
	type: string;
	query: Query;
	/** Sort key of the last item already sent. */
	after: string;
};

/** An item ready to be sent: its place in the order, its JSON text, and what it refers to. */
export type Item = { key: string; path: string; text: () => string; resource: unknown };

export type PageRequest = {
	base: string;
	type: string;
	applied: Query;
	matches: readonly Item[];
	after: string;
	count: number;
	included: (shown: readonly Item[]) => readonly Item[];
};

const MAX_TOKEN = 8000;

const isQuery = (value: unknown): value is Query =>
	Array.isArray(value) &&
	value.every(
		(pair) =>
			Array.isArray(pair) && pair.length === 2 && pair.every((each) => typeof each === 'string')
	);

export const writeToken = (token: PageToken): string =>
	Buffer.from(JSON.stringify([token.type, token.query, token.after])).toString('base64url');

/** Reads a token of our own making; anything else is refused. */
export const readToken = (text: string): Result<PageToken, 'token_unreadable'> => {
	if (text.length > MAX_TOKEN) return refuse('token_unreadable');
	try {
		const read: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
		if (!Array.isArray(read)) return refuse('token_unreadable');
		const [type, query, after]: unknown[] = read;
		if (typeof type !== 'string' || typeof after !== 'string' || !isQuery(query)) {
			return refuse('token_unreadable');
		}
		return ok({ type, query, after });
	} catch {
		return refuse('token_unreadable');
	}
};

/** The page size asked for, at most `most`. */
export const readCount = (query: Query, most: number): number => {
	const asked = Number(query.findLast(([name]) => name === '_count')?.[1] ?? most);
	return Number.isInteger(asked) && asked >= 0 ? Math.min(asked, most) : most;
};

const entry = (base: string, item: Item, mode: 'match' | 'include'): string =>
	`{"fullUrl":${JSON.stringify(`${base}/${item.path}`)},"resource":${item.text()},"search":{"mode":"${mode}"}}`;

/** One page as JSON text; written by hand because the entries are texts already. */
export const writePage = (request: PageRequest): string => {
	const { base, type, applied, matches, after, count } = request;
	const from = after === '' ? 0 : matches.findIndex((item) => item.key > after);
	const shown = from < 0 || count === 0 ? [] : matches.slice(from, from + count);
	const last = shown.at(-1);
	const self = `${base}/${type}?${new URLSearchParams(applied.map(([name, value]) => [name, value]))}`;
	const links = [{ relation: 'self', url: self.replace(/\?$/, '') }];
	if (last !== undefined && from + count < matches.length) {
		const token = writeToken({ type, query: applied, after: last.key });
		links.push({ relation: 'next', url: `${base}?pg=${token}` });
	}
	const entries = [
		...shown.map((item) => entry(base, item, 'match')),
		...request.included(shown).map((item) => entry(base, item, 'include'))
	];
	const head = `{"resourceType":"Bundle","type":"searchset","total":${matches.length},"link":${JSON.stringify(links)}`;
	return entries.length === 0 ? `${head}}` : `${head},"entry":[${entries.join(',')}]}`;
};
