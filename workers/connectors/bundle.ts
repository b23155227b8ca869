// Opens a searchset Bundle without parsing its entries: finds where they begin and end, and proves
// it by parsing the Bundle with one mark in their place. Falls back to parsing where it must.
import type { Body, Mark } from './pieces.ts';
import { lineMark } from './pieces.ts';

type Json = Readonly<Record<string, unknown>>;

export type OpenBundle = {
	/** The Bundle without its entries. */
	readonly shell: Json;
	/** One record per entry. */
	readonly body: Body;
};

const isJson = (value: unknown): value is Json =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

const parse = (text: string): unknown => {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
};

const spaces = new Set([0x20, 0x0a, 0x0d, 0x09]);
const skipSpaces = (bytes: Buffer, from: number): number => {
	let at = from;
	while (at < bytes.length && spaces.has(bytes[at] ?? 0)) at += 1;
	return at;
};

/** Position after `"entry" : [`, or -1. Inside a string those quotes would be escaped. */
const entriesAt = (bytes: Buffer): number => {
	for (let at = bytes.indexOf('"entry"'); at >= 0; at = bytes.indexOf('"entry"', at + 1)) {
		const colon = skipSpaces(bytes, at + 7);
		if (bytes[colon] !== 0x3a) continue;
		const bracket = skipSpaces(bytes, colon + 1);
		if (bytes[bracket] === 0x5b) return bracket + 1;
	}
	return -1;
};

/**
 * Between two entries stands `},` + white space + `{` + white space + the name of the first member,
 * as in front of the first entry. In a JSON text this can stand nowhere inside a string, because a
 * quote right after `{` and blanks would end the string, and a name cannot follow an end.
 */
const markAt = (bytes: Buffer, first: number, spaceBefore: Buffer): Mark | null => {
	const name = skipSpaces(bytes, first + 1);
	const end = bytes[name] === 0x22 ? bytes.indexOf(0x22, name + 1) : -1;
	if (end < 0 || end - name > 80 || end === name + 1) return null;
	const opening = bytes.subarray(first, end + 1);
	const joint = Buffer.concat([Buffer.from(','), spaceBefore]);
	return {
		pattern: Buffer.concat([Buffer.from('}'), joint, opening]),
		endAt: 1,
		startAt: 1 + joint.length,
		joint
	};
};

const PLACE = 'here were the entries';
const MAX_TRIES = 64;
/** A header or trailer longer than this is not worth the trouble. */
const MAX_SHELL = 65_536;

const shellOf = (bytes: Buffer, from: number, to: number): Json | null => {
	if (from + bytes.length - to > MAX_SHELL) return null;
	const text = `${bytes.toString('utf8', 0, from)}"${PLACE}"${bytes.toString('utf8', to)}`;
	const shell = parse(text);
	if (!isJson(shell) || !Array.isArray(shell['entry'])) return null;
	return shell['entry'].length === 1 && shell['entry'][0] === PLACE ? shell : null;
};

const lastPieceParses = (bytes: Buffer, first: number, end: number, mark: Mark): boolean => {
	const at = bytes.subarray(first, end).lastIndexOf(mark.pattern);
	const start = at < 0 ? first : first + at + mark.startAt;
	return isJson(parse(bytes.toString('utf8', start, end)));
};

const cut = (bytes: Buffer): OpenBundle | null => {
	const from = entriesAt(bytes);
	if (from < 0) return null;
	const first = skipSpaces(bytes, from);
	if (bytes[first] !== 0x7b) return null;
	const mark = markAt(bytes, first, bytes.subarray(from, first));
	if (mark === null) return null;
	let bracket = bytes.lastIndexOf(0x5d);
	for (let tries = 0; tries < MAX_TRIES && bracket > first; tries += 1) {
		let end = bracket;
		while (spaces.has(bytes[end - 1] ?? 0)) end -= 1;
		if (bytes[end - 1] === 0x7d && lastPieceParses(bytes, first, end, mark)) {
			const shell = shellOf(bytes, from, bracket);
			if (shell !== null) return { shell, body: { bytes: bytes.subarray(first, end), mark } };
		}
		bracket = bytes.lastIndexOf(0x5d, bracket - 1);
	}
	return null;
};

/** Parses the whole Bundle and writes its entries as lines, for bodies that cannot be cut. */
export const openParsed = (bytes: Buffer): OpenBundle | null => {
	const bundle = parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
	if (!isJson(bundle) || bundle['resourceType'] !== 'Bundle') return null;
	const { entry = [], ...shell } = bundle;
	if (!Array.isArray(entry)) return null;
	const lines = entry.map((each) => JSON.stringify(each)).join('\n');
	return { shell, body: { bytes: Buffer.from(lines), mark: lineMark } };
};

/** Opens a Bundle; null when the body is none. */
export const openBundle = (bytes: Buffer): OpenBundle | null => {
	const opened = cut(bytes);
	if (opened?.shell['resourceType'] === 'Bundle') return opened;
	return openParsed(bytes);
};

/** The address of the next page, or null. */
export const nextLinkOf = (shell: Json): string | null => linkOf(shell, 'next');
export const selfLinkOf = (shell: Json): string | null => linkOf(shell, 'self');

const linkOf = (shell: Json, relation: string): string | null => {
	const links: unknown = shell['link'];
	if (!Array.isArray(links)) return null;
	for (const link of links) {
		if (isJson(link) && link['relation'] === relation && typeof link['url'] === 'string') {
			return link['url'];
		}
	}
	return null;
};
