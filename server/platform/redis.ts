// Connections to Redis. A dead Redis slows the hub and never breaks it, so no connection throws
// on its own: publishers fail at once, subscribers and queues wait until it is back.
import { Redis, type RedisOptions } from 'ioredis';

export type RedisRole = 'publisher' | 'subscriber' | 'queue';

export type RedisSettings = {
	readonly role: RedisRole;
	/** Shown by CLIENT LIST. */
	readonly name?: string;
	/** Called when the connection is lost or refused (many times while Redis is down). */
	readonly onFault?: (error: Error) => void;
};

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;
const CONNECT_TIMEOUT_MS = 5_000;
const COMMAND_TIMEOUT_MS = 1_000;

const retryStrategy = (attempt: number): number =>
	Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 10), LONGEST_RETRY_MS);

type Options = RedisOptions & { replyMapping?: 'legacy' };

const optionsOf = (role: RedisRole): Options => {
	const common = { retryStrategy, connectTimeout: CONNECT_TIMEOUT_MS };
	if (role === 'publisher') {
		return {
			...common,
			enableOfflineQueue: false,
			maxRetriesPerRequest: 0,
			commandTimeout: COMMAND_TIMEOUT_MS
		};
	}
	if (role === 'subscriber') {
		// Resubscribing is done on `ready` by whoever follows, so that each return is noticed.
		return { ...common, maxRetriesPerRequest: null, autoResubscribe: false };
	}
	// BullMQ waits with blocking commands: no limit of tries, no limit of time.
	return { ...common, maxRetriesPerRequest: null };
};

/** Connects in the background. Close it with `redis.disconnect()`. */
export const createRedis = (url: string, settings: RedisSettings): Redis => {
	const redis = new Redis(url, {
		...optionsOf(settings.role),
		connectionName: settings.name ?? `slotcast-${settings.role}`
	});
	redis.on('error', (error) => settings.onFault?.(error));
	return redis;
};
