// Ctrl-C: the first asks for a clean stop, the second does not wait for it.

export type StopRequest = {
	/** True from the first Ctrl-C (or SIGTERM, or a closed terminal) on. */
	wanted: () => boolean;
	/** Settles then. */
	asked: Promise<void>;
};

/** Watches for the signals for the rest of the process's life. */
export const watchForStop = (say: (line: string) => void): StopRequest => {
	const { promise, resolve } = Promise.withResolvers<void>();
	let wanted = false;
	const ask = (): void => {
		// The servers are tied to this process and end with it.
		if (wanted) process.exit(1);
		wanted = true;
		say('stopping (again Ctrl-C: at once)');
		resolve();
	};
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
	return { wanted: () => wanted, asked: promise };
};
