import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepKeys } from '../../../demo/launch/keys.ts';
import { claimFolder, readRunning } from '../../../demo/launch/running.ts';
import { startProcess } from '../../support/processes.ts';

let folder: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'slotcast-demo-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('[O14] keys are made once, kept, and private', () => {
	const keys = keepKeys(folder);
	expect(keepKeys(folder)).toEqual(keys);
	expect(Buffer.from(keys.phi, 'base64')).toHaveLength(32);
	expect(keys.phi).not.toBe(keys.link);
	expect(statSync(join(folder, 'keys.json')).mode & 0o777).toBe(0o600);
});

test('[O15] damaged keys are never replaced silently', () => {
	writeFileSync(join(folder, 'keys.json'), '{"phi":"short"}');
	expect(() => keepKeys(folder)).toThrow(/keys\.json is damaged: start over with --fresh/);
});

const noteOf = (pid: number) =>
	writeFileSync(
		join(folder, 'running.json'),
		JSON.stringify({ pid, boardUrl: 'http://localhost:3000', controlUrl: '' })
	);

test('[O15] a folder in use by another demo is refused with its address', async () => {
	await using other = await startProcess('tests/ops/fixtures/waiter.ts', { args: ['demo/run.js'] });
	noteOf(other.pid);
	expect(() => claimFolder(folder)).toThrow(
		`The demo is already running at http://localhost:3000 (process ${other.pid}): stop it first`
	);
	await other.kill('SIGKILL');
	claimFolder(folder).release();
});

test('[O14] the note of a demo that was killed does not stand in the way', () => {
	// The parent of this test is alive, but no demo.
	noteOf(process.ppid);
	const claim = claimFolder(folder);
	claim.tell({ boardUrl: 'http://localhost:1', controlUrl: 'http://localhost:2' });
	expect(readRunning(folder)).toBeUndefined();
	claim.release();
});
