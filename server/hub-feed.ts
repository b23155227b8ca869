// The hub's part of the change feed, put together: what it follows, publishes and hears on Redis.
import { randomUUID } from 'node:crypto';
import type { RoomEntry } from '#domain/protocol.ts';
import { createDeviceFollower } from '#server/feed/device-messages.ts';
import { createFollower } from '#server/feed/follow.ts';
import type { Follower } from '#server/feed/follow.ts';
import { createPublisher } from '#server/feed/publish.ts';
import { createViewerCounts } from '#server/feed/viewer-counts.ts';
import type { LiveServer } from '#server/live/socket-server.ts';
import type { Config } from '#server/platform/config.ts';
import type { Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { createRedis } from '#server/platform/redis.ts';
import type { RedisRole } from '#server/platform/redis.ts';

const REDIS_WARNING_EVERY_MS = 30_000;

/** While Redis is down every attempt to reconnect fails: one line in a while is enough. */
export const warnOfRedis = (log: Log): (() => void) => {
	let warnedAt = -Infinity;
	return () => {
		if (performance.now() - warnedAt < REDIS_WARNING_EVERY_MS) return;
		warnedAt = performance.now();
		log.warn('redis_unreachable');
	};
};

export type Feed = {
	readonly follower: Follower;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	readonly isRedisUp: () => boolean;
	readonly close: () => Promise<void>;
};

/** `live` is asked for late: it cannot exist before the follower does. */
export const openFeed = (
	{ config, log }: { readonly config: Config; readonly log: Log },
	sql: Sql,
	epoch: string,
	live: () => LiveServer | null
): Feed => {
	const onFault = warnOfRedis(log);
	const prefix = config.redisPrefix;
	const connect = (role: RedisRole) => createRedis(config.redisUrl, { role, onFault });
	const [publishing, following, hearing] = [
		connect('publisher'),
		connect('subscriber'),
		connect('subscriber')
	];
	const publisher = createPublisher({
		redis: publishing,
		epoch: () => follower.epoch(),
		log,
		prefix
	});
	const follower = createFollower({
		sql,
		redis: following,
		epoch,
		log,
		prefix,
		onEntries: (room, entries, waitedMs) => live()?.deliver(room, entries, waitedMs),
		onReset: (room) => live()?.reset(room)
	});
	const viewers = createViewerCounts({
		redis: publishing,
		prefix,
		id: randomUUID(),
		read: () => live()?.viewersByRoom() ?? new Map()
	});
	const devices = createDeviceFollower({ redis: hearing, log, prefix }, (message) =>
		live()?.tellDevice(message)
	);
	return {
		follower,
		publish: (entries) => {
			publisher.publish(entries);
			follower.hint(entries);
		},
		isRedisUp: () => publishing.status === 'ready',
		close: async () => {
			viewers.close();
			await follower.close();
			await devices.close();
			await publisher.close();
			for (const redis of [publishing, following, hearing]) redis.disconnect();
		}
	};
};
