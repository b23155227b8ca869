// Rate limits of the HTTP side, per device and per address, in this process's memory: a Redis that
// is away can neither open nor shut the door.
import type { RequestHandler, Response } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { sendRefusal } from './problem.ts';

export type Limit = { readonly quota: number; readonly windowS: number };

export type HttpLimits = {
	/** Everything one address asks. Generous: a whole village may share an address. */
	readonly address: Limit;
	/** What one device changes. */
	readonly changes: Limit;
	/** Doors opened by private links, per address. */
	readonly enter: Limit;
};

export const defaultLimits: HttpLimits = {
	address: { quota: 1_200, windowS: 60 },
	changes: { quota: 60, windowS: 60 },
	enter: { quota: 20, windowS: 60 }
};

const headersOf = (name: string, { quota, windowS }: Limit, res: RateLimiterRes) => {
	const waitS = Math.max(1, Math.ceil(res.msBeforeNext / 1_000));
	return {
		'RateLimit-Policy': `"${name}";q=${quota};w=${windowS}`,
		RateLimit: `"${name}";r=${Math.max(0, res.remainingPoints)};t=${waitS}`
	};
};

const refuseLimited = (res: Response, name: string, state: RateLimiterRes): void => {
	res.set('Retry-After', String(Math.max(1, Math.ceil(state.msBeforeNext / 1_000))));
	sendRefusal(res, 'too_many_requests', { 'violated-policies': [name] });
};

/**
 * X8: with `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers) on every answer, 429 and
 * `Retry-After` beyond the quota.
 */
export const limitBy = (
	name: keyof HttpLimits,
	limit: Limit,
	keyOf: (req: Parameters<RequestHandler>[0]) => string
): RequestHandler => {
	const limiter = new RateLimiterMemory({
		keyPrefix: name,
		points: limit.quota,
		duration: limit.windowS
	});
	return async (req, res, next) => {
		try {
			const state = await limiter.consume(keyOf(req));
			res.set(headersOf(name, limit, state));
		} catch (state) {
			if (!(state instanceof RateLimiterRes)) throw state;
			res.set(headersOf(name, limit, state));
			refuseLimited(res, name, state);
			return;
		}
		next();
	};
};
