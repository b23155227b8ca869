// One line per request: method, route pattern, status, time. Never the address as asked for: it
// may hold ids of holds, the token of a link, or what somebody searches.
import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { publicText } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';

/** X5: the pattern that matched, `/api/v1/holds/:id`; pages are all `page`. */
const routeOf = (req: Request): string => {
	const route: unknown = req.route;
	const path = typeof route === 'object' && route !== null ? Reflect.get(route, 'path') : undefined;
	return typeof path === 'string' ? `${req.baseUrl}${path}` : 'page';
};

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

/** Gives the request its id (also as `X-Request-Id`) and logs it when it has been answered. */
export const accessLog =
	(log: Log): RequestHandler =>
	(req, res, next) => {
		const startedAt = performance.now();
		req.id = randomUUID();
		res.set('X-Request-Id', req.id);
		res.once('close', () => {
			log.info('http_request', {
				request: publicText(req.id),
				method: publicText(methods.has(req.method) ? req.method : 'other'),
				route: publicText(routeOf(req)),
				status: res.writableFinished ? res.statusCode : 499,
				ms: Math.round(performance.now() - startedAt)
			});
		});
		next();
	};
