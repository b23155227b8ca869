// Who stands behind a request: a device by its secret cookie, and staff by a private link.
// Used by HTTP and, through `readVisitor`, by the socket handshake.
import { hash, randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import { z } from 'zod';
import type { HubApi, Visitor } from '#domain/api.ts';
import { DeviceKey } from '#domain/ids.ts';
import { DAY_MS, toInstant } from '#domain/time.ts';
import type { Clock } from '#domain/time.ts';
import { readCookie, writeCookie } from './cookies.ts';
import { readLink, signLink } from './links.ts';
import type { LinkClaims } from './links.ts';
import { sendRefusal } from './problem.ts';

export const DEVICE_COOKIE = 'slotcast_device';
/** A clinic's console. */
export const STAFF_COOKIE = 'slotcast_staff';
/** X18: the operator's own, so that opening one private link does not close the other. */
export const OPERATOR_COOKIE = 'slotcast_operator';

/** The page that says so in plain words (web/routes/link-over). */
const LINK_OVER_PAGE = '/link-over';

/** The longest browsers keep a cookie. */
const DEVICE_MAX_AGE_MS = 400 * DAY_MS;

declare global {
	// eslint-disable-next-line @typescript-eslint/no-namespace -- Express is extended this way.
	namespace Express {
		interface Request {
			/** Of this request alone; stands in its log line and in its answer. */
			id: string;
			hub: HubApi;
			visitor: Visitor;
			/** Logs a fault of a page; the visitor is shown the id, or asked to come back (503). */
			reportFault: (error: unknown) => { id: string; status: 500 | 503 };
		}
	}
}

export type SessionParts = {
	readonly linkKey: Buffer;
	readonly clock: Clock;
	/** Cookies are marked Secure. */
	readonly secure: boolean;
};

const cookieOf = (role: 'clinic' | 'operator'): string =>
	role === 'clinic' ? STAFF_COOKIE : OPERATOR_COOKIE;

/** The operator's page and its data; everything else is the clinic's first. */
const isOperators = (path: string): boolean => /^(?:\/api\/v1)?\/status(?:\/|$)/.test(path);

/** What the cookies of a request tell; `device` is null when it has no (proper) device cookie. */
export type CookieVisitor = {
	readonly device: DeviceKey | null;
	readonly staff: Visitor['staff'];
	/** End of the staff session, or null. */
	readonly staffUntil: number | null;
};

const Secret = z.uuid();

/** X3: only this digest is ever stored or compared. */
export const deviceKeyOf = (secret: string): DeviceKey =>
	DeviceKey.parse(hash('sha256', secret, 'hex'));

/** `path` decides between two sessions of one browser; a socket is a console's. */
export const createVisitorReader =
	({ linkKey, clock }: Pick<SessionParts, 'linkKey' | 'clock'>) =>
	(cookieHeader: string | undefined, path = '/'): CookieVisitor => {
		const secret = Secret.safeParse(readCookie(cookieHeader, DEVICE_COOKIE)).data;
		const device = secret === undefined ? null : deviceKeyOf(secret);
		const claimsOf = (role: 'clinic' | 'operator'): LinkClaims | null => {
			const token = readCookie(cookieHeader, cookieOf(role));
			const claims = token === null ? null : readLink(linkKey, token, clock.now(), 'session');
			return claims?.role === role ? claims : null;
		};
		const claims = isOperators(path)
			? (claimsOf('operator') ?? claimsOf('clinic'))
			: (claimsOf('clinic') ?? claimsOf('operator'));
		if (claims === null) return { device, staff: null, staffUntil: null };
		const { exp, ...staff } = claims;
		return { device, staff, staffUntil: exp };
	};

/** Adds a cookie beside those that are set already. */
const appendCookie = (res: Response, cookie: string): void => {
	res.append('Set-Cookie', cookie);
};

/** Fills `req.hub` and `req.visitor`; a visitor without a device cookie is given one. */
export const sessionMiddleware = (parts: SessionParts, hub: HubApi): RequestHandler => {
	const readVisitor = createVisitorReader(parts);
	return (req, res, next) => {
		req.hub = hub;
		const found = readVisitor(req.headers.cookie, req.path);
		let { device } = found;
		if (device === null) {
			const secret = randomUUID();
			device = deviceKeyOf(secret);
			appendCookie(
				res,
				writeCookie(DEVICE_COOKIE, secret, { maxAgeMs: DEVICE_MAX_AGE_MS, secure: parts.secure })
			);
		}
		req.visitor = { device, staff: found.staff };
		next();
	};
};

/**
 * GET /enter?token=…: turns a private link into a session cookie that ends when the link does.
 * The token is in no log (the access log knows only the route) and in no Referer.
 */
export const enterRoute =
	({ linkKey, clock, secure }: SessionParts): RequestHandler =>
	(req, res) => {
		res.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
		const { token } = req.query;
		const now = clock.now();
		const claims = typeof token === 'string' ? readLink(linkKey, token, now) : null;
		if (claims === null) {
			// Who follows an old link is a person: shown a page, with the token out of the address.
			if (req.accepts(['json', 'html']) === 'html') res.redirect(303, LINK_OVER_PAGE);
			else sendRefusal(res, 'link_expired');
			return;
		}
		const maxAgeMs = toInstant(claims.exp) - now;
		const session = signLink(linkKey, claims, 'session');
		appendCookie(res, writeCookie(cookieOf(claims.role), session, { maxAgeMs, secure }));
		res.redirect(303, claims.role === 'clinic' ? '/console' : '/status');
	};
