// `npm run mutants [name …]`: puts each known bug, alone, into a copy of the tree and runs the tests
// that must notice it. Ends with 1 when one is not noticed, no longer fits, or breaks more than it
// should. The working tree is only read.
import { execFileSync, spawn } from 'node:child_process';
import {
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { mutate, type Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

const root = resolve(import.meta.dirname, '../..');
/** Copies that are worked in side by side. */
const LANES = 2;
/** A bug may make a test wait for what never comes; its own limits end it long before. */
const LIMIT_MS = 240_000;

const say = (line: string): void => {
	process.stdout.write(`${line}\n`);
};

type Verdict = 'caught' | 'SURVIVED' | 'STALE' | 'BROKEN';
type Outcome = {
	readonly mutant: Mutant;
	readonly verdict: Verdict;
	readonly seconds: number;
	/** The first test that failed, or what was printed when none could run. */
	readonly by: string;
};

/** Links the packages one by one, so that what tools write beside them stays in the copy. */
const linkPackages = (copy: string): void => {
	mkdirSync(join(copy, 'node_modules'));
	for (const name of readdirSync(join(root, 'node_modules'))) {
		if (name.startsWith('.') && name !== '.bin') continue;
		symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name));
	}
	// Unpacked databases, where they lie inside the checkout.
	if (existsSync(join(root, '.data'))) symlinkSync(join(root, '.data'), join(copy, '.data'));
};

const copyTree = (): string => {
	const copy = mkdtempSync(join(tmpdir(), 'slotcast-mutants-'));
	const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
	const files = execFileSync('git', listed, { cwd: root, encoding: 'utf8' }).split('\0');
	for (const file of files) {
		// Deleted files are listed too, and so is a link to packages that lie elsewhere.
		if (statSync(join(root, file), { throwIfNoEntry: false })?.isFile() !== true) continue;
		mkdirSync(dirname(join(copy, file)), { recursive: true });
		copyFileSync(join(root, file), join(copy, file));
	}
	linkPackages(copy);
	return copy;
};

type TestRun = {
	readonly code: number;
	readonly passed: number;
	readonly failed: readonly string[];
	readonly output: string;
};

type Report = {
	readonly numPassedTests: number;
	readonly testResults: readonly {
		readonly assertionResults: readonly { readonly status: string; readonly title: string }[];
	}[];
};

const readReport = (path: string): Pick<TestRun, 'passed' | 'failed'> => {
	if (!existsSync(path)) return { passed: 0, failed: [] };
	const report: Report = JSON.parse(readFileSync(path, 'utf8'));
	const failed = report.testResults
		.flatMap((file) => file.assertionResults)
		.filter(({ status }) => status === 'failed')
		.map(({ title }) => title);
	return { passed: report.numPassedTests, failed };
};

/** Runs in `copy` the tests of these files whose titles cite one of these rules. */
const runTests = (
	copy: string,
	wanted: {
		readonly projects: Iterable<string>;
		readonly tests: Iterable<string>;
		readonly rules: Iterable<string>;
		readonly bail: number;
	}
): Promise<TestRun> =>
	new Promise((done) => {
		const report = join(copy, 'report.json');
		rmSync(report, { force: true });
		const args = [
			'node_modules/vitest/vitest.mjs',
			'run',
			...[...wanted.projects].flatMap((project) => ['--project', project]),
			'--testNamePattern',
			`\\[(${[...wanted.rules].join('|')})\\]`,
			`--bail=${wanted.bail}`,
			'--reporter=json',
			`--outputFile=${report}`,
			...wanted.tests
		];
		const child = spawn(process.execPath, args, { cwd: copy, timeout: LIMIT_MS });
		const chunks: Buffer[] = [];
		child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
		child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
		child.on('close', (code) => {
			const output = Buffer.concat(chunks).toString();
			done({ code: code ?? 1, output, ...readReport(report) });
		});
	});

