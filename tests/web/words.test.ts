// The message catalogue against the components, both ways.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'svelte/compiler';
import { expect, test } from 'vitest';
import { projectRoot } from '../../ops/embedded/paths.ts';

const web = join(projectRoot, 'web');
const MADE = new Set(['paraglide', 'node_modules', '.svelte-kit', 'static']);

const filesBelow = (folder: string): string[] =>
	readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
		const path = join(folder, entry.name);
		if (entry.isDirectory()) return MADE.has(entry.name) ? [] : filesBelow(path);
		return /\.(?:ts|svelte)$/.test(entry.name) ? [path] : [];
	});

const sources = filesBelow(web).map((path) => ({ path, text: readFileSync(path, 'utf8') }));
const catalogue: Record<string, unknown> = JSON.parse(
	readFileSync(join(web, 'messages/en.json'), 'utf8')
);
const keys = Object.keys(catalogue).filter((key) => key !== '$schema');

const textsOf = (message: unknown): string[] => {
	if (typeof message === 'string') return [message];
	if (Array.isArray(message)) return message.flatMap(textsOf);
	if (typeof message !== 'object' || message === null) return [];
	return textsOf(Object.values(Reflect.get(message, 'match') ?? {}));
};

test('[U25] every message is used by the screens', () => {
	const all = sources.map(({ text }) => text).join('\n');
	expect(keys.filter((key) => !new RegExp(String.raw`\bm\.${key}\b`).test(all))).toEqual([]);
});

const SPOKEN = new Set(['aria-label', 'title', 'placeholder', 'alt', 'content']);
const hasLetters = (text: string): boolean => /\p{L}{2}/u.test(text.replaceAll(/&\w+;/g, ''));

const wordsIn = (node: unknown, found: string[]): void => {
	if (Array.isArray(node)) for (const one of node) wordsIn(one, found);
	if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
	const [type, name, data, value] = ['type', 'name', 'data', 'value'].map((key): unknown =>
		Reflect.get(node, key)
	);
	// Attribute texts are names for machines, but for those that are read out or shown.
	if (type === 'Attribute' && !(SPOKEN.has(String(name)) && Array.isArray(value))) return;
	if (type === 'Text' && hasLetters(String(data))) found.push(String(data).trim());
	for (const child of Object.values(node)) if (typeof child === 'object') wordsIn(child, found);
};

test('[U25] no component holds words of its own', () => {
	const found = sources
		.filter(({ path }) => path.endsWith('.svelte'))
		.flatMap(({ path, text }) => {
			const words: string[] = [];
			wordsIn(parse(text, { modern: true }).fragment, words);
			return words.map((word) => `${path}: ${word}`);
		});
	expect(found).toEqual([]);
});

const MAX_WORDS = 20;

test('[U25] no sentence has more than 20 words', () => {
	const long = keys.flatMap((key) =>
		textsOf(catalogue[key])
			.flatMap((text) => text.split(/(?<=[.?!])\s+/))
			.filter((sentence) => sentence.split(/\s+/).length > MAX_WORDS)
			.map((sentence) => `${key}: ${sentence}`)
	);
	expect(long).toEqual([]);
});
