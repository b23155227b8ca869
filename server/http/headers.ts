// What every answer tells the browser about itself, by kind: a script or a style, data, a document.
import type { Request, RequestHandler, Response } from 'express';
import helmet from 'helmet';

const HSTS_MAX_AGE_S = 63_072_000;
/**
 * `same-origin`, not `no-referrer`: under the latter browsers send `Origin: null` with a form, and
 * every form would be refused as coming from elsewhere.
 */
const REFERRER_POLICY = 'same-origin';

export const isAsset = (req: Request): boolean => req.path.startsWith('/_app/');

type Headers = readonly (readonly [name: string, value: string])[];

const setAll = (res: Response, headers: Headers): void => {
	for (const [name, value] of headers) res.setHeader(name, value);
};

/** Scripts and styles cannot be framed: on a thin line each header of ten files counts. */
const assetHeaders: Headers = [
	['X-Content-Type-Options', 'nosniff'],
	['Cross-Origin-Resource-Policy', 'same-origin']
];

/**
 * X13: an answer of the API is data, nothing in it may ever run or be framed, and nobody stores it
 * unless its route says otherwise. What only a document heeds (its opener, its agent cluster, what
 * it looks up ahead, old browsers' filters and plug-ins) is left out: many answers are shorter than
 * those headers.
 */
export const dataHeaders = (publicUrl: string): RequestHandler => {
	const headers: Headers = [
		...assetHeaders,
		['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
		['X-Frame-Options', 'DENY'],
		['Referrer-Policy', REFERRER_POLICY],
		['Cache-Control', 'no-store'],
		...(publicUrl.startsWith('https:')
			? [['Strict-Transport-Security', `max-age=${HSTS_MAX_AGE_S}`] as const]
			: [])
	];
	return (_req, res, next) => {
		setAll(res, headers);
		next();
	};
};

/** The pages set their own Content-Security-Policy, with a nonce per page. */
export const pageHeaders = (publicUrl: string): RequestHandler => {
	const documentHeaders = helmet({
		contentSecurityPolicy: false,
		frameguard: { action: 'deny' },
		referrerPolicy: { policy: REFERRER_POLICY },
		crossOriginResourcePolicy: { policy: 'same-origin' },
		strictTransportSecurity: publicUrl.startsWith('https:')
			? { maxAge: HSTS_MAX_AGE_S, includeSubDomains: false }
			: false
	});
	return (req, res, next) => {
		if (!isAsset(req)) {
			documentHeaders(req, res, next);
			return;
		}
		setAll(res, assetHeaders);
		next();
	};
};
