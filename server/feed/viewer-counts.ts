// How many people have each room open, told by every hub process to whoever plans polls. A hint that
// runs out by itself: counts only, no ids, and an empty Redis means "nobody is known to look".
import type { Redis } from 'ioredis';
import type { RoomName } from '#domain/room.ts';
import { MINUTE_MS, SECOND_MS } from '#domain/time.ts';

export const TELL_EVERY_MS = 15 * SECOND_MS;
const KEEP_MS = MINUTE_MS;
const MOST_ROOMS = 5_000;
const MOST_PROCESSES = 500;

const indexKey = (prefix: string): string => `${prefix}:viewers`;
const countsKey = (prefix: string, id: string): string => `${prefix}:viewers:${id}`;

export type ViewerCountsParts = {
	/** A connection with role `publisher`. */
	readonly redis: Redis;
	readonly prefix: string;
	/** Of this process; another one each start. */
	readonly id: string;
	readonly read: () => ReadonlyMap<RoomName, number>;
};

/** Tells the counts every quarter minute; a Redis that is away is told nothing. */
export const createViewerCounts = ({ redis, prefix, id, read }: ViewerCountsParts) => {
	const tell = async (): Promise<void> => {
		const top = [...read()].sort(([, a], [, b]) => b - a).slice(0, MOST_ROOMS);
		const key = countsKey(prefix, id);
		const told = redis.multi().del(key);
		if (top.length > 0) {
			told.hset(key, Object.fromEntries(top)).pexpire(key, KEEP_MS);
			told.sadd(indexKey(prefix), id).pexpire(indexKey(prefix), KEEP_MS);
		}
		await told.exec();
	};
	const timer = setInterval(() => void tell().catch(() => {}), TELL_EVERY_MS);
	return {
		tell,
		close: (): void => clearInterval(timer)
	};
};

/** Viewers per room over all hub processes; empty when Redis cannot be asked. */
export const readViewerCounts = async (
	redis: Redis,
	prefix: string
): Promise<ReadonlyMap<RoomName, number>> => {
	const sums = new Map<RoomName, number>();
	try {
		const ids = (await redis.smembers(indexKey(prefix))).slice(0, MOST_PROCESSES);
		for (const id of ids) {
			const counts = Object.entries(await redis.hgetall(countsKey(prefix, id)));
			if (counts.length === 0) await redis.srem(indexKey(prefix), id);
			for (const [room, count] of counts) {
				const viewers = Math.trunc(Number(count));
				if (viewers > 0 && viewers < 1e7) sums.set(room, (sums.get(room) ?? 0) + viewers);
			}
		}
		return sums;
	} catch {
		return new Map();
	}
};
