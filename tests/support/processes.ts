// Starts our own entry points as real processes and makes sure that none outlives its test.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { startTied } from '../../ops/embedded/child.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';
import { mustClose } from './leaks.ts';

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type TestProcess = {
	pid: number;
	/** The ready line as it matched; groups hold what the caller asked for (a port, a URL). */
	ready: RegExpExecArray;
	/** Everything printed so far on both streams (the last 2 MB). */
	output: () => string;
	exited: Promise<Exit>;
	/** Sends the signal and waits until the process is gone. */
	kill: (signal?: NodeJS.Signals) => Promise<Exit>;
	/** SIGTERM, then SIGKILL after 10 s. */
	close: () => Promise<void>;
};

export type StartOptions = {
	env?: Record<string, string>;
	args?: readonly string[];
	/** The line that means it is ready; default: any line that says `ready` or `listening`. */
	ready?: RegExp;
	/** How long it may take, default 120 s. */
	timeoutMs?: number;
};

const KEPT_CHARACTERS = 2_000_000;
const KILL_GRACE_MS = 10_000;

/**
 * Only what a bare shell has, and where compiled code is kept: a test must say what else its
 * process gets.
 */
const bareEnv = (): Record<string, string> =>
	Object.fromEntries(
		['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'NODE_COMPILE_CACHE'].flatMap((name) => {
			const value = process.env[name];
			return value === undefined ? [] : [[name, value]];
		})
	);

/** Starts `entry` (path from the project's root) on the Node that runs the tests. */
export const startProcess = async (
	entry: string,
	options: StartOptions = {}
): Promise<TestProcess & AsyncDisposable> => {
	let output = '';
	const started = startTied(
		process.execPath,
		[resolve(projectRoot, entry), ...(options.args ?? [])],
		{
			cwd: projectRoot,
			env: { ...bareEnv(), ...options.env },
			deathSignal: 'KILL',
			onLine: (line) => {
				output = `${output}${line}\n`.slice(-KEPT_CHARACTERS);
			}
		}
	);
	const close = () => started.stop('SIGTERM', KILL_GRACE_MS);
	try {
		const pattern = options.ready ?? /\b(ready|listening)\b|_ready|_listening/i;
		const ready = await started.waitForLine(pattern, options.timeoutMs ?? 120_000);
		return mustClose(`process ${entry} (${started.pid})`, {
			pid: started.pid,
			ready,
			output: () => output,
			exited: started.exited,
			kill: async (signal: NodeJS.Signals = 'SIGTERM') => {
				started.child.kill(signal);
				return await started.exited;
			},
			close
		});
	} catch (error) {
		await close();
		throw error;
	}
};

/** True while a process with this id exists and is no mere remains of one. */
export const isAlive = (pid: number): boolean => {
	try {
		process.kill(pid, 0);
	} catch (error) {
		return error instanceof Error && 'code' in error && error.code === 'EPERM';
	}
	const status = `/proc/${pid}/stat`;
	// A zombie has ended; in a container nobody may ever collect it.
	return !existsSync(status) || !/\) Z /.test(readFileSync(status, 'utf8'));
};
