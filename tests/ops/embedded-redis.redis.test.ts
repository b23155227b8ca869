import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { findRedisProgram, isNewEnough } from '../../ops/embedded/redis-program.ts';
import { isRoot, makeRunFolder } from '../../ops/embedded/paths.ts';
import { mustClose } from '../support/leaks.ts';
import { isAlive } from '../support/processes.ts';

let dataDir: string;

beforeEach(() => {
	dataDir = makeRunFolder('test');
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const open = async (durable: boolean) =>
	mustClose('redis', await createEmbeddedRedis({ dataDir, durable }));

const ask = async (url: string, work: (client: Redis) => Promise<unknown>) => {
	const client = new Redis(url, { maxRetriesPerRequest: 1, lazyConnect: true });
	client.on('error', () => {});
	try {
		await client.connect();
		return await work(client);
	} finally {
		client.disconnect();
	}
};

test('[O3] a second start keeps the data and the server does not run as root', async () => {
	const first = await open(true);
	const owner = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${first.pid}/status`, 'utf8'))?.[1];
	if (isRoot()) expect(owner).not.toBe('0');
	await ask(first.url, (client) => client.set('kept', 'yes'));
	await first.close();
	expect(isAlive(first.pid)).toBe(false);
	await using second = await open(true);
	expect(await ask(second.url, (client) => client.get('kept'))).toBe('yes');
});

const sayToPort = (port: number, command: string): Promise<string> =>
	new Promise((done, fail) => {
		const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
		socket.once('error', fail);
		socket.once('data', (reply) => {
			socket.destroy();
			done(reply.toString());
		});
	});

test('[O3] a password is asked for', async () => {
	await using server = await open(false);
	expect(await sayToPort(server.port, 'GET anything')).toMatch(/^-NOAUTH/);
});

test.each([
	['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0', true],
	['Valkey server v=8.1.1 sha=00000000:0', true],
	['Redis server v=6.2.0 sha=00000000:0', true],
	['Redis server v=6.0.16 sha=00000000:0', false],
	['redis-cli 7.0.15', false]
])('[O4] "%s" is good enough: %s', (text, expected) => {
	expect(isNewEnough(text)).toBe(expected);
});

const silent = () => {};

test('[O4] a named program that is no Redis is refused in one sentence', async () => {
	const env = { REDIS_SERVER_BIN: process.execPath };
	await expect(findRedisProgram(silent, { env })).rejects.toThrow(
		/is no Redis 6\.2 or newer: install one/
	);
});

test('[O4] no Redis and no package tool: one sentence that says what to do', async () => {
	const places = { env: { PATH: dataDir }, cache: dataDir, aptGet: join(dataDir, 'absent') };
	await expect(findRedisProgram(silent, places)).rejects.toThrow(
		/^No Redis was found on this machine: install one \(.*\), or set REDIS_URL/
	);
});

test('[O4] no Redis and no network: the sentence, then what the package tool said', async () => {
	const aptGet = join(dataDir, 'apt-get');
	writeFileSync(aptGet, '#!/bin/sh\necho "E: no network here" >&2\nexit 100\n');
	chmodSync(aptGet, 0o755);
	const places = { env: { PATH: dataDir }, cache: dataDir, aptGet };
	await expect(findRedisProgram(silent, places)).rejects.toThrow(
		/^No Redis was found and fetching one failed, so install one .*\n.*no network here/
	);
});
