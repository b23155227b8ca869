// A token bucket per host, shared by all sources of this process: two sources on one host share
// its patience.

export type RateLimit = {
	/** Takes one token of the host; resolves when it may be used, false when that takes too long. */
	readonly take: (host: string, longestMs: number, signal: AbortSignal) => Promise<boolean>;
};

type Bucket = { tokens: number; at: number };

export type RateOptions = {
	readonly perSecond: number;
	readonly burst: number;
	/** Share of `perSecond` that holds just now; 1 when left out. */
	readonly share?: () => number;
	/** Monotonic, ms. */
	readonly now?: () => number;
	readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
};

/** What one host gets at most, over all sources on it. */
export const HOST_REQUESTS_PER_S = 20;
export const HOST_BURST = 60;

const MAX_HOSTS = 10_000;

/** Resolves after `ms`, or when the signal says so. */
export const waitFor = (ms: number, signal: AbortSignal): Promise<void> =>
	new Promise((done) => {
		const end = (): void => {
			clearTimeout(timer);
			signal.removeEventListener('abort', end);
			done();
		};
		const timer = setTimeout(end, ms);
		signal.addEventListener('abort', end, { once: true });
	});

/** Creates the buckets. A taken token may make the bucket negative: that is the queue. */
export const createRateLimit = (options: RateOptions): RateLimit => {
	const now = options.now ?? (() => performance.now());
	const wait = options.wait ?? waitFor;
	const buckets = new Map<string, Bucket>();
	const bucketOf = (host: string): Bucket => {
		const known = buckets.get(host);
		if (known !== undefined) return known;
		if (buckets.size >= MAX_HOSTS) buckets.clear();
		const made = { tokens: options.burst, at: now() };
		buckets.set(host, made);
		return made;
	};
	return {
		take: async (host, longestMs, signal) => {
			const bucket = bucketOf(host);
			const at = now();
			const perSecond = options.perSecond * (options.share?.() ?? 1);
			const gained = ((at - bucket.at) / 1_000) * perSecond;
			bucket.tokens = Math.min(options.burst, bucket.tokens + gained);
			bucket.at = at;
			const waitMs = bucket.tokens >= 1 ? 0 : ((1 - bucket.tokens) / perSecond) * 1_000;
			if (waitMs > longestMs || signal.aborted) return false;
			bucket.tokens -= 1;
			if (waitMs > 0) await wait(waitMs, signal);
			return !signal.aborted;
		}
	};
};
