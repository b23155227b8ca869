// Finds a Redis or Valkey server on this machine; else unpacks Debian's packages into our own
// folder, once, without root and without installing or starting anything.
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { runToEnd } from './child.ts';
import { cacheFolder } from './paths.ts';
import { PlainError } from './plain-error.ts';

export type RedisProgram = { path: string; env: Record<string, string> };

const OLDEST = [6, 2] as const;
const FETCH_TIMEOUT_MS = 180_000;

const advice =
	'install one (Debian: apt-get install redis-server, macOS: brew install redis), or set REDIS_URL to a running Redis 6.2 or newer.';

/** True when `--version` of a Redis or Valkey server names at least 6.2. */
export const isNewEnough = (versionText: string): boolean => {
	const match = /(?:Redis|Valkey) server v=(\d+)\.(\d+)/.exec(versionText);
	if (match === null) return false;
	const [major, minor] = [Number(match[1]), Number(match[2])];
	return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
};

const works = async ({ path, env }: RedisProgram): Promise<boolean> => {
	if (!existsSync(path)) return false;
	try {
		const options = { env: { ...process.env, ...env }, timeoutMs: 10_000 };
		return isNewEnough(await runToEnd(path, ['--version'], options));
	} catch {
		return false;
	}
};

const findInstalled = async (searchPath: string): Promise<RedisProgram | undefined> => {
	for (const folder of [...searchPath.split(delimiter), '/opt/homebrew/bin']) {
		for (const name of ['redis-server', 'valkey-server']) {
			const program = { path: join(folder, name), env: {} };
			if (folder !== '' && (await works(program))) {
				return { ...program, path: realpathSync(program.path) };
			}
		}
	}
	return undefined;
};

/** What `dpkg-deb -x` left: the program and every library folder it brought. */
const unpacked = (folder: string): RedisProgram => {
	const libraries = ['usr/lib', 'lib']
		.map((part) => join(folder, part))
		.filter((part) => existsSync(part))
		.flatMap((part) => readdirSync(part).map((triplet) => join(part, triplet)))
		.filter((part) => part.includes('-linux-'));
	return {
		path: join(folder, 'usr/bin/redis-server'),
		env: { LD_LIBRARY_PATH: libraries.join(':') }
	};
};

/** apt-get kept away from every folder of the system, so that it needs no root and no lock. */
const aptOptions = (folder: string): string[] =>
	[
		`Dir::State::lists=${folder}/lists`,
		`Dir::Cache=${folder}/cache`,
		`Dir::Log=${folder}`,
		'Debug::NoLocking=1',
		'APT::Sandbox::User=',
		'Acquire::Languages=none',
		'Dir::Cache::pkgcache=',
		'Dir::Cache::srcpkgcache='
	].flatMap((option) => ['-o', option]);

const fetchPackages = async (folder: string, aptGet: string): Promise<void> => {
	await mkdir(join(folder, 'lists/partial'), { recursive: true });
	await mkdir(join(folder, 'cache/archives/partial'), { recursive: true });
	const apt = (...args: string[]) =>
		runToEnd(aptGet, [...aptOptions(folder), '-qq', ...args], { timeoutMs: FETCH_TIMEOUT_MS });
	await apt('update');
	await apt('-y', '--download-only', '--no-install-recommends', 'install', 'redis-server');
	const archives = join(folder, 'cache/archives');
	for (const name of readdirSync(archives).filter((file) => file.endsWith('.deb'))) {
		await runToEnd('dpkg-deb', ['-x', join(archives, name), join(folder, 'root')]);
	}
};

const fetchProgram = async (home: string, aptGet: string): Promise<void> => {
	const half = `${home}.${process.pid}`;
	try {
		await fetchPackages(half, aptGet);
		if (!(await works(unpacked(join(half, 'root'))))) throw new Error('it does not run here');
		// Two starts at once: the first rename wins, the other finds its copy there.
		await rename(join(half, 'root'), home).catch(() => {});
	} finally {
		await rm(half, { recursive: true, force: true });
	}
};

type Places = { env?: NodeJS.ProcessEnv; cache?: string; aptGet?: string };

/**
 * In this order: REDIS_SERVER_BIN, the search path, an earlier fetched copy, Debian's packages.
 * Throws an Error of one sentence that says what to do when there is none to be had.
 */
export const findRedisProgram = async (
	say: (line: string) => void,
	{ env = process.env, cache = cacheFolder(), aptGet = '/usr/bin/apt-get' }: Places = {}
): Promise<RedisProgram> => {
	const named = env['REDIS_SERVER_BIN'];
	if (named !== undefined && named !== '') {
		const program = { path: named, env: {} };
		if (await works(program)) return program;
		throw new PlainError(
			`REDIS_SERVER_BIN names ${named}, which is no Redis 6.2 or newer: ${advice}`
		);
	}
	const installed = await findInstalled(env['PATH'] ?? '');
	if (installed) return installed;
	const home = join(cache, 'redis-bin');
	if (await works(unpacked(home))) return unpacked(home);
	if (!existsSync(aptGet)) throw new PlainError(`No Redis was found on this machine: ${advice}`);
	say('fetching Redis (once; nothing is installed)');
	await rm(home, { recursive: true, force: true });
	try {
		await fetchProgram(home, aptGet);
	} catch (error) {
		const said = error instanceof Error ? error.message : String(error);
		throw new PlainError(`No Redis was found and fetching one failed, so ${advice}\n${said}`, {
			cause: error
		});
	}
	return unpacked(home);
};
