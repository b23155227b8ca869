// A loop inside this process: never overlaps itself, survives its own faults, stops when told. The
// only waiter outside BullMQ, because it must work while Redis is empty or dead.
import { SECOND_MS } from '#domain/time.ts';
import { logFault, publicText, type Log } from '#server/platform/log.ts';

export type Loop = {
	readonly name: string;
	readonly everyMs: number;
	readonly run: () => Promise<unknown>;
	/** Resolves when what its runs began, and did not wait for, has ended. Begins nothing more. */
	readonly settled?: () => Promise<unknown>;
};

export type RunningLoop = {
	readonly name: string;
	/** Runs it now (or right after the run that is under way); resolves when that run ended. */
	now(): Promise<void>;
	/** Stops it and waits for the run under way and what it began. */
	close(): Promise<void>;
};

const LONGEST_PAUSE_MS = 15 * SECOND_MS;

/** The pause after `faults` faulty runs in a row. */
export const pauseMs = (everyMs: number, faults: number): number =>
	faults === 0
		? everyMs
		: Math.max(everyMs, Math.min(everyMs * 2 ** Math.min(faults, 10), LONGEST_PAUSE_MS));

/** Starts with a run at once. The first of a row of faults is logged, and the recovery. */
export const startLoop = (loop: Loop, log: Log): RunningLoop => {
	let faults = 0;
	let closed = false;
	let timer: NodeJS.Timeout | undefined;
	let last: Promise<void> = Promise.resolve();

	const runOnce = async (): Promise<void> => {
		try {
			await loop.run();
			if (faults > 0) log.info('loop_recovered', { loop: publicText(loop.name), faults });
			faults = 0;
		} catch (error) {
			if (faults === 0) logFault(log, 'loop_failed', error, { loop: publicText(loop.name) });
			faults += 1;
		}
	};
	const runAfter = async (previous: Promise<void>): Promise<void> => {
		await previous;
		if (closed) return;
		clearTimeout(timer);
		await runOnce();
		if (!closed) timer = setTimeout(() => void turn(), pauseMs(loop.everyMs, faults));
	};
	const turn = (): Promise<void> => {
		clearTimeout(timer);
		last = runAfter(last);
		return last;
	};
	void turn();
	return {
		name: loop.name,
		now: turn,
		close: async () => {
			closed = true;
			clearTimeout(timer);
			await last;
			await loop.settled?.();
		}
	};
};
