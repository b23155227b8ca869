// The demo as a person starts it: everything on its own servers, twice, and over again.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeRunFolder } from '../../ops/embedded/paths.ts';
import { isAlive, startProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';

const START_MS = 180_000;
const TEST_MS = 300_000;

let folder: string;

beforeAll(() => {
	folder = makeRunFolder('demo');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (ready: RegExp, ...args: string[]) =>
	startProcess('demo/run.js', {
		args: ['--data', folder, '--port', '0', ...args],
		ready,
		timeoutMs: START_MS
	});

const childrenOf = (pid: number): number[] =>
	readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name))
		.filter((name) => {
			try {
				const afterName = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1);
				return afterName?.split(' ')[1] === String(pid);
			} catch {
				return false;
			}
		})
		.map(Number);

/** Asks the demo's own database, found by its files. */
const query = async (text: string) => {
	const password = readFileSync(join(folder, 'postgres/password'), 'utf8');
	const lock = readFileSync(join(folder, 'postgres/cluster/postmaster.pid'), 'utf8');
	const sql = postgres(`postgres://hub:${password}@127.0.0.1:${lock.split('\n')[3]}/slotcast`, {
		max: 1,
		onnotice: () => {}
	});
	try {
		return await sql.unsafe(text);
	} finally {
		await sql.end();
	}
};

const lineOf = (output: string, name: string): string =>
	new RegExp(`^${name}\\s+(\\S+)$`, 'm').exec(output)?.[1] ?? '';

const lastLine = /Ctrl-C stops everything/;

test(
	'[O13] [O14] it starts everything, says where, and Ctrl-C leaves nothing running',
	async () => {
		await using demo = await start(lastLine);
		const output = demo.output();
		const addresses = ['Patient board', 'Provider console', 'Operator status'];
		const places = addresses.map((name) => output.indexOf(name));
		expect(places).toEqual(places.toSorted((a, b) => a - b));
		expect(output).toMatch(/16 simulated clinics with 3\d\d practitioners and 4[01],\d{3} times/);
		expect(output).toContain('first look at the sources: 16 of 16');

		const board = await fetch(lineOf(output, 'Patient board'));
		expect(board.status).toBe(200);
		expect(await board.text()).toContain('<html');
		const shut = await fetch(new URL('/status', board.url), { redirect: 'manual' });
		expect(shut.status).toBeGreaterThanOrEqual(300);
		const open = await fetch(lineOf(output, 'Operator status'), { redirect: 'manual' });
		expect([302, 303]).toContain(open.status);

		await query('create table marker as select 1 as one');
		const children = childrenOf(demo.pid);
		expect(children).toHaveLength(4);
		expect(await demo.kill('SIGINT')).toEqual({ code: 0, signal: null });
		expect(children.filter(isAlive)).toEqual([]);
		expect(demo.output()).toContain('everything is stopped');
	},
	TEST_MS
);

test(
	'[O14] a second start keeps the data, fills a clinic on demand, and dies whole by kill -9',
	async () => {
		await using demo = await start(lastLine);
		expect(demo.output()).toContain('going on with the data kept');
		expect(await query('select one from marker')).toEqual([{ one: 1 }]);
		const [sources] = await query('select count(*)::int as number from sources');
		expect(sources).toEqual({ number: 16 });

		await using burst = await startProcess('demo/burst.ts', {
			args: ['--data', folder, '--count', '7', '--seconds', '0'],
			ready: /^7 times are taken within 0 seconds$/
		});
		expect(await burst.exited).toEqual({ code: 0, signal: null });
		expect(burst.output()).toMatch(/Prairie Lantern Health: \d+ free/);

		const children = childrenOf(demo.pid);
		await demo.kill('SIGKILL');
		await until(() => children.every((pid) => !isAlive(pid)), { timeoutMs: 60_000 });
	},
	TEST_MS
);

test(
	'[O14] --fresh starts over, and Ctrl-C works while it is starting',
	async () => {
		await using demo = await start(/starting the hub and the workers/, '--fresh');
		expect(await query(`select to_regclass('marker') as marker`)).toEqual([{ marker: null }]);
		const exit = await demo.kill('SIGINT');
		expect(exit).toEqual({ code: 0, signal: null });
		expect(childrenOf(demo.pid)).toEqual([]);
	},
	TEST_MS
);

test('[O15] without a running demo the burst says what to do', async () => {
	await expect(
		startProcess('demo/burst.ts', { args: ['--data', folder], ready: /never said/ })
	).rejects.toThrow(
		'No demo is running: start one with `npm run demo` and wait for its addresses.'
	);
});

test('[O15] a folder of recordings that is not there is one sentence, and nothing is left', async () => {
	await expect(start(lastLine, '--replay', join(folder, 'absent'))).rejects.toThrow(
		/There is no folder .*absent: name one with recorded publications\./
	);
	expect(readdirSync(folder)).not.toContain('running.json');
});
