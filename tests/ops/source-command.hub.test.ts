// `slotcast source` as an operator runs it: beside running workers, on the same database.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { must } from '#domain/result.ts';
import { readCommand, usage, WrongUse } from '../../ops/source/read-command.ts';
import { startOffice } from '../../demo/clinics/small/start.ts';
import { mustClose } from '../support/leaks.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { stages } from '../workers/connectors/office-stages.ts';

const entry = resolve(import.meta.dirname, '../../ops/slotcast.js');

/** A file of settings, gone with the test. */
const writeOptions = async (settings: object): Promise<string> => {
	const folder = await mkdtemp(join(tmpdir(), 'source-'));
	onTestFinished(() => rm(folder, { recursive: true }));
	const file = join(folder, 'options.json');
	await writeFile(file, JSON.stringify(settings));
	return file;
};

type Ran = { readonly code: number; readonly out: string; readonly err: string };

const run = (
	args: readonly string[],
	{ env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string } = {}
): Promise<Ran> =>
	new Promise((done) => {
		const options = { env: { PATH: process.env['PATH'], HUB_MODE: 'development', ...env } };
		const child = execFile(process.execPath, [entry, ...args], options, (error, out, err) =>
			done({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
		);
		child.stdin?.end(stdin);
	});

const envOf = ({ database }: System) => ({
	DATABASE_URL: database.url,
	HUB_ALLOW_PRIVATE_SOURCES: 'true'
});

const openSlots = async ({ database }: System, key: string): Promise<number> => {
	const [row] = await database.sql<{ open: number }[]>`
		select count(*) as open from slots s join sources o on o.id = s.source_id
		where o.key = ${key} and s.removed_at is null and s.status = 'free'`;
	return must(row).open;
};

const pollsOf = async ({ database }: System, key: string): Promise<number> => {
	const [row] = await database.sql<{ gen: number }[]>`
		select poll_gen as gen from sources where key = ${key}`;
	return must(row).gen;
};

test('[E5][E14][O31] a source is added, paused, resumed and removed while the workers run', async () => {
	await using system = await startSystem({ keys: ['bluestem'], slotCount: 60 });
	const clinic = must(system.clinics.clinics[0]);
	const env = envOf(system);
	await system.database.sql`delete from sources`;
	await system.startWorkers();
	const args = ['--options', await writeOptions({ minIntervalMs: 500 })];
	const add = ['source', 'add', 'new-one', clinic.kind, clinic.url, '--allow-private', ...args];
	const added = await run(add, { env });
	expect(added).toMatchObject({ code: 0, err: '' });
	expect(added.out).toMatch(/^complete: \d+ schedules, \d+ slots/);
	await until(async () => (await openSlots(system, 'new-one')) > 0, { timeoutMs: 60_000 });

	const again = await run(add, { env });
	expect(again).toMatchObject({ code: 1, err: expect.stringContaining('--replace') });
	const listed = await run(['source', 'list'], { env });
	expect(listed.out).toMatch(/^new-one\s+\S+\s+fresh /m);

	await run(['source', 'pause', 'new-one', '--because', 'They move house.'], { env });
	const paused = await pollsOf(system, 'new-one');
	expect((await run(['source', 'list'], { env })).out).toContain('paused, They move house.');
	await system.database.sql`
		update sources set emptied_at = '2026-01-02T03:04Z', emptied_count = 40 where key = 'new-one'`;
	const emptied = (await run(['source', 'list'], { env })).out;
	expect(emptied).toMatch(/^new-one\s+\S+\s+fresh, paused, no times /m);
	expect(emptied).toMatch(/all 40 of its times were taken off at .*2026/);
	expect(await pollsOf(system, 'new-one')).toBe(paused);
	const replaced = await run([...add, '--replace'], { env });
	expect(replaced).toMatchObject({ code: 0, out: expect.stringContaining('It is paused') });
	expect(await pollsOf(system, 'new-one')).toBe(paused);
	expect((await run(['source', 'resume', 'new-one'], { env })).code).toBe(0);
	await until(async () => (await pollsOf(system, 'new-one')) > paused, { timeoutMs: 60_000 });

	const unsure = await run(['source', 'remove', 'new-one'], { env });
	expect(unsure).toMatchObject({ code: 64, err: expect.stringContaining('--yes') });
	expect(await openSlots(system, 'new-one')).toBeGreaterThan(0);
	expect((await run(['source', 'remove', 'new-one', '--yes'], { env })).code).toBe(0);
	expect(await openSlots(system, 'new-one')).toBe(0);
	expect((await run(['source', 'resume', 'new-one'], { env })).code).toBe(1);
});

/** A vendor that wants a key, as its mapping says. */
const keyedNotes = (): object => {
	const { notes } = must(stages.find(({ format }) => format === 'vendor'));
	const mapping = { ...notes.mapping, request: { secret: { header: 'x-api-key' } } };
	return { ...notes, mapping };
};

test('[E3][E4] a secret counts at the next poll; what gives no times is saved when insisted', async () => {
	await using office = mustClose('office', await startOffice('vendor'));
	await using system = await startSystem({ keys: ['bluestem'], slotCount: 20 });
	const env = envOf(system);
	const options = await writeOptions({ minIntervalMs: 500, notes: keyedNotes() });
	const add = ['source', 'add', 'keyed', 'mapped', office.url, '--allow-private'];
	const adding = [...add, '--options', options];
	const refused = await run(adding, { env });
	expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('--anyway') });
	expect(refused.out).toMatch(/^silent: misconfigured/);
	expect((await run([...adding, '--anyway'], { env })).code).toBe(0);
	await system.startWorkers();
	const outcome = async (): Promise<unknown> =>
		(await system.database.sql`select outcome from sources where key = 'keyed'`)[0]?.['outcome'];
	await until(async () => (await outcome()) === 'misconfigured', { timeoutMs: 60_000 });
	const secret = 'planted-canary-key';
	const given = await run([...adding, '--replace', '--secret-stdin'], {
		env,
		stdin: `${secret}\n`
	});
	expect(given).toMatchObject({ code: 0, err: '' });
	await until(async () => (await openSlots(system, 'keyed')) > 0, { timeoutMs: 60_000 });
	expect(given.out + (await run(['source', 'list', '--json'], { env })).out).not.toContain(secret);
});

