// Searches of a FHIR server, page by page to the end. A next link is followed exactly as given,
// but never to another origin; a page that fails ends the search as incomplete.
import { nextLinkOf, openBundle, openParsed, selfLinkOf, type OpenBundle } from '../bundle.ts';
import { fetchFile, type FetchContext, type KeptFile } from '../fetch-files.ts';
import { unheard, type Unheard } from '../http-faults.ts';
import { parsePiece, type Part } from '../ledger.ts';
import { piecesOf } from '../pieces.ts';
import type { PollWindow } from '../poll-window.ts';
import type { DirectoryEntry } from './directory.ts';
import { isJson } from './fhir-shapes.ts';

export const fhirJson = 'application/fhir+json';

export type Page = { readonly file: KeptFile; readonly bundle: OpenBundle };

export type Searched = {
	readonly pages: readonly Page[];
	/** Why the search did not reach its end; null = it did. */
	readonly fault: Unheard | null;
	readonly bytes: number;
	/** What the server says it searched for (self link of the first page); null = it does not say. */
	readonly applied: URLSearchParams | null;
	/** Parameters we sent that the server says it did not apply. */
	readonly ignored: readonly string[];
};

export const MAX_PAGES = 1_000;

const misleading = (detail: string): Unheard => unheard('not_understood', detail);

const appliedBy = (asked: string, self: string | null): URLSearchParams | null => {
	if (self === null || !URL.canParse(self, asked)) return null;
	const applied = new URL(self, asked).searchParams;
	return applied.size === 0 ? null : applied;
};

const ignoredBy = (asked: string, applied: URLSearchParams | null): string[] =>
	applied === null
		? []
		: [...new Set(new URL(asked).searchParams.keys())].filter((name) => !applied.has(name));

/** `ge2026-11-02T00:00:00Z` and `ge2026-11-01T17:00:00.000-07:00` ask for the same. */
const isSameMoment = (one: string, other: string): boolean => {
	const [first, second] = [one, other].map((text) => Date.parse(text.slice(2)));
	return one.slice(0, 2) === other.slice(0, 2) && first === second;
};

/** Whether the server says that it applied this filter, with this value and no other. */
export const didApply = (searched: Searched, name: string, value: string): boolean => {
	const told = searched.applied?.getAll(name) ?? [];
	return told.length === 1 && told.every((each) => each === value || isSameMoment(each, value));
};

const nextOf = (page: Page, home: string): string | Unheard | null => {
	const next = nextLinkOf(page.bundle.shell);
	if (next === null) return null;
	if (!URL.canParse(next, page.file.url)) return misleading('A link to the next page is no URL.');
	const url = new URL(next, page.file.url);
	return url.origin === home ? url.href : misleading('A link to the next page leaves the source.');
};

/** Runs one search to its end. */
export const searchAll = async (context: FetchContext, url: string): Promise<Searched> => {
	const home = new URL(context.caller.url).origin;
	const pages: Page[] = [];
	const seen = new Set<string>();
	let bytes = 0;
	const end = (fault: Unheard | null): Searched => {
		const first = pages[0];
		const self = first === undefined ? null : selfLinkOf(first.bundle.shell);
		const applied = appliedBy(url, self);
		return { pages, fault, bytes, applied, ignored: ignoredBy(url, applied) };
	};
	for (let next: string | null = url; next !== null;) {
		if (seen.has(next)) return end(misleading('The pages run in a circle.'));
		if (pages.length >= MAX_PAGES) {
			return end(unheard('too_large', 'The search has more pages than allowed.'));
		}
		seen.add(next);
		const fetched = await fetchFile(context, next, fhirJson);
		bytes += fetched.bytes;
		if (!fetched.ok) return end(fetched);
		const bundle = openBundle(fetched.file.body);
		if (bundle === null) return end(misleading('A page is no FHIR Bundle.'));
		const page = { file: fetched.file, bundle };
		pages.push(page);
		const link = nextOf(page, home);
		if (link !== null && typeof link !== 'string') return end(link);
		next = link;
	}
	return end(null);
};

/** The entries of all pages as parts of a ledger. */
export const partsOfPages = (pages: readonly Page[]): Part[] =>
	pages.map(({ bundle }, at) => ({ name: `page ${at + 1}`, body: bundle.body }));

/** The same pages, parsed as a whole because a cut went wrong; null when one is no Bundle. */
export const reopenParsed = (pages: readonly Page[]): Page[] | null => {
	const opened = pages.map(({ file }) => ({ file, bundle: openParsed(file.body) }));
	const whole = opened.filter((page): page is Page => page.bundle !== null);
	return whole.length === pages.length ? whole : null;
};

/** The resources of all pages, for searches of describing resources. */
export const entriesOfPages = (pages: readonly Page[]): DirectoryEntry[] =>
	pages.flatMap(({ bundle, file }) => {
		const pieces = piecesOf(bundle.body).map(parsePiece);
		const entries = pieces.every((piece) => piece !== null) ? pieces : reparsed(file);
		return entries.flatMap((piece) =>
			isJson(piece?.value)
				? [{ resource: piece.value['resource'], fullUrl: piece.value['fullUrl'] }]
				: []
		);
	});

const reparsed = (file: KeptFile): ({ readonly value: unknown } | null)[] => {
	const bundle = openParsed(file.body);
	return bundle === null ? [] : piecesOf(bundle.body).map(parsePiece);
};

/** Slots per page we ask for; servers may give fewer. */
const PAGE = 500;

const instantText = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

export const slotSearch = (base: string, window: PollWindow, more = ''): string =>
	`${base}/Slot?start=ge${instantText(window.askFrom)}&start=lt${instantText(window.to)}${more}&_count=${PAGE}`;
