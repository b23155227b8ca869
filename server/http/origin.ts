// Which pages may act on this hub: those of its own host, its public address and the configured
// origins. Cookies alone prove nothing, because a browser adds them to anybody's request.
import type { IncomingHttpHeaders } from 'node:http';

export type OriginRules = {
	readonly publicUrl: string;
	readonly allowedOrigins: readonly string[];
};

export type Asked = {
	readonly headers: IncomingHttpHeaders;
	/** `https` when the connection (or a trusted proxy) says so. */
	readonly secure: boolean;
};

const MAX_ORIGIN_CHARACTERS = 300;

/** The origin as a browser writes it, or null: no path, no user, no `null`, lower case. */
const plainOrigin = (text: string): string | null => {
	const url = text.length > MAX_ORIGIN_CHARACTERS ? null : URL.parse(text);
	if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return null;
	return url.origin === text ? text : null;
};

/** X1: exactly one of ours; scheme, host and port must all be equal. */
export const createOriginCheck = ({ publicUrl, allowedOrigins }: OriginRules) => {
	const known = new Set([new URL(publicUrl).origin, ...allowedOrigins]);
	return (origin: string, { headers, secure }: Asked): boolean => {
		const plain = plainOrigin(origin);
		if (plain === null) return false;
		if (known.has(plain)) return true;
		const own =
			headers.host === undefined ? null : `${secure ? 'https' : 'http'}://${headers.host}`;
		return own !== null && (own === plain || URL.parse(own)?.origin === plain);
	};
};

export type OriginCheck = ReturnType<typeof createOriginCheck>;

/**
 * X2: a request that changes something needs an Origin of ours. Programs send none and carry no
 * browser's cookies by accident: without an Origin, `Sec-Fetch-Site` must not speak of another
 * site.
 */
export const mayChange = (isOurs: OriginCheck, asked: Asked): boolean => {
	const { origin } = asked.headers;
	if (origin !== undefined) return isOurs(origin, asked);
	const site = asked.headers['sec-fetch-site'];
	return site === undefined || site === 'same-origin' || site === 'none';
};

/**
 * V1: a socket handshake. A browser always names its origin on a WebSocket, so one that has
 * cookies and no Origin is refused; on long-polling it leaves the Origin out for its own site.
 */
export const mayConnect = (isOurs: OriginCheck, asked: Asked, isWebSocket: boolean): boolean => {
	const { headers } = asked;
	if (headers.origin !== undefined) return isOurs(headers.origin, asked);
	if (isWebSocket) return headers.cookie === undefined;
	return mayChange(isOurs, asked);
};
