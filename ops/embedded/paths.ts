// Where the project keeps what it starts and fetches itself: databases, fetched programs, the
// unpacked browser. Guarantees a private folder that the user who runs the servers can reach.
import { createHash, randomBytes } from 'node:crypto';
import {
	accessSync,
	chmodSync,
	constants,
	existsSync,
	mkdirSync,
	readdirSync,
	rmSync,
	statfsSync,
	statSync
} from 'node:fs';
import { freemem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { PlainError } from './plain-error.ts';

export const projectRoot = resolve(import.meta.dirname, '../..');

/** Survives a restart of the machine and is open to every user, unlike a private home. */
const SHARED = '/var/tmp';

export const isRoot = (): boolean => process.getuid?.() === 0;

/** True when any user of this machine may walk down to `folder` (x for others on every part). */
export const othersCanWalk = (folder: string): boolean => {
	for (let at = resolve(folder); ; at = dirname(at)) {
		if (!existsSync(at) || (statSync(at).mode & 0o001) === 0) return false;
		if (at === dirname(at)) return true;
	}
};

const isWritable = (folder: string): boolean => {
	try {
		accessSync(folder, constants.W_OK);
		return true;
	} catch {
		return false;
	}
};

/** Makes `folder` with exactly `mode`, whatever the umask of the shell is. */
export const makeFolder = (folder: string, mode: number): string => {
	mkdirSync(folder, { recursive: true });
	chmodSync(folder, mode);
	return folder;
};

/**
 * A folder in a place everyone may write to must be ours, or somebody could plant programs in it.
 * Throws one sentence when it is not.
 */
const claimSharedFolder = (folder: string): string => {
	mkdirSync(folder, { recursive: true });
	if (statSync(folder).uid !== process.getuid?.()) {
		throw new PlainError(`${folder} belongs to another user: remove it, then start again.`);
	}
	chmodSync(folder, 0o755);
	return folder;
};

/**
 * What every checkout on this machine may share: fetched programs and unpacked archives.
 * As root it lies outside the project, because PostgreSQL refuses to run as root and the user it
 * runs as often cannot walk into root's home.
 */
export const cacheFolder = (): string => {
	if (isRoot()) return claimSharedFolder(join(SHARED, 'slotcast'));
	const inProject = join(projectRoot, '.data');
	if (existsSync(inProject) ? isWritable(inProject) : isWritable(projectRoot)) {
		return makeFolder(inProject, 0o755);
	}
	return claimSharedFolder(join(SHARED, `slotcast-${process.getuid?.() ?? 'user'}`));
};

/** The folder of this checkout's own lasting data (the demo's databases). */
export const dataFolder = (): string => {
	const cache = cacheFolder();
	if (cache === join(projectRoot, '.data')) return cache;
	const checkout = createHash('sha256').update(projectRoot).digest('hex').slice(0, 12);
	return makeFolder(join(cache, `checkout-${checkout}`), 0o755);
};

const isRunning = (pid: number): boolean => {
	try {
		return process.kill(pid, 0);
	} catch (error) {
		return error instanceof Error && 'code' in error && error.code === 'EPERM';
	}
};

/** Removes the folders of runs that were killed before they could do it themselves. */
const sweepRunFolders = (cache: string): void => {
	for (const name of readdirSync(cache)) {
		const pid = /^run-(\d+)-/.exec(name)?.[1];
		if (pid === undefined || isRunning(Number(pid))) continue;
		rmSync(join(cache, name), { recursive: true, force: true });
	}
};

const makeRunFolderIn = (parent: string, kind: string): string => {
	sweepRunFolders(parent);
	const name = `run-${process.pid}-${kind}-${randomBytes(4).toString('hex')}`;
	return makeFolder(join(parent, name), 0o755);
};

/** A new empty folder for one run; its name carries our process id so that left-overs show. */
export const makeRunFolder = (kind: string): string => makeRunFolderIn(cacheFolder(), kind);

/** Memory that is used as a folder, on Linux. */
const MEMORY = '/dev/shm';
const ENOUGH_BYTES = 4 * 1_024 ** 3;

const hasMemory = (): boolean => {
	if (!existsSync(MEMORY) || !isWritable(MEMORY)) return false;
	const { bavail, bsize } = statfsSync(MEMORY);
	return Math.min(bavail * bsize, freemem()) >= ENOUGH_BYTES;
};

/**
 * The same for data that nobody wants after the run: in memory where there is plenty. A disk spends
 * a third of a test run on files that are made and removed again.
 */
export const makePassingFolder = (kind: string): string =>
	hasMemory()
		? makeRunFolderIn(claimSharedFolder(join(MEMORY, `slotcast-${process.getuid?.() ?? 0}`)), kind)
		: makeRunFolder(kind);
