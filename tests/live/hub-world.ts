// Real hubs over a real database and a real Redis, in this process, and real clients to them.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import type { RequestHandler } from 'express';
import { io } from 'socket.io-client';
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client';
import type { SlotId } from '#domain/ids.ts';
import { PROTOCOL_VERSION } from '#domain/protocol.ts';
import type {
	PatientClientEvents,
	PatientServerEvents,
	ProviderClientEvents,
	ProviderServerEvents,
	RoomEntry
} from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import { createPublisher } from '#server/feed/publish.ts';
import type { Publisher } from '#server/feed/publish.ts';
import { startHub } from '#server/hub.ts';
import type { Hub } from '#server/hub.ts';
import { defaultLimits } from '#server/http/limits.ts';
import type { HttpLimits } from '#server/http/limits.ts';
import { DEVICE_COOKIE } from '#server/http/session.ts';
import { parseConfig } from '#server/platform/config.ts';
import { createLog } from '#server/platform/log.ts';
import { createRedis } from '#server/platform/redis.ts';
import { appendSlotChanges, readHeads } from '#server/store/change-log.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { createWorld } from '../scheduling/world.ts';
import { mustClose } from '../support/leaks.ts';
import { createTestRedis } from '../support/redis.ts';

export type PatientClient = Socket<PatientServerEvents, PatientClientEvents>;
export type ProviderClient = Socket<ProviderServerEvents, ProviderClientEvents>;

export const ROOM = 'dermatology:us-mt';

const isEntry = (entry: RoomEntry<unknown>): entry is RoomEntry => entry.seq > 0;

/** A person's browser: one device cookie. */
export const makeCookie = (): string => `${DEVICE_COOKIE}=${randomUUID()}`;

export type TestHub = Hub & {
	readonly url: string;
	/** Every line it logged. */
	readonly lines: string[];
};

export type HubOver = {
	env?: Record<string, string>;
	limits?: HttpLimits;
	pages?: RequestHandler;
};

const manyRequests: HttpLimits = {
	...defaultLimits,
	pushes: { quota: 1_000_000, windowS: 60 },
	address: { quota: 1_000_000, windowS: 60 },
	changes: { quota: 1_000_000, windowS: 60 },
	enter: { quota: 1_000_000, windowS: 60 },
	holds: { quota: 1_000_000, windowS: 60 }
};

const startTestHub = async (env: Record<string, string>, over: HubOver): Promise<TestHub> => {
	const lines: string[] = [];
	const destination = new Writable({
		write: (chunk: Buffer, _encoding, done) => {
			lines.push(chunk.toString());
			done();
		}
	});
	const config = parseConfig({ HUB_MODE: 'development', PORT: '0', ...env, ...over.env });
	const hub = await startHub({
		config,
		log: createLog({ name: 'hub', level: config.logLevel, destination }),
		pages: over.pages ?? null,
		version: '0.0.0',
		limits: over.limits ?? manyRequests
	});
	return { ...hub, lines, url: `http://127.0.0.1:${hub.port}` };
};

export type HubWorld = Awaited<ReturnType<typeof createHubWorld>>;

/** A world (tests/scheduling/world.ts) with a Redis; hubs are started over it. */
export const createHubWorld = async () => {
	const redis = await createTestRedis();
	let publisher: Publisher | null = null;
	const world = await createWorld({
		publish: (entries) => publisher?.publish(entries.filter(isEntry))
	});
	const publishing = createRedis(redis.url, { role: 'publisher' });
	await once(publishing, 'ready');
	publisher = createPublisher({
		redis: publishing,
		epoch: await ensureEpoch(world.sql),
		log: createLog({ name: 'test', level: 'silent' }),
		prefix: redis.prefix
	});
	const env = {
		DATABASE_URL: world.database.url,
		REDIS_URL: redis.url,
		HUB_REDIS_PREFIX: redis.prefix,
		HUB_DRAIN_MS: '500',
		// The key of the world's own cipher, so that both read each other's patients.
		HUB_PHI_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`
	};
	return mustClose('hub world', {
		...world,
		redis,
		env,
		startHub: async (over: HubOver = {}) => {
			const hub = await startTestHub(env, over);
			return mustClose(`hub ${hub.port}`, hub);
		},
		/** Commits one log entry per call with the present state of these slots, and tells of it. */
		logSlots: async (ids: readonly SlotId[]): Promise<RoomEntry[]> => {
			const entries = await world.sql.begin((tx) => appendSlotChanges(tx, ids));
			publisher?.publish(entries);
			return entries;
		},
		/** The room's head according to the store. */
		head: async (room = ROOM): Promise<number> =>
			must((await readHeads(world.sql, [room])).get(room), room),
		close: async () => {
			await publisher?.close();
			publishing.disconnect();
			await redis.close();
			await world.close();
		}
	});
};

export type ConnectOver = Partial<ManagerOptions & SocketOptions> & {
	cookie?: string;
	origin?: string;
};

const optionsOf = ({ cookie, origin, ...over }: ConnectOver) => ({
	auth: { protocol: PROTOCOL_VERSION },
	transports: ['websocket'],
	forceNew: true,
	reconnection: false,
	autoConnect: false,
	extraHeaders: {
		...(cookie === undefined ? {} : { cookie }),
		...(origin === undefined ? {} : { origin })
	},
	...over
});

const closing = <S extends Socket>(socket: S, name: string) =>
	mustClose(name, {
		socket,
		close: async () => {
			socket.disconnect();
		}
	});

/** A client of /patients; its page comes from the hub itself. */
export const connectPatient = (hub: { url: string }, over: ConnectOver = {}) => {
	const socket: PatientClient = io(
		`${hub.url}/patients`,
		optionsOf({ cookie: makeCookie(), origin: hub.url, ...over })
	);
	return closing(socket, 'patient client');
};

export const connectProvider = (hub: { url: string }, over: ConnectOver = {}) => {
	const socket: ProviderClient = io(
		`${hub.url}/providers`,
		optionsOf({ origin: hub.url, ...over })
	);
	return closing(socket, 'provider client');
};

/** Connects; rejects with what the hub said. */
export const connected = (socket: Socket): Promise<void> =>
	new Promise((resolve, reject) => {
		socket.once('connect', resolve);
		socket.once('connect_error', reject);
		socket.connect();
	});
