// Documents against code: rules and test titles, refusals, dependencies, words, links.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { refusals } from '#domain/refusals.ts';

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
	encoding: 'utf8'
})
	.split('\n')
	.filter((path) => path !== '' && existsSync(path));

const read = (path: string): string => readFileSync(path, 'utf8');

const rulesWritten = (): string[] =>
	readdirSync('docs/spec')
		.flatMap((file) => [...read(join('docs/spec', file)).matchAll(/^- \*\*([A-Z]+\d+)\*\*/gm)])
		.map((match) => match[1] ?? '');

/** Titles look like `'[D1] …'` or `'[D1][D2] …'` behind an opening quote or backtick. */
const rulesCited = (): Set<string> => {
	const cited = new Set<string>();
	for (const path of tracked.filter((file) => /^tests\/.*[.]test[.]ts$/.test(file))) {
		for (const title of read(path).matchAll(/['"`]((?:\[[A-Z]+\d+\] ?)+)/g)) {
			for (const rule of (title[1] ?? '').matchAll(/[A-Z]+\d+/g)) cited.add(rule[0]);
		}
	}
	return cited;
};

test('[Z1] every rule is written once', () => {
	const written = rulesWritten();
	expect(written.length).toBeGreaterThan(50);
	expect(written.filter((rule, index) => written.indexOf(rule) !== index)).toEqual([]);
});

test('[Z1] every rule has a test and every cited rule exists', () => {
	const written = new Set(rulesWritten());
	const cited = rulesCited();
	expect({
		withoutTest: [...written].filter((rule) => !cited.has(rule)),
		notWritten: [...cited].filter((rule) => !written.has(rule))
	}).toEqual({ withoutTest: [], notWritten: [] });
});

test('[Z2] docs/refusals.md is the refusals table', () => {
	const rows = [...read('docs/refusals.md').matchAll(/^\| `(\w+)` *\| (\d+) *\| (.*?) *\|$/gm)].map(
		([, reason = '', status, text]) => [reason, { status: Number(status), text }]
	);
	expect(Object.fromEntries(rows)).toEqual(refusals);
});

test('[Z3] docs/dependencies.md names every direct dependency', () => {
	const manifest: Record<string, Record<string, string>> = JSON.parse(read('package.json'));
	const direct = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
		Object.keys(manifest[kind] ?? {})
	);
	const rows = read('docs/dependencies.md')
		.split('\n')
		.filter((line) => line.startsWith('| `'))
		.map((line) => line.split('|')[1] ?? '');
	const named = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? ''));
	const covers = (name: string): boolean =>
		named.some((entry) =>
			entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : entry === name
		);
	expect(direct.filter((name) => !covers(name))).toEqual([]);
	expect(named.filter((entry) => !entry.endsWith('*') && !direct.includes(entry))).toEqual([]);
});

test('[Z4] no name in our code uses a word that was given up', () => {
	const rows = read('docs/words.md').split('\n');
	const givenUp = rows
		.filter((line) => line.startsWith('| `') || line.startsWith('| '))
		.flatMap((line) => [...(line.split('|')[3] ?? '').matchAll(/`(\w+)`/g)].map((m) => m[1] ?? ''));
	expect(givenUp.length).toBeGreaterThan(10);
	const code = tracked.filter((path) =>
		/^(domain|server|workers|web)\/.*[.](ts|svelte)$/.test(path)
	);
	const found = code.flatMap((path) => {
		const text = read(path);
		return givenUp
			.filter((word) => new RegExp(`\\b${word}\\b`).test(text))
			.map((word) => `${path}: ${word}`);
	});
	expect(found).toEqual([]);
});

test('[Z5] links in documents lead somewhere', () => {
	const documents = tracked.filter((path) => path.endsWith('.md'));
	const broken = documents.flatMap((path) =>
		[...read(path).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
			.map((match) => match[1] ?? '')
			.filter((target) => !/^[a-z]+:/.test(target))
			.filter((target) => !existsSync(normalize(join(dirname(path), target))))
			.map((target) => `${path} → ${target}`)
	);
	expect(broken).toEqual([]);
});

test('[Z5] files named in the documents exist', () => {
	const documents = tracked.filter((path) => /^(docs\/[^/]+|[A-Z]+)[.]md$/.test(path));
	const missing = documents.flatMap((path) =>
		[...read(path).matchAll(/`((?:domain|server|workers|web|demo|ops|tests)\/[\w./-]*\w)`/g)]
			.map((match) => match[1] ?? '')
			.filter((target) => !existsSync(target))
			.map((target) => `${path} → ${target}`)
	);
	expect(missing).toEqual([]);
});

test('[Z6] no tracked file names a machine path or a registry host', () => {
	const forbidden = [
		['', 'work', 'main'].join('/'),
		['', 'tmp', 'slotcast'].join('/'),
		['registry', 'npmjs', 'org'].join('.'),
		['deb', 'debian', 'org'].join('.')
	];
	const found = tracked
		.filter((path) => !/[.](png|webp|woff2)$/.test(path))
		.flatMap((path) => {
			const text = read(path);
			return forbidden.filter((word) => text.includes(word)).map((word) => `${path}: ${word}`);
		});
	expect(found).toEqual([]);
});
