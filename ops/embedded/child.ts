// Starts programs that must never outlive us: tied to our life by the kernel where it can, stopped
// by their own process id, their output kept for the sentence that explains a failure.
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { PlainError } from './plain-error.ts';

/** The unprivileged user servers run as when we are root. */
export type RunAs = { uid: number; gid: number; name: string };

const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];
const KEPT_LINES = 40;

/** `postgres` when the machine has that user, else `nobody`. Throws when it has neither. */
export const findServerUser = (): RunAs => {
	const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
	for (const name of ['postgres', 'nobody']) {
		const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
		if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
	}
	throw new PlainError(
		'PostgreSQL refuses to run as root and this machine has neither a user "postgres" nor "nobody": add one, or start as an ordinary user.'
	);
};

/** Runs a short program to its end; resolves with stdout, rejects with what it said on stderr. */
export const runToEnd = (
	program: string,
	args: readonly string[],
	options: {
		env?: NodeJS.ProcessEnv;
		as?: RunAs | undefined;
		timeoutMs?: number;
		cwd?: string;
	} = {}
): Promise<string> =>
	new Promise((done, fail) => {
		execFile(
			program,
			args,
			{
				cwd: options.cwd ?? '/',
				env: options.env ?? process.env,
				timeout: options.timeoutMs ?? 120_000,
				maxBuffer: 16 * 1024 * 1024,
				...(options.as && { uid: options.as.uid, gid: options.as.gid })
			},
			(error, stdout, stderr) => {
				if (error) fail(new Error(`${program} failed: ${stderr.trim() || error.message}`));
				else done(stdout);
			}
		);
	});

export type TiedChild = {
	child: ChildProcess;
	pid: number;
	/** The last lines it printed, newest last. */
	tail: () => string;
	/** Settles when the process is gone, however it went; never rejects. */
	exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
	/** Waits for a line that matches; rejects when the process ends or the time is over. */
	waitForLine: (pattern: RegExp, timeoutMs: number) => Promise<RegExpExecArray>;
	/** Sends `signal`; after `graceMs` SIGKILL. Resolves when the process is gone. */
	stop: (signal: NodeJS.Signals, graceMs: number) => Promise<void>;
};

type TiedOptions = {
	env?: NodeJS.ProcessEnv;
	cwd?: string;
	as?: RunAs | undefined;
	/** What the kernel sends it when we die, even by `kill -9` (Linux with setpriv only). */
	deathSignal: 'INT' | 'TERM' | 'KILL';
	/** Own process group, so that Ctrl-C in a terminal reaches only us. Default true. */
	detached?: boolean;
	onLine?: (line: string) => void;
};

const tie = (program: string, args: readonly string[], options: TiedOptions): ChildProcess => {
	const setpriv =
		process.platform === 'linux' ? SETPRIV.find((path) => existsSync(path)) : undefined;
	const [command, all] =
		setpriv === undefined
			? [program, [...args]]
			: [setpriv, ['--pdeathsig', options.deathSignal, program, ...args]];
	return spawn(command, all, {
		cwd: options.cwd ?? '/',
		env: options.env ?? process.env,
		detached: options.detached ?? true,
		stdio: ['ignore', 'pipe', 'pipe'],
		...(options.as && { uid: options.as.uid, gid: options.as.gid })
	});
};

/** Splits both output streams into lines, keeps the last ones and tells every listener. */
const followLines = (child: ChildProcess, onLine?: (line: string) => void) => {
	const kept: string[] = [];
	const listeners = new Set<(line: string) => void>(onLine ? [onLine] : []);
	const take = (line: string) => {
		kept.push(line);
		if (kept.length > KEPT_LINES) kept.shift();
		for (const listener of listeners) listener(line);
	};
	for (const stream of [child.stdout, child.stderr]) {
		let rest = '';
		stream?.setEncoding('utf8');
		stream?.on('data', (text: string) => {
			const lines = (rest + text).split('\n');
			rest = lines.pop() ?? '';
			for (const line of lines) take(line);
		});
		stream?.on('end', () => {
			if (rest !== '') take(rest);
		});
	}
	return { kept, listeners };
};

/** Starts `program` tied to our life. Output must not contain secrets: it is shown on failure. */
export const startTied = (
	program: string,
	args: readonly string[],
	options: TiedOptions
): TiedChild => {
	const child = tie(program, args, options);
	const { kept, listeners } = followLines(child, options.onLine);
	const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
		child.once('error', (error) => {
			kept.push(error.message);
			done({ code: null, signal: null });
		});
		child.once('close', (code, signal) => done({ code, signal }));
	});
	const lastResort = () => child.kill('SIGKILL');
	process.once('exit', lastResort);
	void exited.then(() => process.off('exit', lastResort));
	const tail = () => kept.join('\n');
	return {
		child,
		pid: child.pid ?? 0,
		tail,
		exited,
		waitForLine: (pattern, timeoutMs) =>
			new Promise((done, fail) => {
				const seen = kept.map((line) => pattern.exec(line)).find((match) => match !== null);
				if (seen) return done(seen);
				const finish = (act: () => void) => {
					clearTimeout(timer);
					listeners.delete(look);
					act();
				};
				const look = (line: string) => {
					const match = pattern.exec(line);
					if (match) finish(() => done(match));
				};
				const timer = setTimeout(
					() =>
						finish(() =>
							fail(new Error(`${program} was not ready in ${timeoutMs} ms:\n${tail()}`))
						),
					timeoutMs
				);
				listeners.add(look);
				void exited.then(() => finish(() => fail(new Error(`${program} ended:\n${tail()}`))));
			}),
		stop: async (signal, graceMs) => {
			if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
			child.kill(signal);
			const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
			await exited;
			clearTimeout(timer);
		}
	};
};
