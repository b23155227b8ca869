import { execFile } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { countTotals, lastLine } from '../../ops/totals.ts';
import type { Report } from '../../ops/totals.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';

const report = (...suites: [string, ...string[]][]): Report => ({
	success: suites.every(([status]) => status === 'passed'),
	testResults: suites.map(([status, ...tests]) => ({
		status,
		assertionResults: tests.map((test) => ({ status: test }))
	}))
});

describe('countTotals', () => {
	test('[O8] sums over all suites', () => {
		const totals = countTotals(report(['passed', 'passed', 'passed'], ['passed', 'passed']), 0);
		expect(lastLine(totals)).toBe('3 passed, 0 failed');
	});

	test.each([
		['a failed test', report(['failed', 'passed', 'failed']), 1, '1 passed, 1 failed'],
		[
			'a suite that does not load',
			report(['failed'], ['passed', 'passed']),
			1,
			'1 passed, 1 failed'
		],
		['an error outside the tests', report(['passed', 'passed']), 1, '1 passed, 1 failed'],
		['a killed runner', null, null, '0 passed, 1 failed'],
		['a missing report', null, 0, '0 passed, 1 failed'],
		['nothing run', report(), 0, '0 passed, 1 failed'],
		[
			'a failed set-up that left tests undone',
			report(['failed', 'passed', 'skipped']),
			1,
			'1 passed, 1 failed'
		]
	])('[O8] %s is counted as failed', (_what, given, exitCode, line) => {
		expect(lastLine(countTotals(given, exitCode))).toBe(line);
	});
});

type Run = { code: unknown; output: string; last: string | undefined };

/** Errors may be printed on the other stream and mix in later; the last line is standard output's. */
const runBroken = (...filters: string[]): Promise<Run> =>
	new Promise((done) => {
		const args = ['--config', 'tests/ops/fixtures/broken.config.ts', ...filters];
		execFile(
			process.execPath,
			['ops/test.ts', ...args],
			{ cwd: projectRoot, maxBuffer: 64 * 1024 * 1024 },
			(error, stdout, stderr) =>
				done({
					code: error === null ? 0 : error.code,
					output: stdout + stderr,
					last: stdout.trimEnd().split('\n').at(-1)
				})
		);
	});

test('[O6] [O8] a real run counts leaks and failures and names them', async () => {
	const { code, output, last } = await runBroken('leak');
	expect(output).toContain('left open: open door');
	expect(output).not.toContain('left open: closed door');
	expect(last).toBe('1 passed, 2 failed');
	expect(code).toBe(1);
});

test.each(['load', 'stray'])('[O8] a real run with only a %s error has failed', async (name) => {
	const { code, last } = await runBroken(name);
	expect(last).toMatch(/^\d+ passed, 1 failed$/);
	expect(code).toBe(1);
});
