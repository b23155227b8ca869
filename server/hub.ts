// The hub, put together: the only place beside main.ts that opens connections. Starts without Redis
// and without a feed hint; never without Postgres.
import type { Server as HttpServer } from 'node:http';
import type { RequestHandler } from 'express';
import type { HubApi } from '#domain/api.ts';
import type { Clock } from '#domain/time.ts';
import { openFeed, warnOfRedis } from '#server/hub-feed.ts';
import type { Feed } from '#server/hub-feed.ts';
import { isUnavailable, refuseInSilence, watchDatabase } from '#server/health.ts';
import type { DatabaseWatch } from '#server/health.ts';
import { createApp } from '#server/http/app.ts';
import { addressOf, askedOf } from '#server/http/caller.ts';
import type { Health } from '#server/http/health-routes.ts';
import { createQuota, limitsFor, networkOf } from '#server/http/limits.ts';
import { createHttpServer, finishRequests, listen } from '#server/http/http-server.ts';
import type { HttpLimits } from '#server/http/limits.ts';
import { createOriginCheck, mayConnect } from '#server/http/origin.ts';
import { createVisitorReader } from '#server/http/session.ts';
import { createLiveServer } from '#server/live/socket-server.ts';
import type { LiveServer } from '#server/live/socket-server.ts';
import { systemClock } from '#server/platform/clock.ts';
import type { Config } from '#server/platform/config.ts';
import { publicText } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';
import { keysById } from '#server/platform/keyring.ts';
import { createPhiCipher } from '#server/platform/phi.ts';
import { createPostgres, HUB_ROLE } from '#server/platform/postgres.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { openPushDoor } from '#server/pushes.ts';
import { createHubApi } from '#server/scheduling/hub-api.ts';
import { createSourceDesk } from '#server/scheduling/source-desk.ts';
import { readEntries, readHeads } from '#server/store/change-log.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { prepareDatabase } from '#server/store/migrate.ts';
import { createQueues } from '#workers/queues.ts';
import type { Queues } from '#workers/queues.ts';

export type HubParts = {
	readonly config: Config;
	readonly log: Log;
	/** The built pages, or null: then the API and the sockets alone are served. */
	readonly pages: RequestHandler | null;
	readonly version: string;
	readonly clock?: Clock;
	readonly limits?: HttpLimits;
};

export type Hub = {
	readonly port: number;
	readonly hub: HubApi;
	/** V15: refuses newcomers, sends viewers elsewhere in waves, finishes requests, closes. */
	drain(): Promise<void>;
	/** Closes at once. */
	close(): Promise<void>;
};

/** Share of the drain that viewers are spread over; the rest is for requests under way. */
const WAVES_SHARE = 0.6;

/** Nobody waits longer for a page. */
const STATEMENT_TIMEOUT_MS = 10_000;

/** Brings the database to the present schema as its owner, then works as a role without rights. */
const openDatabase = async ({ config, log }: HubParts): Promise<Sql> => {
	await prepareDatabase(config.databaseUrl, (name) =>
		log.info('migrated', { migration: publicText(name) })
	);
	return createPostgres(config.databaseUrl, {
		max: config.databasePool,
		statementTimeoutMs: STATEMENT_TIMEOUT_MS,
		role: HUB_ROLE,
		applicationName: 'slotcast-hub'
	});
};

type Opened = {
	readonly sql: Sql;
	readonly watch: DatabaseWatch;
	readonly feed: Feed;
	readonly queues: Queues;
};

const createApi = (parts: HubParts, opened: Opened, live: () => LiveServer | null): HubApi => {
	const { config, clock = systemClock } = parts;
	const { sql, feed, queues } = opened;
	return createHubApi({
		sql,
		publish: feed.publish,
		clock,
		linkKey: config.linkKey,
		publicUrl: config.publicUrl,
		phi: createPhiCipher(keysById(config.phiKeys)),
		enqueueBooking: async (bookingId, round) => {
			await queues.addBooking(bookingId, 0, 0, round);
		},
		addAlerts: queues.addAlerts,
		queueStatus: queues.status,
		socketCounts: () => live()?.counts() ?? { patients: 0, providers: 0, rooms: 0 },
		feedLagMs: feed.follower.lagMs,
		// Asks for things only: what reads other people's answers is a worker.
		sources: createSourceDesk({
			sql,
			secrets: createSecretCipher(keysById(config.phiKeys)),
			publish: feed.publish
		}),
		config
	});
};

