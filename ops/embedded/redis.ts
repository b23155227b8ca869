// A real Redis of our own: found on the machine or fetched once without installing anything, run
// on 127.0.0.1 with a password, never as root. The port of an installed server is left alone.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve, join } from 'node:path';
import { findServerUser, startTied } from './child.ts';
import type { RunAs, TiedChild } from './child.ts';
import { findRedisProgram } from './redis-program.ts';
import type { RedisProgram } from './redis-program.ts';
import { isRoot, makeFolder, makeRunFolder, othersCanWalk } from './paths.ts';
import { PlainError } from './plain-error.ts';
import { findFreePort } from './ports.ts';

export type EmbeddedRedis = {
	/** `redis://:…@127.0.0.1:<port>` */
	url: string;
	port: number;
	pid: number;
	exited: Promise<unknown>;
	/** Stops it; removes the data when no `dataDir` was given. */
	close: () => Promise<void>;
};

export type EmbeddedRedisOptions = {
	/** Where the data stays between starts; without it the data lives until `close`. */
	dataDir?: string;
	port?: number;
	/** false: nothing is written to disk. */
	durable: boolean;
	onProgress?: (line: string) => void;
};

const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 10_000;
const PORT_TRIES = 3;

/** The password goes through a private file: a command line can be read by every user. */
const writeConfig = (
	home: string,
	settings: readonly (readonly [string, string])[],
	as: RunAs | undefined
): string => {
	const path = join(home, `redis.${process.pid}.conf`);
	rmSync(path, { force: true });
	writeFileSync(path, settings.map(([key, value]) => `${key} ${value}\n`).join(''), {
		mode: 0o600
	});
	if (as) chownSync(path, as.uid, as.gid);
	return path;
};

const own = (folder: string, as: RunAs | undefined): void => {
	if (!as) return;
	chownSync(folder, as.uid, as.gid);
	for (const entry of readdirSync(folder, { withFileTypes: true })) {
		const path = join(folder, entry.name);
		if (entry.isDirectory()) own(path, as);
		else chownSync(path, as.uid, as.gid);
	}
};

const startServer = async (
	home: string,
	program: RedisProgram,
	as: RunAs | undefined,
	options: EmbeddedRedisOptions
): Promise<{ server: TiedChild; port: number; password: string }> => {
	const password = randomBytes(24).toString('hex');
	const data = makeFolder(join(home, 'data'), 0o700);
	own(data, as);
	for (let attempt = 1; ; attempt += 1) {
		const port = options.port ?? (await findFreePort());
		const config = writeConfig(
			home,
			[
				['bind', '127.0.0.1'],
				['port', String(port)],
				['requirepass', password],
				['dir', `"${data}"`],
				['databases', '4096'],
				['appendonly', options.durable ? 'yes' : 'no'],
				['save', '""'],
				['maxmemory-policy', 'noeviction']
			],
			as
		);
		const env = { ...process.env, ...program.env };
		const server = startTied(program.path, [config], { as, env, deathSignal: 'TERM' });
		try {
			await server.waitForLine(/Ready to accept connections/i, START_TIMEOUT_MS);
			return { server, port, password };
		} catch (error) {
			await server.stop('SIGTERM', STOP_GRACE_MS);
			const taken = server.tail().includes('Address already in use');
			if (taken && options.port !== undefined) {
				throw new PlainError(`Port ${port} is taken, so Redis cannot start: choose another.`, {
					cause: error
				});
			}
			if (!taken || attempt === PORT_TRIES) throw error;
		} finally {
			rmSync(config, { force: true });
		}
	}
};

/**
 * Starts a Redis 6.2 or newer (or Valkey) that only someone with the URL may use.
 * Throws an Error whose message is one sentence saying what to do.
 */
export const createEmbeddedRedis = async (
	options: EmbeddedRedisOptions
): Promise<EmbeddedRedis> => {
	const say = options.onProgress ?? (() => {});
	const program = await findRedisProgram(say);
	const as = isRoot() ? findServerUser() : undefined;
	const home = options.dataDir ? resolve(options.dataDir) : makeRunFolder('redis');
	makeFolder(home, as ? 0o755 : 0o700);
	if (as && !(othersCanWalk(home) && othersCanWalk(program.path))) {
		throw new PlainError(
			`Redis would have to run as root, because user ${as.name} cannot reach ${program.path} or ${home}: put them outside private homes, or set REDIS_URL.`
		);
	}
	say('starting Redis');
	const { server, port, password } = await startServer(home, program, as, options);
	return {
		url: `redis://:${password}@127.0.0.1:${port}`,
		port,
		pid: server.pid,
		exited: server.exited,
		close: async () => {
			await server.stop('SIGTERM', STOP_GRACE_MS);
			if (options.dataDir === undefined && existsSync(home)) {
				rmSync(home, { recursive: true, force: true });
			}
		}
	};
};
