// `npm run check`: format, lint, types, import boundaries, dead code, the drawn architecture.
// Runs two steps at a time and prints the whole output of every step that failed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

type Step = { readonly name: string; readonly command: string; readonly args: readonly string[] };
type Outcome = Step & { readonly code: number; readonly output: string; readonly seconds: number };

const step = (name: string, command: string, ...args: string[]): Step => ({ name, command, args });

const node = process.execPath;
const serverFolders = ['domain', 'server', 'workers', 'demo', 'ops', 'tests'];

const steps: readonly Step[] = [
	// svelte-kit sync writes the types that svelte-check needs; one step, because of that order.
	step('types of pages', 'npm', 'run', '--silent', 'check:svelte'),
	step('types', node, 'node_modules/typescript-7/bin/tsc', '-p', 'tsconfig.json', '--noEmit'),
	step('format', 'oxfmt', '--check', '.'),
	step('lint', 'oxlint', '--type-aware', '--deny-warnings', ...serverFolders, 'web'),
	step('lint of pages', 'eslint', '--max-warnings', '0', 'web'),
	step(
		'import boundaries',
		'depcruise',
		'--config',
		'.dependency-cruiser.mjs',
		'domain',
		'server',
		'workers',
		'web',
		'demo'
	),
	step('dead code', 'knip'),
	step('architecture picture', node, 'ops/draw-architecture.ts', '--check')
];

const run = (wanted: Step): Promise<Outcome> =>
	new Promise((resolve) => {
		const startedAt = performance.now();
		const chunks: Buffer[] = [];
		const child = spawn(wanted.command, wanted.args, {
			env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0' }
		});
		child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
		child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
		const finish = (code: number, extra = ''): void =>
			resolve({
				...wanted,
				code,
				output: Buffer.concat(chunks).toString() + extra,
				seconds: (performance.now() - startedAt) / 1_000
			});
		child.on('error', (error) => finish(1, `could not start: ${error.message}\n`));
		child.on('close', (code) => finish(code ?? 1));
	});

const runAll = async (waiting: Step[], lanes: number): Promise<Outcome[]> => {
	const outcomes: Outcome[] = [];
	const lane = async (): Promise<void> => {
		for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
			const outcome = await run(next);
			outcomes.push(outcome);
			console.log(
				`${outcome.code === 0 ? 'ok    ' : 'FAILED'} ${outcome.name} (${outcome.seconds.toFixed(1)} s)`
			);
		}
	};
	await Promise.all(Array.from({ length: lanes }, lane));
	return outcomes;
};

if (!existsSync('node_modules')) {
	console.error('node_modules is missing: run "npm ci" first.');
	process.exit(1);
}
const startedAt = performance.now();
const outcomes = await runAll([...steps], 2);
const failed = outcomes.filter((outcome) => outcome.code !== 0);
for (const outcome of failed) console.log(`\n--- ${outcome.name} ---\n${outcome.output}`);
const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
console.log(
	failed.length === 0
		? `check passed in ${seconds} s`
		: `check failed in ${seconds} s: ${failed.map((outcome) => outcome.name).join(', ')}`
);
process.exit(failed.length === 0 ? 0 : 1);