test.each([
	[['source', 'remove'], /takes 1 words/],
	[['source', 'pause', 'x'], /--because/],
	[['source', 'dance'], /no such command/],
	[['list'], /first word is source/],
	[['source', 'add', 'Not A Key', 'ical', 'https://a.example/'], /key:/],
	[['source', 'try', 'ical', 'https://a.example/', '--secret', 'hunter2'], /--secret/],
	[['source', 'try', 'ical', 'https://a.example/', '--options', '/nowhere.json'], /--options/]
])('[E14] %j is told to be wrong, and nothing that may be secret is repeated', (args, words) => {
	expect(() => readCommand(args)).toThrow(WrongUse);
	expect(() => readCommand(args)).toThrow(words);
	expect(() => readCommand(args)).not.toThrow(/hunter2/);
});

test('[E14] help tells every command, and how it ended is told by the exit code', async () => {
	const help = await run(['source', '--help']);
	expect(help).toEqual({ code: 0, out: usage, err: '' });
	for (const name of ['try', 'add', 'list', 'pause', 'resume', 'remove', 'replay']) {
		expect(usage).toMatch(new RegExp(`^ {2}${name} `, 'm'));
	}
	expect((await run([])).code).toBe(64);
	const lost = await run(['source', 'list']);
	expect(lost).toMatchObject({ code: 78, err: expect.stringContaining('DATABASE_URL') });
	const away = { DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:9/none' };
	const gone = await run(['source', 'list'], { env: away });
	expect(gone.code).toBe(69);
	expect(gone.err).not.toContain('secret');
});
