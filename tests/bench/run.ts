// `npm run bench [-- name …]`: peers and hub in the same run. Prints a table, writes JSON to
// bench-results/. Each benchmark runs in a process of its own, one after the other.
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { median, ratioOf, sorted, type BenchResult } from './bench.ts';

/** Name → file that exports `run(): Promise<BenchResult[]>`. */
const benches: Readonly<Record<string, string>> = {
	'poll-diff': './poll-diff.ts',
	'near-polls': './near-polls.ts',
	'fan-out': './fan-out.ts',
	holds: './holds.ts',
	'holds-latency': './holds-latency.ts',
	'end-to-end': './end-to-end.ts',
	board: './board.ts',
	commands: './commands.ts',
	push: './push.ts',
	ingest: './ingest.ts',
	failing: './failing.ts',
	freshness: './freshness.ts',
	scale: './scale.ts'
};

/** A benchmark that takes longer than this is stuck. */
const DEADLINE_MS = 15 * 60_000;

type Reply = { readonly results: readonly BenchResult[] } | { readonly error: string };

const inOwnProcess = (name: string): Promise<Reply> =>
	new Promise((resolve) => {
		const child = fork(new URL(import.meta.url), ['--child', name], {
			execArgv: ['--expose-gc', '--max-old-space-size=4096']
		});
		const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
		let reply: Reply = { error: 'ended without a result' };
		child.on('message', (message: Reply) => {
			reply = message;
		});
		child.on('close', () => {
			clearTimeout(timer);
			resolve(reply);
		});
	});

const runChild = async (name: string): Promise<void> => {
	const file = benches[name];
	if (file === undefined) throw new Error(`no benchmark named ${name}`);
	const { run }: { run: () => Promise<BenchResult[]> } = await import(file);
	const results = await run();
	process.send?.({ results } satisfies Reply, () => process.exit(0));
};

const show = (value: number): string =>
	!Number.isFinite(value)
		? '–'
		: value >= 1_000
			? Math.round(value).toLocaleString('en-US')
			: value.toPrecision(3);

const spread = (values: readonly number[]): string => {
	const ascending = sorted(values);
	const middle = show(median(values));
	if (ascending.length < 2) return middle;
	return `${middle} (${show(ascending[0] ?? NaN)}–${show(ascending.at(-1) ?? NaN)})`;
};

const row = (result: BenchResult): string => {
	const ratio = ratioOf(result);
	const cells = [
		result.name,
		`${spread(result.ours)} ${result.unit}`,
		result.baseline === undefined
			? ''
			: `${result.baseline.name}: ${spread(result.baseline.values)}`,
		ratio === null ? '' : ratio.toFixed(2),
		result.goal ?? '',
		result.met === undefined ? '' : result.met ? 'met' : 'MISSED',
		result.note ?? ''
	];
	return `| ${cells.join(' | ')} |`;
};

const main = async (wanted: readonly string[]): Promise<void> => {
	const names = wanted.length > 0 ? wanted : Object.keys(benches);
	const all: Record<string, readonly BenchResult[]> = {};
	let broken = 0;
	for (const name of names) {
		console.log(`running ${name} …`);
		const reply = await inOwnProcess(name);
		if ('error' in reply) {
			broken += 1;
			console.log(`  ${name} broke: ${reply.error}`);
		} else all[name] = reply.results;
	}
	console.log('\n| figure | ours, median (range) | baseline | ratio | goal | | note |');
	console.log('|---|---|---|---|---|---|---|');
	for (const results of Object.values(all)) for (const result of results) console.log(row(result));
	const machine = {
		cpu: cpus()[0]?.model ?? 'unknown',
		cores: cpus().length,
		memoryGiB: Math.round(totalmem() / 2 ** 30),
		node: process.version
	};
	mkdirSync('bench-results', { recursive: true });
	const file = `bench-results/${new Date().toISOString().replace(/[:.]/g, '-')}.json`;
	writeFileSync(file, JSON.stringify({ at: new Date().toISOString(), machine, all }, null, '\t'));
	console.log(`\n${machine.cores} × ${machine.cpu}, Node ${machine.node}; written to ${file}`);
	process.exit(broken === 0 ? 0 : 1);
};

const args = process.argv.slice(2);
if (args[0] === '--child') {
	await runChild(args[1] ?? '').catch((error: unknown) => {
		const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
		process.send?.({ error: text } satisfies Reply, () => process.exit(1));
	});
} else await main(args);
