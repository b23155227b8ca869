// The HTTP side of the hub: one Express app with the API, the health routes and, last, the pages.
import { constants } from 'node:zlib';
import compression from 'compression';
import express from 'express';
import type { Express, Request, RequestHandler, Response } from 'express';
import helmet from 'helmet';
import type { HubApi } from '#domain/api.ts';
import type { Clock } from '#domain/time.ts';
import { logFault } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';
import type { TakePush } from '#server/scheduling/take-push.ts';
import { accessLog } from './access-log.ts';
import { calendarRoutes } from './calendar-routes.ts';
import { healthRoutes } from './health-routes.ts';
import type { HealthParts } from './health-routes.ts';
import { createQuota, defaultLimits, limitBy, limitHolds, refuseAsPage } from './limits.ts';
import type { HttpLimits, Quota } from './limits.ts';
import { mayChange } from './origin.ts';
import type { OriginCheck } from './origin.ts';
import { patientRoutes } from './patient-routes.ts';
import { createFaultHandler, notFound, problemPage, sendRefusal } from './problem.ts';
import { pushRoutes } from './push-routes.ts';
import { enterRoute, sessionMiddleware } from './session.ts';
import { slotsRoutes } from './slots-routes.ts';
import { staffRoutes } from './staff-routes.ts';

export type AppParts = {
	readonly hub: HubApi;
	readonly log: Log;
	readonly clock: Clock;
	readonly takePush: TakePush;
	readonly linkKey: Buffer;
	readonly isOurOrigin: OriginCheck;
	readonly publicUrl: string;
	/** How many proxies in front may tell a caller's address and scheme. */
	readonly trustProxy: number;
	readonly health: HealthParts;
	/** True for faults that mean "the database is away". */
	readonly isUnavailable: (error: unknown) => boolean;
	/** null = no pages (tests of the API). */
	readonly pages: RequestHandler | null;
	readonly limits?: HttpLimits;
	/** X20: shared with the sockets. */
	readonly holds?: Quota;
};

const BODY_LIMIT = '16kb';
/** Brotli's default level is made for files that are compressed once. */
const BROTLI_QUALITY = 5;
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

const isAsset = (req: Request): boolean => req.path.startsWith('/_app/');

const unlessAsset =
	(middleware: RequestHandler): RequestHandler =>
	(req, res, next) =>
		isAsset(req) ? next() : middleware(req, res, next);

const forChanges =
	(middleware: RequestHandler): RequestHandler =>
	(req, res, next) =>
		safeMethods.has(req.method) ? next() : middleware(req, res, next);

/**
 * Referrer-Policy is `same-origin`, not `no-referrer`: under the latter browsers send
 * `Origin: null` with a form, and every form would be refused as coming from elsewhere.
 * The pages set their own Content-Security-Policy, with a nonce per page.
 */
const securityHeaders = (publicUrl: string): RequestHandler =>
	helmet({
		contentSecurityPolicy: false,
		frameguard: { action: 'deny' },
		referrerPolicy: { policy: 'same-origin' },
		crossOriginResourcePolicy: { policy: 'same-origin' },
		strictTransportSecurity: publicUrl.startsWith('https:')
			? { maxAge: 63_072_000, includeSubDomains: false }
			: false
	});

/** Scripts and styles cannot be framed: on a thin line each header of ten files counts. */
const assetHeaders: RequestHandler = (req, res, next) => {
	if (isAsset(req)) {
		res.set({ 'X-Content-Type-Options': 'nosniff', 'Cross-Origin-Resource-Policy': 'same-origin' });
	}
	next();
};

/** An answer of the API is data: nothing in it may ever run or be framed. */
const apiPolicy: RequestHandler = (_req, res, next) => {
	res.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
	next();
};

const compress = (): RequestHandler =>
	compression({
		brotli: { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } },
		filter: (req: Request, res: Response) =>
			!String(res.getHeader('Content-Type')).startsWith('text/event-stream') &&
			compression.filter(req, res)
	});

/** Kit reads the scheme from this header, so nobody but a trusted proxy may have set it. */
const tellScheme: RequestHandler = (req, _res, next) => {
	req.headers['x-forwarded-proto'] = req.protocol;
	next();
};

const checkOrigin = (isOurs: OriginCheck): RequestHandler =>
	forChanges((req, res, next) => {
		if (mayChange(isOurs, { headers: req.headers, secure: req.secure })) next();
		else sendRefusal(res, 'not_allowed');
	});

const deviceOf = (req: Request): string => req.visitor.device;

const apiRouter = (changes: Quota): express.Router => {
	const router = express.Router();
	router.use(apiPolicy);
	router.use(forChanges(limitBy(changes, deviceOf)));
	router.use(express.json({ limit: BODY_LIMIT }));
	router.use(slotsRoutes(), patientRoutes(), staffRoutes());
	router.use(notFound);
	return router;
};

/** Pages have a catch of their own; what they catch belongs in the hub's log. */
const hearPages =
	({ log, isUnavailable }: AppParts): RequestHandler =>
	(req, _res, next) => {
		req.reportFault = (error) => ({
			id: logFault(log, 'page_failed', error),
			status: isUnavailable(error) ? 503 : 500
		});
		next();
	};

export const createApp = (parts: AppParts): Express => {
	const { hub, log, clock, linkKey, publicUrl, pages } = parts;
	const limits = parts.limits ?? defaultLimits;
	const changes = createQuota('changes', limits.changes);
	const holds = parts.holds ?? createQuota('holds', limits.holds);
	const session = { linkKey, clock, secure: publicUrl.startsWith('https:') };
	const addressOf = (req: Request): string => req.ip ?? 'unknown';

	const app = express();
	app.disable('x-powered-by');
	app.disable('etag');
	app.set('trust proxy', parts.trustProxy);
	app.use(accessLog(log), assetHeaders, unlessAsset(securityHeaders(publicUrl)), tellScheme);
	app.use(healthRoutes(parts.health));
	const door = {
		take: parts.takePush,
		pushes: createQuota('pushes', limits.pushes),
		wrong: createQuota('wrongPushes', limits.wrongPushes),
		addressOf
	};
	app.use('/api/v1/push', apiPolicy, pushRoutes(door));
	app.use(compress());
	app.use(unlessAsset(limitBy(createQuota('address', limits.address), addressOf)));
	app.use('/calendar', apiPolicy, calendarRoutes(hub));
	app.use(checkOrigin(parts.isOurOrigin));
	const doors = createQuota('enter', limits.enter);
	app.get('/enter', limitBy(doors, addressOf), enterRoute(session));
	app.use(unlessAsset(sessionMiddleware(session, hub)));
	app.use(forChanges(limitHolds(holds, addressOf)));
	app.get('/problems/:reason', problemPage);
	app.use('/api/v1', apiRouter(changes));
	if (pages !== null) {
		app.use(forChanges(limitBy(changes, deviceOf, refuseAsPage)), hearPages(parts), pages);
	}
	app.use(notFound);
	app.use(createFaultHandler(log, parts.isUnavailable));
	return app;
};
