// The HTTP side of the hub: one Express app with the API, the health routes and, last, the pages.
import { constants } from 'node:zlib';
import compression from 'compression';
import express from 'express';
import type { Express, Request, RequestHandler, Response } from 'express';
import type { HubApi } from '#domain/api.ts';
import type { Clock } from '#domain/time.ts';
import { logFault } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';
import type { TakePush } from '#server/scheduling/take-push.ts';
import { accessLog } from './access-log.ts';
import { calendarRoutes } from './calendar-routes.ts';
import { dataHeaders, isAsset, pageHeaders } from './headers.ts';
import { healthRoutes } from './health-routes.ts';
import type { HealthParts } from './health-routes.ts';
import { createQuota, defaultLimits, limitBy, limitHolds, refuseAsPage } from './limits.ts';
import type { HttpLimits, Quota, RefuseLimited } from './limits.ts';
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

const unlessAsset =
	(middleware: RequestHandler): RequestHandler =>
	(req, res, next) =>
		isAsset(req) ? next() : middleware(req, res, next);

const forReads =
	(middleware: RequestHandler): RequestHandler =>
	(req, res, next) =>
		safeMethods.has(req.method) ? middleware(req, res, next) : next();

const forChanges =
	(middleware: RequestHandler): RequestHandler =>
	(req, res, next) =>
		safeMethods.has(req.method) ? next() : middleware(req, res, next);

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
const addressOf = (req: Request): string => req.ip ?? 'unknown';

/** What every caller passes, of the API and of the pages: one count for both. */
const createGuards = ({ hub, linkKey, clock, publicUrl, isOurOrigin, ...parts }: AppParts) => {
	const limits = parts.limits ?? defaultLimits;
	const session = { linkKey, clock, secure: publicUrl.startsWith('https:') };
	const changes = createQuota('changes', limits.changes);
	return {
		/** How much one address may ask. */
		address: limitBy(createQuota('address', limits.address), addressOf),
		origin: checkOrigin(isOurOrigin),
		session: sessionMiddleware(session, hub),
		holds: forChanges(limitHolds(parts.holds ?? createQuota('holds', limits.holds), addressOf)),
		/** How much one device may change. */
		changes: (refuseLimited?: RefuseLimited) =>
			forChanges(limitBy(changes, deviceOf, refuseLimited)),
		enter: [limitBy(createQuota('enter', limits.enter), addressOf), enterRoute(session)]
	};
};

type Guards = ReturnType<typeof createGuards>;

/** What is answered to a change is short, and often one of many: only what is read is compressed. */
const apiRouter = (guards: Guards): express.Router => {
	const router = express.Router();
	router.use(forReads(compress()), guards.address, guards.origin, guards.session, guards.holds);
	router.use(guards.changes(), express.json({ limit: BODY_LIMIT }));
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
	const { hub, log, publicUrl, pages } = parts;
	const limits = parts.limits ?? defaultLimits;
	const guards = createGuards(parts);
	const asData = dataHeaders(publicUrl);

	const app = express();
	app.disable('x-powered-by');
	app.disable('etag');
	app.set('trust proxy', parts.trustProxy);
	app.use(accessLog(log));
	const door = {
		take: parts.takePush,
		pushes: createQuota('pushes', limits.pushes),
		wrong: createQuota('wrongPushes', limits.wrongPushes),
		addressOf
	};
	app.use('/api/v1/push', asData, pushRoutes(door));
	app.use('/api/v1', asData, apiRouter(guards));
	app.use(pageHeaders(publicUrl), healthRoutes(parts.health), compress());
	app.use(unlessAsset(guards.address));
	app.use('/calendar', asData, calendarRoutes(hub));
	app.use(guards.origin);
	app.get('/enter', guards.enter);
	app.use(unlessAsset(guards.session), guards.holds);
	app.get('/problems/:reason', problemPage);
	if (pages !== null) {
		app.use(tellScheme, guards.changes(refuseAsPage), hearPages(parts), pages);
	}
	app.use(notFound);
	app.use(createFaultHandler(log, parts.isUnavailable));
	return app;
};
