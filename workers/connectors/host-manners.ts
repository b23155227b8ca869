// Manners towards a host: a token bucket, few requests at a time, a rest after failures, slower after
// "slow down". This file: what is asked of them, and the ones of a single process.
import { admit, afterFailure, closedBreaker, type Breaker } from '#domain/polling/breaker.ts';
import { createRateLimit, waitFor, type RateLimit, type RateOptions } from './rate-limit.ts';

/** What an exchange says of the host; `none` = nothing (our own fault, a wrong address). */
export type HostOutcome =
	| { readonly state: 'well' }
	| { readonly state: 'none' }
	| { readonly state: 'fault' | 'slow_down'; readonly retryAfterMs: number | null };

export type HostTurn =
	/** Call `leave` once, whatever happened. It never throws. */
	| { readonly state: 'go'; readonly leave: (outcome: HostOutcome) => Promise<void> }
	/** The host is given a rest; nobody asks it before. */
	| { readonly state: 'rest'; readonly waitMs: number }
	/** No turn within the time given. */
	| { readonly state: 'full' };

export type HostRequest = {
	readonly host: string;
	/** The source: a host rests only when more than one of its sources failed. */
	readonly source: string;
	/** Polls wait their turn and keep rests; a booking has somebody waiting and only keeps the rate. */
	readonly isPoll: boolean;
	readonly longestMs: number;
	readonly signal: AbortSignal;
};

export type HostManners = { readonly enter: (request: HostRequest) => Promise<HostTurn> };

export type MannersOptions = RateOptions & {
	/** Polls of one host under way at a time. */
	readonly concurrency: number;
	readonly chance?: () => number;
};

/** Waiting for a place: full jitter below this, ms. */
const PLACE_WAIT_MS = 60;
const MAX_HOSTS = 10_000;
/** A host that says "slow down" gets half; each good answer gives a twentieth back. */
export const SLOWER = 0.5;
export const FASTER = 1.05;
export const SLOWEST_SHARE = 0.01;

type Host = {
	underWay: number;
	breaker: Breaker;
	/** Sources that failed in a row; a rest needs two. */
	failing: Set<string>;
	share: number;
	rate: RateLimit;
};

/** Waits a moment of chance for a place; false when there is no time left. */
export const waitForPlace = async (
	startedAt: number,
	request: HostRequest,
	parts: { readonly now: () => number; readonly chance: () => number }
): Promise<boolean> => {
	const { longestMs, signal } = request;
	if (signal.aborted || parts.now() - startedAt >= longestMs) return false;
	await waitFor(5 + parts.chance() * PLACE_WAIT_MS, signal);
	return !signal.aborted;
};

/** Manners of this process alone: also what holds while Redis is away. */
export const createLocalManners = (options: MannersOptions): HostManners => {
	const now = options.now ?? (() => performance.now());
	const chance = options.chance ?? Math.random;
	const hosts = new Map<string, Host>();
	const hostOf = (name: string): Host => {
		const known = hosts.get(name);
		if (known !== undefined) return known;
		if (hosts.size >= MAX_HOSTS) hosts.clear();
		const made: Host = {
			underWay: 0,
			breaker: closedBreaker,
			failing: new Set(),
			share: 1,
			rate: createRateLimit({ ...options, share: () => made.share })
		};
		hosts.set(name, made);
		return made;
	};
	const note = (host: Host, source: string, outcome: HostOutcome): void => {
		if (outcome.state === 'none') return;
		if (outcome.state === 'well') {
			host.breaker = closedBreaker;
			host.failing.clear();
			host.share = Math.min(1, host.share * FASTER);
			return;
		}
		if (outcome.state === 'slow_down') host.share = Math.max(SLOWEST_SHARE, host.share * SLOWER);
		host.failing.add(source);
		const { retryAfterMs } = outcome;
		host.breaker = afterFailure(host.breaker, { now: now(), chance: chance(), retryAfterMs });
	};
	/** null = go on; otherwise how long the host rests. */
	const restOf = (host: Host): number | null => {
		if (host.failing.size < 2) return null;
		const { admitted, breaker } = admit(host.breaker, now());
		host.breaker = breaker;
		return admitted ? null : Math.max(breaker.shutUntil, breaker.probeUntil) - now();
	};
	const enter = async (request: HostRequest): Promise<HostTurn> => {
		const { source, isPoll, longestMs, signal } = request;
		const host = hostOf(request.host);
		const startedAt = now();
		const most = isPoll ? options.concurrency : Infinity;
		while (host.underWay >= most) {
			if (!(await waitForPlace(startedAt, request, { now, chance }))) return { state: 'full' };
		}
		const rest = isPoll ? restOf(host) : null;
		if (rest !== null) return { state: 'rest', waitMs: rest };
		host.underWay += isPoll ? 1 : 0;
		const leave = async (outcome: HostOutcome): Promise<void> => {
			host.underWay -= isPoll ? 1 : 0;
			note(host, source, outcome);
			return Promise.resolve();
		};
		if (await host.rate.take(request.host, Math.max(0, longestMs - (now() - startedAt)), signal)) {
			return { state: 'go', leave };
		}
		await leave({ state: 'none' });
		return { state: 'full' };
	};
	return { enter };
};
