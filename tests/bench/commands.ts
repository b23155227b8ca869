// How long the two commands take that everyone runs: `npm run check` and `npm test`.
import { spawn } from 'node:child_process';
import { projectRoot } from '../../ops/embedded/paths.ts';
import type { BenchResult } from './bench.ts';

const CHECK_GOAL_S = 60;
const TEST_GOAL_S = 600;

type Timed = { readonly seconds: number; readonly code: number; readonly last: string };

const time = (args: readonly string[]): Promise<Timed> =>
	new Promise((resolve) => {
		const startedAt = performance.now();
		let output = '';
		const child = spawn('npm', args, { cwd: projectRoot, stdio: ['ignore', 'pipe', 'inherit'] });
		child.stdout.on('data', (chunk: Buffer) => {
			output = (output + chunk.toString()).slice(-4_000);
		});
		child.on('close', (code) =>
			resolve({
				seconds: (performance.now() - startedAt) / 1_000,
				code: code ?? 1,
				last: output.trimEnd().split('\n').at(-1) ?? ''
			})
		);
	});

const resultOf = (name: string, timed: Timed, goalS: number): BenchResult => ({
	name,
	unit: 's',
	ours: [timed.seconds],
	goal: `at most ${goalS} s`,
	met: timed.code === 0 && timed.seconds <= goalS,
	note: timed.last
});

export const run = async (): Promise<BenchResult[]> => [
	resultOf('npm run check', await time(['run', '--silent', 'check']), CHECK_GOAL_S),
	resultOf('npm test', await time(['test', '--silent']), TEST_GOAL_S)
];
