// Asks a vendor for its answers, page by page, as its mapping says. A page that fails leaves the
// rest untold; a next page never leaves the source and never runs in a circle.
import type { Mapping } from '#domain/mapping.ts';
import { fetchFile, type FetchContext, type KeptFile } from '../fetch-files.ts';
import { unheard, type Unheard } from '../http-faults.ts';
import { cacheWordOf, dateOf } from '../http-headers.ts';
import type { PollWindow } from '../poll-window.ts';
import { isJson } from './fhir-shapes.ts';
import { parseAnswer, type BrokenRow } from './mapped-answers.ts';
import { allAt, scopesOf } from './mapped-paths.ts';
import type { MappedPage } from './mapped-reading.ts';

export type Gathered = {
	readonly pages: readonly MappedPage[];
	readonly broken: readonly BrokenRow[];
	readonly files: readonly KeptFile[];
	/** Why not all pages came. */
	readonly fault: Unheard | null;
	readonly bytes: number;
};

const MAX_PAGES = 100;
/** Answers are parsed as a whole; larger ones belong into a bulk format. */
const MAX_ANSWER_BYTES = 16 * 1_048_576;

const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');

/** `{from}` and its like, in a text. */
const filled = (text: string, { askFrom, to }: PollWindow): string =>
	text
		.replaceAll('{from}', iso(askFrom))
		.replaceAll('{to}', iso(to))
		.replaceAll('{fromDate}', iso(askFrom).slice(0, 10))
		.replaceAll('{toDate}', iso(to).slice(0, 10));

const filledIn = (value: unknown, window: PollWindow): unknown => {
	if (typeof value === 'string') return filled(value, window);
	if (Array.isArray(value)) return value.map((each) => filledIn(each, window));
	if (!isJson(value)) return value;
	return Object.fromEntries(
		Object.entries(value).map(([name, each]) => [name, filledIn(each, window)])
	);
};

/** What to ask for next: an address, and what paging sets. */
type Turn = { readonly url: string; readonly set: Readonly<Record<string, string | number>> };

const urlOf = (base: string, mapping: Mapping, turn: Turn, window: PollWindow): string => {
	const url = new URL(turn.url);
	if (turn.url === base) {
		for (const [name, value] of Object.entries(mapping.request.query)) {
			url.searchParams.set(name, filled(value, window));
		}
	}
	if (mapping.request.graphql === undefined) {
		for (const [name, value] of Object.entries(turn.set)) url.searchParams.set(name, String(value));
	}
	return url.href;
};

/** Sets `a.b` of nested variables without touching the originals. */
const withSet = (variables: unknown, path: readonly string[], value: string | number): unknown => {
	const [name, ...rest] = path;
	if (name === undefined) return value;
	const own = isJson(variables) ? variables : {};
	return { ...own, [name]: withSet(own[name], rest, value) };
};

const bodyOf = (mapping: Mapping, turn: Turn, window: PollWindow): string => {
	const { graphql } = mapping.request;
	let variables = filledIn(graphql?.variables ?? {}, window);
	for (const [path, value] of Object.entries(turn.set)) {
		variables = withSet(variables, path.split('.'), value);
	}
	return JSON.stringify({ query: graphql?.query, variables });
};

type Got = { readonly ok: true; readonly file: KeptFile; readonly bytes: number } | Unheard;

const post = async (context: FetchContext, url: string, body: string): Promise<Got> => {
	const heard = await context.http.read({
		caller: context.caller,
		url,
		method: 'POST',
		headers: { accept: 'application/json', 'content-type': 'application/json', ...context.headers },
		body,
		signal: context.signal
	});
	if (!heard.ok) return heard;
	context.budget.left -= heard.body.byteLength;
	if (context.budget.left < 0) {
		return unheard('too_large', 'The answers together are larger than allowed.', {
			bytes: heard.bytes
		});
	}
	const file: KeptFile = {
		url,
		etag: null,
		lastModified: null,
		...cacheWordOf(heard.headers),
		dateMs: dateOf(heard.headers),
		readAt: context.now,
		body: heard.body
	};
	return { ok: true, file, bytes: heard.bytes };
};