const judge = (run: TestRun, mutant: Mutant): Pick<Outcome, 'verdict' | 'by'> => {
	const by = run.failed.find((title) => title.includes(`[${mutant.catcher}]`));
	if (by !== undefined) return { verdict: 'caught', by };
	if (run.code === 0) return { verdict: 'SURVIVED', by: `${run.passed} tests passed` };
	// A bug that keeps the tests from starting proves nothing about them.
	return { verdict: 'BROKEN', by: run.output.slice(-2_000) };
};

const tryMutant = async (copy: string, mutant: Mutant): Promise<Outcome> => {
	const startedAt = performance.now();
	const path = join(copy, mutant.file);
	const sound = readFileSync(path, 'utf8');
	const outcome = (found: Pick<Outcome, 'verdict' | 'by'>): Outcome => ({
		mutant,
		...found,
		seconds: (performance.now() - startedAt) / 1_000
	});
	let ill: string;
	try {
		ill = mutate(sound, mutant);
	} catch (error) {
		return outcome({ verdict: 'STALE', by: String(error) });
	}
	writeFileSync(path, ill);
	try {
		const { project, tests, catcher } = mutant;
		const wanted = { projects: [project], tests, rules: [catcher], bail: 1 };
		return outcome(judge(await runTests(copy, wanted), mutant));
	} finally {
		writeFileSync(path, sound);
	}
};

const lineOf = ({ mutant, verdict, seconds, by }: Outcome): string =>
	[
		verdict.padEnd(8),
		mutant.name.padEnd(36),
		mutant.catcher.padEnd(4),
		`${seconds.toFixed(1)} s`.padStart(7),
		verdict === 'caught' ? by.slice(0, 90) : mutant.why
	].join('  ');

/** Tests that fail without any bug would catch everything. */
const provePassing = async (copy: string, chosen: readonly Mutant[]): Promise<boolean> => {
	const run = await runTests(copy, {
		projects: new Set(chosen.map(({ project }) => project)),
		tests: new Set(chosen.flatMap(({ tests }) => tests)),
		rules: new Set(chosen.map(({ catcher }) => catcher)),
		bail: 0
	});
	if (run.code === 0) say(`without any bug ${run.passed} tests pass`);
	else say(`Tests fail without any bug: ${run.failed.join('; ')}\n${run.output}`);
	return run.code === 0;
};

const runAll = async (copies: readonly string[], chosen: readonly Mutant[]): Promise<Outcome[]> => {
	const waiting = [...chosen];
	const outcomes: Outcome[] = [];
	const lane = async (copy: string): Promise<void> => {
		for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
			const outcome = await tryMutant(copy, next);
			outcomes.push(outcome);
			say(lineOf(outcome));
			if (outcome.verdict === 'BROKEN' || outcome.verdict === 'STALE') say(outcome.by);
		}
	};
	await Promise.all(copies.map(lane));
	return outcomes;
};

const main = async (): Promise<boolean> => {
	const names = process.argv.slice(2);
	const unknown = names.filter((name) => !mutants.some((mutant) => mutant.name === name));
	if (unknown.length > 0) {
		say(`no such mutant: ${unknown.join(', ')}`);
		return false;
	}
	const chosen = mutants.filter(({ name }) => names.length === 0 || names.includes(name));
	const startedAt = performance.now();
	const copies = Array.from({ length: Math.min(LANES, chosen.length) }, copyTree);
	// Also when somebody loses patience.
	process.once('exit', () => {
		for (const copy of copies) rmSync(copy, { recursive: true, force: true });
	});
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
	const [first] = copies;
	if (first === undefined || !(await provePassing(first, chosen))) return false;
	const outcomes = await runAll(copies, chosen);
	const caught = outcomes.filter(({ verdict }) => verdict === 'caught').length;
	const seconds = Math.round((performance.now() - startedAt) / 1_000);
	say(`${caught} of ${chosen.length} bugs caught in ${seconds} s`);
	return caught === chosen.length;
};

process.exitCode = (await main()) ? 0 : 1;
