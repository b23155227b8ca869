// Waits for something to become true: the only way a test waits for other processes.

type Falsy = false | 0 | '' | null | undefined;

const STEP_MS = 10;
const LONGEST_STEP_MS = 500;

/**
 * Asks again and again until `condition` gives something true, and returns that. A condition that
 * throws counts as not yet true. Between two questions pass `stepMs` (default 10 ms), or as long as
 * the question took, up to half a second: a dear one must not keep the machine from what is waited for. Rejects after
 * `timeoutMs` (default 40 s) with the last error.
 */
export const until = async <T>(
	condition: () => T | Promise<T>,
	{
		timeoutMs = 40_000,
		stepMs = STEP_MS,
		what = ''
	}: { timeoutMs?: number; stepMs?: number; what?: string } = {}
): Promise<Exclude<T, Falsy>> => {
	const deadline = performance.now() + timeoutMs;
	let last: unknown;
	for (;;) {
		const askedAt = performance.now();
		try {
			const value = await condition();
			if (value) return value as Exclude<T, Falsy>;
			last = undefined;
		} catch (error) {
			last = error;
		}
		const now = performance.now();
		if (now > deadline) {
			const name = what || condition.toString().slice(0, 200);
			throw new Error(`not true after ${timeoutMs} ms: ${name}`, { cause: last });
		}
		const pauseMs = Math.max(stepMs, Math.min(now - askedAt, LONGEST_STEP_MS));
		await new Promise((done) => setTimeout(done, pauseMs));
	}
};
