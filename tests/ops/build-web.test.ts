import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isWebBuilt } from '../../ops/build-web.ts';

let root: string;

beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), 'slotcast-web-'));
	write('web/routes/page.svelte', 100);
	write('domain/slot.ts', 100);
	write('build/handler.js', 200);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (path: string, seconds: number) => {
	const full = join(root, path);
	mkdirSync(dirname(full), { recursive: true });
	writeFileSync(full, '');
	utimesSync(full, seconds, seconds);
};

test('[O11] pages newer than everything they are made from are built', () => {
	expect(isWebBuilt(root)).toBe(true);
});

test.each(['web/routes/new.svelte', 'domain/slot.ts', 'vite.config.ts', 'package-lock.json'])(
	'[O11] a newer %s means they are not',
	(path) => {
		write(path, 300);
		expect(isWebBuilt(root)).toBe(false);
	}
);

test('[O11] what the build itself makes does not count', () => {
	write('web/paraglide/messages.js', 300);
	write('web/node_modules/$app/tsconfig.json', 300);
	write('web/project.inlang/cache/plugin.json', 300);
	write('web/project.inlang/README.md', 300);
	expect(isWebBuilt(root)).toBe(true);
});

test('[O11] no pages at all are not built pages', () => {
	rmSync(join(root, 'build'), { recursive: true });
	expect(isWebBuilt(root)).toBe(false);
});
