// Rate limits of the HTTP side, per device and per address, in this process's memory: a Redis that
// is away can neither open nor shut the door.
import { isIPv4, isIPv6 } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import type { HubApi } from '#domain/api.ts';
import { refuse } from '#domain/result.ts';
import { sendRefusal } from './problem.ts';
import { createWindowCounts, type WindowState } from './window-counts.ts';

export type Limit = { readonly quota: number; readonly windowS: number };

export type HttpLimits = {
	/** Everything one address asks. Generous: a whole village may share an address. */
	readonly address: Limit;
	/** What one device changes. */
	readonly changes: Limit;
	/** Doors opened by private links, per address. */
	readonly enter: Limit;
	/**
	 * Holds placed from one network, over HTTP, pages and sockets together: a device is only a cookie,
	 * and whoever drops it is a new one. Enough for a clinic's waiting room.
	 */
	readonly holds: Limit;
	/** Messages that one source pushes from one address. */
	readonly pushes: Limit;
	/** Messages from one address whose key is wrong. */
	readonly wrongPushes: Limit;
};

export const defaultLimits: HttpLimits = {
	address: { quota: 1_200, windowS: 60 },
	changes: { quota: 60, windowS: 60 },
	enter: { quota: 20, windowS: 60 },
	holds: { quota: 40, windowS: 60 },
	pushes: { quota: 1_200, windowS: 60 },
	wrongPushes: { quota: 30, windowS: 60 }
};

/** X20: the quota of holds is the operator's to set: some addresses stand for a whole town. */
export const limitsFor = (config: { readonly maxHoldsPerAddress: number }): HttpLimits => ({
	...defaultLimits,
	holds: { ...defaultLimits.holds, quota: config.maxHoldsPerAddress }
});

const waitSOf = ({ endsInMs }: WindowState): number => Math.max(1, Math.ceil(endsInMs / 1_000));

/** Answers a request beyond a quota; the headers of the quota are set already. */
export type RefuseLimited = (req: Request, res: Response, name: keyof HttpLimits) => void | 'next';

const refuseAsProblem: RefuseLimited = (_req, res, name) =>
	sendRefusal(res, 'too_many_requests', { 'violated-policies': [name] });

/** The page that says so in plain words (web/routes/too-many). */
const TOO_MANY_PAGE = '/too-many';

/** X21: a form sent by our script hears it as kit's own error, any other is drawn a page. */
export const refuseAsPage: RefuseLimited = (req, res) => {
	if (req.get('x-sveltekit-action') === 'true') {
		const error = { status: 429, message: 'too_many_requests' };
		res.status(429).set('Cache-Control', 'no-store').json({ type: 'error', error });
		return undefined;
	}
	req.method = 'GET';
	req.url = TOO_MANY_PAGE;
	req.originalUrl = TOO_MANY_PAGE;
	return 'next';
};

export type Quota = {
	readonly name: keyof HttpLimits;
	readonly limit: Limit;
	/** Counts one; `isOver` = there was none left. */
	take(key: string): { readonly isOver: boolean; readonly state: WindowState };
};

/** One count per key in this process, shared by all who are given it. */
export const createQuota = (name: keyof HttpLimits, limit: Limit): Quota => {
	const counts = createWindowCounts(limit.windowS * 1_000);
	return {
		name,
		limit,
		take: (key) => {
			const state = counts.take(key);
			return { isOver: state.count > limit.quota, state };
		}
	};
};

/**
 * X8: with `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers) on every answer, 429 and
 * `Retry-After` beyond the quota.
 */
export const limitBy =
	(
		{ name, limit, take }: Quota,
		keyOf: (req: Request) => string,
		refuseLimited: RefuseLimited = refuseAsProblem
	): RequestHandler =>
	(req, res, next) => {
		const { isOver, state } = take(keyOf(req));
		const left = Math.max(0, limit.quota - state.count);
		res.setHeader('RateLimit-Policy', `"${name}";q=${limit.quota};w=${limit.windowS}`);
		res.setHeader('RateLimit', `"${name}";r=${left};t=${waitSOf(state)}`);
		if (isOver) {
			res.set('Retry-After', String(waitSOf(state)));
			if (refuseLimited(req, res, name) !== 'next') return;
		}
		next();
	};

/** Hexadecimal groups of an IPv6 address that name the network of one subscriber. */
const NETWORK_GROUPS = 4;

/** X20: an IPv4 address, or the /64 of an IPv6 address: all of it belongs to one subscriber. */
export const networkOf = (address: string): string => {
	if (isIPv4(address)) return address;
	const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
	if (!isIPv6(plain)) return plain;
	const [head = '', tail = ''] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::');
	const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'));
	const [left, right] = [groupsOf(head), groupsOf(tail)];
	const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
	return `${[...left, ...zeros, ...right].slice(0, NETWORK_GROUPS).join(':')}::/64`;
};

/** X20: whoever places a hold through this request, the API or a page, is counted by network. */
export const limitHolds =
	({ name, take }: Quota, addressOf: (req: Request) => string): RequestHandler =>
	(req, res, next) => {
		const { hub } = req;
		const placeHold: HubApi['placeHold'] = async (device, command) => {
			const { isOver, state } = take(networkOf(addressOf(req)));
			if (!isOver) return await hub.placeHold(device, command);
			res.set('Retry-After', String(waitSOf(state)));
			return refuse('too_many_requests', { 'violated-policies': [name] });
		};
		req.hub = Object.create(hub);
		req.hub.placeHold = placeHold;
		next();
	};
