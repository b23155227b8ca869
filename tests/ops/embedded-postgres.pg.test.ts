import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEmbeddedPostgres } from '../../ops/embedded/postgres.ts';
import { isRoot, makeRunFolder } from '../../ops/embedded/paths.ts';
import { findFreePort } from '../../ops/embedded/ports.ts';
import { mustClose } from '../support/leaks.ts';
import { isAlive, startProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';

let dataDir: string;

beforeEach(() => {
	dataDir = makeRunFolder('test');
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const open = async (port?: number) =>
	mustClose(
		'postgres',
		await createEmbeddedPostgres({ dataDir, durable: true, ...(port && { port }) })
	);

const query = async (url: string, text: string) => {
	const sql = postgres(url, { max: 1, onnotice: () => {} });
	try {
		return await sql.unsafe(text);
	} finally {
		await sql.end();
	}
};

test('[O1] a second start keeps the data, which belongs to no superuser of the machine', async () => {
	const first = await open();
	const owner = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${first.pid}/status`, 'utf8'))?.[1];
	if (isRoot()) expect(owner).not.toBe('0');
	await query(first.url, 'create table kept as select 7 as number');
	await first.close();
	expect(isAlive(first.pid)).toBe(false);
	await using second = await open();
	expect(await query(second.url, 'select number from kept')).toEqual([{ number: 7 }]);
});

test('[O1] it dies with its parent, even by kill -9, and the next start recovers', async () => {
	await using parent = await startProcess('tests/ops/fixtures/database-parent.ts', {
		args: [dataDir],
		ready: /postgres (\d+) (\S+) ready/
	});
	const [, pid, url] = parent.ready;
	await query(String(url), 'create table kept as select 8 as number');
	await parent.kill('SIGKILL');
	await until(() => !isAlive(Number(pid)));
	await using next = await open();
	expect(await query(next.url, 'select number from kept')).toEqual([{ number: 8 }]);
});

test('[O1] a password is asked for', async () => {
	await using server = await open();
	const wrong = server.url.replace(/:[0-9a-f]+@/, ':wrong@');
	await expect(query(wrong, 'select 1')).rejects.toThrow(/password authentication failed/);
});

test('[O2] data of another version is refused in one sentence', async () => {
	mkdirSync(join(dataDir, 'cluster'));
	writeFileSync(join(dataDir, 'cluster/PG_VERSION'), '13\n');
	await expect(open()).rejects.toThrow(/made by PostgreSQL 13 .* start over with --fresh/);
});

test('[O2] a folder in use is refused in one sentence', async () => {
	await using running = await open();
	await expect(open()).rejects.toThrow(`already running (process ${running.pid})`);
});

test('[O2] a lock file whose process is gone does not stand in the way', async () => {
	const first = await open();
	await first.close();
	// Our own process id: alive, but no PostgreSQL, as after a restart of the machine.
	writeFileSync(join(dataDir, 'cluster/postmaster.pid'), `${process.pid}\n`);
	await using second = await open();
	expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('[O2] a taken port is refused in one sentence', async () => {
	const port = await findFreePort();
	const taken = createServer();
	await new Promise<void>((done) => taken.listen(port, '127.0.0.1', done));
	try {
		await expect(open(port)).rejects.toThrow(`Port ${port} is taken`);
	} finally {
		await new Promise((done) => taken.close(done));
	}
});
