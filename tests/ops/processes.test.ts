import { expect, test } from 'vitest';
import { isAlive, startProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';

test('[O9] a process gets only the environment it was given and is gone after close', async () => {
	process.env['NOT_HANDED_ON'] = 'secret';
	const started = await startProcess('tests/ops/fixtures/waiter.ts');
	expect(started.output()).toContain('secret none');
	expect(isAlive(started.pid)).toBe(true);
	await started.close();
	expect(isAlive(started.pid)).toBe(false);
	expect(await started.exited).toEqual({ code: 3, signal: null });
});

test('[O9] kill tells how it ended', async () => {
	await using started = await startProcess('tests/ops/fixtures/waiter.ts');
	expect(await started.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
});

test('[O9] a process that ends instead of getting ready gives its words', async () => {
	await expect(startProcess('tests/ops/fixtures/absent.ts')).rejects.toThrow(/Cannot find module/);
});

test('[O9] a tied process dies with its parent, even by kill -9', async () => {
	await using parent = await startProcess('tests/ops/fixtures/process-parent.ts', {
		ready: /child (\d+) ready/
	});
	const child = Number(parent.ready[1]);
	await parent.kill('SIGKILL');
	await until(() => !isAlive(child));
});
