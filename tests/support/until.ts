// Waits for something to become true: the only way a test waits for other processes.

type Falsy = false | 0 | '' | null | undefined;

const STEP_MS = 10;

/**
 * Asks again and again until `condition` gives something true, and returns that. A condition that
 * throws counts as not yet true. It is asked every `stepMs` (default 10 ms). Rejects after `timeoutMs` (default 20 s) with the last error.
 */
export const until = async <T>(
	condition: () => T | Promise<T>,
	{
		timeoutMs = 20_000,
		stepMs = STEP_MS,
		what = ''
	}: { timeoutMs?: number; stepMs?: number; what?: string } = {}
): Promise<Exclude<T, Falsy>> => {
	const deadline = performance.now() + timeoutMs;
	let last: unknown;
	for (;;) {
		try {
			const value = await condition();
			if (value) return value as Exclude<T, Falsy>;
			last = undefined;
		} catch (error) {
			last = error;
		}
		if (performance.now() > deadline) {
			const name = what || condition.toString().slice(0, 200);
			throw new Error(`not true after ${timeoutMs} ms: ${name}`, { cause: last });
		}
		await new Promise((done) => setTimeout(done, stepMs));
	}
};
