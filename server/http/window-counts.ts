// How often each key asked within its window: plain counts in memory, without a timer per key.

export type WindowState = {
	/** Asked in this window, this time included. */
	readonly count: number;
	/** Until the window ends, ms. */
	readonly endsInMs: number;
};

type Window = { count: number; readonly endsAt: number };

/** Ended windows looked for at each count: more than begin, so that memory follows the live ones. */
const SWEPT_AT_ONCE = 2;

/**
 * Counts one for `key`; its window begins with its first one. `size` = keys kept. `now` is a clock
 * that only goes forward, ms.
 */
export const createWindowCounts = (
	windowMs: number,
	now: () => number = () => performance.now()
): { take(key: string): WindowState; size(): number } => {
	// All windows are equally long, so they end in the order in which they were put here.
	const windows = new Map<string, Window>();
	const sweep = (at: number): void => {
		let left = SWEPT_AT_ONCE;
		for (const [key, { endsAt }] of windows) {
			if (left === 0 || endsAt > at) return;
			windows.delete(key);
			left -= 1;
		}
	};
	return {
		take: (key) => {
			const at = now();
			sweep(at);
			let window = windows.get(key);
			if (window === undefined || window.endsAt <= at) {
				windows.delete(key);
				window = { count: 0, endsAt: at + windowMs };
				windows.set(key, window);
			}
			window.count += 1;
			return { count: window.count, endsInMs: window.endsAt - at };
		},
		size: () => windows.size
	};
};
