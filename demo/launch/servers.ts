// The hub and the workers as processes of their own, as in production; what they print goes to a
// file, and its end is shown when one of them fails.
import { createWriteStream } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { join } from 'node:path';
import { startTied } from '../../ops/embedded/child.ts';
import type { TiedChild } from '../../ops/embedded/child.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';
import { PlainError } from '../../ops/embedded/plain-error.ts';

export type Server = {
	name: string;
	pid: number;
	/** Settles when the process is gone. */
	exited: Promise<unknown>;
	/** Its last lines. */
	tail: () => string;
	/** SIGTERM, so that it drains; SIGKILL after 15 s. */
	close: () => Promise<void>;
};

type StartOptions = {
	name: string;
	/** Path of the entry from the project's root. */
	entry: string;
	/** The log event that says it works. */
	readyEvent: string;
	env: NodeJS.ProcessEnv;
	/** Folder of the log files. */
	logFolder: string;
};

const READY_TIMEOUT_MS = 60_000;
const DRAIN_MS = 15_000;
const LOG_LIMIT_BYTES = 50_000_000;

/** Writes lines up to a limit: a demo left running for weeks must not fill the disk. */
const limited = (file: WriteStream) => (line: string) => {
	if (file.bytesWritten < LOG_LIMIT_BYTES && !file.writableEnded) file.write(`${line}\n`);
};

const explain = (name: string, started: TiedChild, logPath: string): string =>
	started.tail().includes('EADDRINUSE')
		? 'The port is taken: choose another with --port.'
		: `The ${name} did not start. Its last lines (all are in ${logPath}):\n${started.tail()}`;

/** Starts one server and waits until it is ready; throws a PlainError with its own words. */
export const startServer = async (options: StartOptions): Promise<Server> => {
	const { name, entry, readyEvent, env, logFolder } = options;
	const logPath = join(logFolder, `${name}.log`);
	const file = createWriteStream(logPath, { flags: 'w', mode: 0o600 });
	const started = startTied(process.execPath, [join(projectRoot, entry)], {
		cwd: projectRoot,
		env,
		deathSignal: 'TERM',
		onLine: limited(file)
	});
	const close = async () => {
		await started.stop('SIGTERM', DRAIN_MS);
		file.end();
	};
	try {
		await started.waitForLine(new RegExp(`\\b${readyEvent}\\b`), READY_TIMEOUT_MS);
	} catch (error) {
		await close();
		throw new PlainError(explain(name, started, logPath), { cause: error });
	}
	return { name, pid: started.pid, exited: started.exited, tail: started.tail, close };
};
