// The note a running demo leaves in its folder: keeps a second start away and tells
// `npm run demo:burst` where the clinics are.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { PlainError } from '../../ops/embedded/plain-error.ts';

const Running = z.object({
	pid: z.int().positive(),
	/** The patient board; empty while the demo is still starting. */
	boardUrl: z.string(),
	/** Control endpoint of the simulated clinics; empty when there are none. */
	controlUrl: z.string()
});
export type Running = z.infer<typeof Running>;

const noteOf = (folder: string): string => join(folder, 'running.json');

const isDemo = (pid: number): boolean => {
	if (pid === process.pid) return false;
	try {
		process.kill(pid, 0);
	} catch (error) {
		if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
	}
	const commandLine = `/proc/${pid}/cmdline`;
	// A process id is used again after a restart of the machine.
	if (!existsSync('/proc/self')) return true;
	return (
		existsSync(commandLine) && /demo.(run\.js|start\.ts)/.test(readFileSync(commandLine, 'utf8'))
	);
};

/** The demo that runs on `folder` now, if any. */
export const readRunning = (folder: string): Running | undefined => {
	if (!existsSync(noteOf(folder))) return undefined;
	try {
		const note = Running.parse(JSON.parse(readFileSync(noteOf(folder), 'utf8')));
		return isDemo(note.pid) ? note : undefined;
	} catch {
		return undefined;
	}
};

/** Takes `folder` for this process; throws a PlainError when another demo has it. */
export const claimFolder = (
	folder: string
): { tell: (urls: Omit<Running, 'pid'>) => void; release: () => void } => {
	const other = readRunning(folder);
	if (other !== undefined) {
		const where = other.boardUrl === '' ? '' : ` at ${other.boardUrl}`;
		throw new PlainError(
			`The demo is already running${where} (process ${other.pid}): stop it first, or choose another folder with --data.`
		);
	}
	const tell = (urls: Omit<Running, 'pid'>): void =>
		writeFileSync(noteOf(folder), JSON.stringify({ pid: process.pid, ...urls }), { mode: 0o600 });
	tell({ boardUrl: '', controlUrl: '' });
	return { tell, release: () => rmSync(noteOf(folder), { force: true }) };
};