type Doors = {
	readonly http: HttpServer;
	readonly live: LiveServer;
	readonly startDraining: () => void;
};

const openDoors = (parts: HubParts, opened: Opened, hub: HubApi): Doors => {
	const { config, log, clock = systemClock } = parts;
	const { sql, watch, feed } = opened;
	const { linkKey, publicUrl, trustProxy } = config;
	const isOurOrigin = createOriginCheck(config);
	const limits = parts.limits ?? limitsFor(config);
	const holds = createQuota('holds', limits.holds);
	let isDraining = false;
	const readHealth = async (): Promise<Health> => ({
		postgres: watch.isUp() ? 'up' : 'down',
		redis: feed.isRedisUp() ? 'up' : 'down',
		migrations: 'done',
		feedLagMs: feed.follower.lagMs(),
		feedSure: feed.follower.isCurrent()
	});
	const health = { version: parts.version, isDraining: () => isDraining, readHealth };
	const app = createApp({
		hub,
		takePush: openPushDoor({
			config,
			sql,
			clock,
			log,
			publish: feed.publish,
			addAlerts: opened.queues.addAlerts
		}),
		log,
		clock,
		linkKey,
		isOurOrigin,
		publicUrl,
		trustProxy,
		health,
		isUnavailable,
		pages: parts.pages,
		limits,
		holds
	});
	const http = createHttpServer(app);
	const live = createLiveServer({
		http,
		hub,
		log,
		clock,
		feed: feed.follower,
		readEntries: (room, seq, limit) => readEntries(sql, room, seq, limit),
		readHead: async (room) => (await readHeads(sql, [room])).get(room) ?? 0,
		isSure: feed.follower.isCurrent,
		isUnavailable,
		readVisitor: createVisitorReader({ linkKey, clock }),
		mayConnect: (req, isWebSocket) =>
			mayConnect(isOurOrigin, askedOf(req, trustProxy), isWebSocket),
		addressOf: (req) => addressOf(req, trustProxy),
		mayHold: async (address) => !holds.take(networkOf(address)).isOver,
		isDraining: () => isDraining,
		maxSockets: config.maxSockets,
		maxSocketsPerAddress: config.maxSocketsPerAddress
	});
	return {
		http,
		live,
		startDraining: () => {
			isDraining = true;
		}
	};
};

/** Rejects with one clear sentence when Postgres cannot be used or the port is taken. */
export const startHub = async (parts: HubParts): Promise<Hub> => {
	const { config, log } = parts;
	const sql = await openDatabase(parts);
	const epoch = await ensureEpoch(sql);
	const late: { live: LiveServer | null } = { live: null };
	const feed = openFeed(parts, sql, epoch, () => late.live);
	const queues = createQueues(config.redisUrl, config.redisPrefix, { onFault: warnOfRedis(log) });
	const watch = watchDatabase(config.databaseUrl, log);
	const opened = { sql, watch, feed, queues };
	const hub = refuseInSilence(
		createApi(parts, opened, () => late.live),
		watch.isSilent
	);
	const { http, live, startDraining } = openDoors(parts, opened, hub);
	late.live = live;

	const closeAll = async (): Promise<void> => {
		startDraining();
		await live.close();
		http.closeAllConnections();
		await watch.close();
		await feed.close();
		await queues.close();
		await sql.end({ timeout: 2 });
	};
	const drain = async (): Promise<void> => {
		const startedAt = performance.now();
		startDraining();
		const closed = new Promise<void>((resolve) => http.close(() => resolve()));
		http.closeIdleConnections();
		await live.drain(config.drainMs * WAVES_SHARE);
		await finishRequests(closed, http, config.drainMs - (performance.now() - startedAt));
		await closeAll();
	};
	try {
		const port = await listen(http, config);
		return { port, hub, drain, close: closeAll };
	} catch (error) {
		await closeAll();
		throw error;
	}
};
