import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import {
	cacheFolder,
	makeFolder,
	makePassingFolder,
	makeRunFolder,
	othersCanWalk
} from '../../ops/embedded/paths.ts';

test('[O12] a run folder of a process that is gone is swept, one of a living process stays', () => {
	// Process ids of Linux end at 4194304.
	const dead = join(cacheFolder(), 'run-99999999-test-left');
	mkdirSync(dead, { recursive: true });
	const ours = makeRunFolder('test');
	const another = makeRunFolder('test');
	expect([existsSync(dead), existsSync(ours), existsSync(another)]).toEqual([false, true, true]);
	rmSync(ours, { recursive: true });
	rmSync(another, { recursive: true });
});

test('[O12] what a killed run left in memory is swept as well, and others can walk there', () => {
	const first = makePassingFolder('test');
	const dead = join(dirname(first), 'run-99999999-test-left');
	mkdirSync(dead);
	const second = makePassingFolder('test');
	expect([existsSync(dead), existsSync(first), othersCanWalk(second)]).toEqual([false, true, true]);
	rmSync(first, { recursive: true });
	rmSync(second, { recursive: true });
});

test('[O12] a folder is made with its mode whatever the umask is', () => {
	const base = mkdtempSync(join(tmpdir(), 'slotcast-mode-'));
	const before = process.umask(0o077);
	try {
		expect(statSync(makeFolder(join(base, 'open'), 0o755)).mode & 0o777).toBe(0o755);
		expect(statSync(makeFolder(join(base, 'shut'), 0o700)).mode & 0o777).toBe(0o700);
	} finally {
		process.umask(before);
		rmSync(base, { recursive: true });
	}
});

test('[O12] a folder inside a private home cannot be walked to by others', () => {
	const home = mkdtempSync(join(tmpdir(), 'slotcast-home-'));
	const inside = makeFolder(join(home, 'project'), 0o755);
	expect(othersCanWalk(inside)).toBe(false);
	makeFolder(home, 0o755);
	expect(othersCanWalk(inside)).toBe(true);
	rmSync(home, { recursive: true });
});
