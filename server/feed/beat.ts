// Work that is done again and again with a pause in between, never twice at a time, and at once
// when asked.

export type Beat = {
	/** Does the work now (after the one under way, if any). */
	readonly run: () => Promise<void>;
	/** Stops and waits for the work under way. */
	readonly close: () => Promise<void>;
};

/** `work` must not throw. The first run begins at once. */
export const createBeat = (pauseMs: number, work: () => Promise<void>): Beat => {
	let timer: NodeJS.Timeout | undefined;
	let current: Promise<void> | null = null;
	let isWanted = false;
	let isClosed = false;

	const loop = async (): Promise<void> => {
		for (;;) {
			isWanted = false;
			await work();
			if (isClosed || !isWanted) break;
		}
		current = null;
		if (isClosed) return;
		timer = setTimeout(() => void run(), pauseMs);
		timer.unref();
	};

	const run = (): Promise<void> => {
		if (isClosed) return Promise.resolve();
		clearTimeout(timer);
		isWanted = true;
		current ??= loop();
		return current;
	};

	void run();
	return {
		run,
		close: async () => {
			isClosed = true;
			clearTimeout(timer);
			await current;
		}
	};
};