/** Records on a page, for the paging that ends with an empty one. */
const countOf = (value: unknown, { slots, schedules }: Mapping): number =>
	scopesOf(value, (slots ?? schedules)?.each ?? []).length;

const plainAt = (value: unknown, path: string): string | null => {
	const [found] = allAt(value, path);
	if (typeof found === 'number') return String(found);
	return typeof found === 'string' && found !== '' ? found : null;
};

const nextTurn = (
	mapping: Mapping,
	turn: Turn,
	{ value, number }: { value: unknown; number: number }
): Turn | null => {
	const { paging } = mapping;
	if (paging === undefined) return null;
	if (paging.by === 'link') {
		const link = plainAt(value, paging.at);
		return link === null || !URL.canParse(link, turn.url)
			? null
			: { url: new URL(link, turn.url).href, set: {} };
	}
	if (paging.by === 'cursor') {
		const cursor = plainAt(value, paging.at);
		return cursor === null ? null : { ...turn, set: { [paging.parameter]: cursor } };
	}
	if (countOf(value, mapping) === 0) return null;
	const at = paging.by === 'page' ? paging.first + number : number * paging.size;
	return { ...turn, set: { [paging.parameter]: at } };
};

const firstTurn = (base: string, { paging }: Mapping): Turn => {
	if (paging?.by === 'page') return { url: base, set: { [paging.parameter]: paging.first } };
	if (paging?.by === 'offset') return { url: base, set: { [paging.parameter]: 0 } };
	return { url: base, set: {} };
};

const cutShort = (detail: string): Unheard => unheard('not_understood', detail);

/** All pages, or as many as came. */
export const gatherPages = async (
	context: FetchContext,
	mapping: Mapping,
	window: PollWindow
): Promise<Gathered> => {
	const base = context.caller.url;
	const pages: MappedPage[] = [];
	const broken: BrokenRow[] = [];
	const files: KeptFile[] = [];
	const seen = new Set<string>();
	let bytes = 0;
	const end = (fault: Unheard | null): Gathered => ({ pages, broken, files, fault, bytes });
	let turn: Turn | null = firstTurn(base, mapping);
	while (turn !== null) {
		const url = urlOf(base, mapping, turn, window);
		const isQuery = mapping.request.graphql !== undefined;
		const body = isQuery ? bodyOf(mapping, turn, window) : '';
		if (seen.has(url + body)) return end(cutShort('The pages run in a circle.'));
		if (new URL(url).origin !== new URL(base).origin) return end(cutShort('A page is elsewhere.'));
		if (pages.length >= MAX_PAGES) return end(cutShort('There are more pages than allowed.'));
		seen.add(url + body);
		const accept = mapping.format === 'csv' ? 'text/csv' : 'application/json';
		const got: Got = isQuery
			? await post(context, url, body)
			: await fetchFile(context, url, accept);
		bytes += got.bytes;
		if (!got.ok) return end(got);
		const isTooLarge = got.file.body.byteLength > MAX_ANSWER_BYTES;
		if (isTooLarge) return end(unheard('too_large', 'An answer is larger than allowed.'));
		const parsed = parseAnswer(got.file.body, mapping);
		if (!parsed.ok) return end(cutShort(parsed.detail));
		const name = `page ${pages.length + 1}`;
		pages.push({ name, value: parsed.value });
		broken.push(
			...parsed.broken.map(({ where, reason }) => ({ where: `${name} ${where}`, reason }))
		);
		if (!isQuery) files.push(got.file);
		turn = nextTurn(mapping, turn, { value: parsed.value, number: pages.length });
	}
	return end(null);
};
