// `npm test`: builds the pages, runs every suite and ends with one plain line `N passed, N failed`.
// Guarantees: whatever goes wrong (a crash, a suite that does not load, an error outside a test)
// is counted as failed and gives exit code 1.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureWebBuilt } from './build-web.ts';
import { projectRoot } from './embedded/paths.ts';
import { countTotals, lastLine } from './totals.ts';
import type { Report, Totals } from './totals.ts';

const readReport = (path: string): Report | null => {
	if (!existsSync(path)) return null;
	try {
		return JSON.parse(readFileSync(path, 'utf8')) as Report;
	} catch {
		return null;
	}
};

const say = (line: string): void => {
	process.stdout.write(`${line}\n`);
};

/** Runs Vitest as a child, so that even its crash leaves us able to say how it ended. */
const runVitest = (args: readonly string[]): Promise<number | null> => {
	const vitest = join(projectRoot, 'node_modules/vitest/vitest.mjs');
	const child = spawn(process.execPath, [vitest, 'run', ...args], {
		cwd: projectRoot,
		stdio: 'inherit'
	});
	// Ctrl-C reaches the child too: it stops its servers and ends, then we do.
	process.on('SIGINT', () => {});
	process.on('SIGTERM', () => child.kill('SIGTERM'));
	return new Promise((done) => {
		child.once('error', () => done(null));
		child.once('close', done);
	});
};

const runAll = async (filters: readonly string[]): Promise<Totals> => {
	const output = join(projectRoot, '.vitest', `results.${process.pid}.json`);
	try {
		await ensureWebBuilt(say);
	} catch (error) {
		say(error instanceof Error ? error.message : String(error));
		return { passed: 0, failed: 1, notRun: 0 };
	}
	try {
		const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`];
		const exitCode = await runVitest([...reporters, ...filters]);
		return countTotals(readReport(output), exitCode);
	} finally {
		rmSync(output, { force: true });
	}
};

const totals = await runAll(process.argv.slice(2));
if (totals.notRun > 0) say(`${totals.notRun} not run`);
say(lastLine(totals));
process.exitCode = totals.failed > 0 ? 1 : 0;
