import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mustClose } from '../support/leaks.ts';

test('[O17] a process whose log nobody reads any more still ends when it is told to', async () => {
	const entry = join(import.meta.dirname, 'fixtures/logger.ts');
	const child = spawn(process.execPath, [entry], { stdio: ['ignore', 'pipe', 'inherit'] });
	const exited = once(child, 'exit');
	await using _watched = mustClose('logger', {
		close: async () => {
			child.kill('SIGKILL');
			await exited;
		}
	});
	await once(child.stdout, 'data');
	child.stdout.destroy();
	child.kill('SIGTERM');
	expect(await exited).toEqual([0, null]);
});
