// Who is at the other end of a connection, when proxies stand between: only as many of them are
// believed as the operator named.
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Asked } from './origin.ts';

const listOf = (header: string | string[] | undefined): string[] =>
	(typeof header === 'string' ? header : (header ?? []).join(','))
		.split(',')
		.map((item) => item.trim())
		.filter((item) => item !== '');

/** X11: the address before the trusted proxies; what a caller claims beyond them is not believed. */
export const addressOf = (req: IncomingMessage, trustProxy: number): string => {
	const own = req.socket.remoteAddress ?? 'unknown';
	const hops = [...listOf(req.headers['x-forwarded-for']), own];
	return hops[Math.max(0, hops.length - 1 - trustProxy)] ?? own;
};

/** Headers and scheme of a request that did not come through Express (a socket handshake). */
export const askedOf = (req: IncomingMessage, trustProxy: number): Asked => {
	const told = trustProxy > 0 ? listOf(req.headers['x-forwarded-proto']).at(-1) : undefined;
	return {
		headers: req.headers,
		secure: req.socket instanceof TLSSocket || told === 'https'
	};
};
