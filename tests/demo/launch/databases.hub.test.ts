import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { openDatabases } from '../../../demo/launch/databases.ts';
import { makeRunFolder } from '../../../ops/embedded/paths.ts';
import { findFreePort } from '../../../ops/embedded/ports.ts';
import { mustClose } from '../../support/leaks.ts';

let folder: string;

beforeEach(() => {
	folder = makeRunFolder('test');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = async (env: NodeJS.ProcessEnv) => {
	const said: string[] = [];
	const opened = await openDatabases({ folder, env, say: (line) => said.push(line) });
	return Object.assign(mustClose('databases', opened), { said });
};

test('[O13] servers named by the environment are used instead of our own', async () => {
	const env = { DATABASE_URL: inject('postgresUrl'), REDIS_URL: inject('redisUrl') };
	await using databases = await open(env);
	expect(databases.postgres.url).toBe(env.DATABASE_URL);
	expect(databases.redis.url).toBe(env.REDIS_URL);
	expect(databases.said).toEqual([]);
});

test('[O15] a DATABASE_URL that leads nowhere is explained without its password', async () => {
	const port = await findFreePort();
	const env = {
		DATABASE_URL: `postgres://hub:hunter2@127.0.0.1:${port}/slotcast`,
		REDIS_URL: inject('redisUrl')
	};
	const failure = await open(env).catch((error: Error) => error.message);
	expect(failure).toContain(
		`DATABASE_URL names 127.0.0.1:${port}, where PostgreSQL cannot be used`
	);
	expect(failure).toContain('unset DATABASE_URL to use the built-in one.');
	expect(failure).not.toContain('hunter2');
});

test('[O15] a REDIS_URL that leads nowhere is explained, and our PostgreSQL stopped again', async () => {
	const port = await findFreePort();
	const env = { REDIS_URL: `redis://127.0.0.1:${port}` };
	await expect(open(env)).rejects.toThrow(
		new RegExp(`^REDIS_URL names 127\\.0\\.0\\.1:${port}, where Redis cannot be used`)
	);
	// The folder is free again: a server left running would refuse this.
	await using databases = await open({ REDIS_URL: inject('redisUrl') });
	expect(databases.said).toEqual(['starting PostgreSQL']);
});
