// Faults on demand: what a clinic's server does wrong, for how long or how often. A fault is used
// up by the requests that meet it; asking twice within one request counts once.

export const faultKinds = [
	'slow',
	'http_500',
	'http_429',
	'hang',
	'truncated_page',
	'invalid_json',
	'wrong_offset',
	'repeated_ids',
	'empty_answer',
	'clock_skew',
	'reply_lost',
	'slow_loris',
	'push_lost',
	'push_twice',
	'push_swapped',
	'push_late'
] as const;

export type FaultKind = (typeof faultKinds)[number];

export type FaultRequest = {
	kind: FaultKind;
	/** Ends after this long; without `forMs` and `count` it stays until cleared. */
	forMs?: number;
	/** Ends after so many requests have met it. */
	count?: number;
	/** Only requests whose `METHOD url` contains this text. */
	match?: string;
	/** slow: wait before the answer (3,000). slow_loris: pause between drops (250). push_late (2,000). */
	delayMs?: number;
	/** http_429: what Retry-After says (2). */
	retryAfterS?: number;
	/** http_429: say Retry-After as an HTTP date. */
	asDate?: boolean;
	/** clock_skew: how far the clinic's clock is ahead (600,000; negative is behind). */
	skewMs?: number;
	/** truncated_page: end the cut answer properly instead of breaking the connection. */
	quiet?: boolean;
};

type Standing = FaultRequest & { until: number; left: number };

/** The fault met by this request, if any. */
export type FaultCheck = (kind: FaultKind) => FaultRequest | undefined;

export type Faults = {
	set: (fault: FaultRequest) => void;
	/** Ends one kind, or all. */
	clear: (kind?: FaultKind) => void;
	standing: () => readonly FaultRequest[];
	/** How far the clinic's clock is off now, ms. */
	skewMs: () => number;
	/** The check to use throughout one request. */
	forRequest: (line: string) => FaultCheck;
};

const DEFAULT_SKEW_MS = 600_000;

/** Creates the faults of one clinic; `now` is the true clock, UTC ms. */
export const createFaults = (now: () => number): Faults => {
	const standing = new Map<FaultKind, Standing>();
	const live = (kind: FaultKind): Standing | undefined => {
		const fault = standing.get(kind);
		if (fault === undefined) return undefined;
		if (fault.left > 0 && now() < fault.until) return fault;
		standing.delete(kind);
		return undefined;
	};
	return {
		set: (fault) => {
			const until = fault.forMs === undefined ? Infinity : now() + fault.forMs;
			standing.set(fault.kind, { ...fault, until, left: fault.count ?? Infinity });
		},
		clear: (kind) => {
			if (kind === undefined) standing.clear();
			else standing.delete(kind);
		},
		standing: () => faultKinds.flatMap((kind) => live(kind) ?? []),
		skewMs: () => {
			const fault = live('clock_skew');
			return fault === undefined ? 0 : (fault.skewMs ?? DEFAULT_SKEW_MS);
		},
		forRequest: (line) => {
			const met = new Map<FaultKind, FaultRequest | undefined>();
			return (kind) => {
				if (met.has(kind)) return met.get(kind);
				const fault = live(kind);
				const meets = fault !== undefined && line.includes(fault.match ?? '');
				if (meets) fault.left -= 1;
				met.set(kind, meets ? fault : undefined);
				return met.get(kind);
			};
		}
	};
};
