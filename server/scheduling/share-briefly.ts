// One answer for many who ask the same at the same time: a hot slot has hundreds of losers, and
// each is offered the same nearest times.

export type Sharing<A extends readonly unknown[]> = {
	readonly keyOf: (...args: A) => string;
	/** How long an answer serves, ms, from the moment it was asked for. */
	readonly freshMs: number;
	/** Monotonic clock, ms. */
	readonly now?: () => number;
};

/** Answers kept at a time; the oldest goes first. */
const MAX_KEPT = 500;

/** B10: within `freshMs` the same question is asked once; a failed answer serves nobody else. */
export const shareBriefly = <A extends readonly unknown[], T>(
	ask: (...args: A) => Promise<T>,
	{ keyOf, freshMs, now = () => performance.now() }: Sharing<A>
): ((...args: A) => Promise<T>) => {
	const kept = new Map<string, { readonly askedAt: number; readonly answer: Promise<T> }>();
	const forget = (key: string, answer: Promise<T>): void => {
		if (kept.get(key)?.answer === answer) kept.delete(key);
	};
	return (...args) => {
		const key = keyOf(...args);
		const known = kept.get(key);
		if (known !== undefined && now() - known.askedAt < freshMs) return known.answer;
		const answer = ask(...args);
		kept.delete(key);
		kept.set(key, { askedAt: now(), answer });
		answer.catch(() => forget(key, answer));
		const [oldest] = kept.keys();
		if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
		return answer;
	};
};
