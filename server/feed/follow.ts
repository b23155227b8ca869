// Follows rooms of the change log in this process: in order, without holes, with or without Redis.
import type { Redis } from 'ioredis';
import type { RoomEntry } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import type { Clock } from '#domain/time.ts';
import type { Log } from '../platform/log.ts';
import type { Sql } from '../platform/postgres.ts';

export type Follower = {
	/**
	 * Resolves to the room's head once every later entry is sure to reach `onEntries`. Read a
	 * snapshot after it: entries that the snapshot already holds may come again.
	 */
	readonly follow: (room: RoomName) => Promise<number>;
	readonly unfollow: (room: RoomName) => void;
	/** null = not followed. */
	readonly head: (room: RoomName) => number | null;
	/** Entries after `seq` from memory; null = not in memory (ask readEntries), [] = none. */
	readonly entriesSince: (room: RoomName, seq: number) => readonly RoomEntry[] | null;
	readonly epoch: () => string;
	/** Commit → this process of the newest entry, ms; null = none yet. */
	readonly lagMs: () => number | null;
	readonly close: () => Promise<void>;
};

export type FollowerParts = {
	readonly sql: Sql;
	/** A connection with role `subscriber` of its own; null = live without Redis. */
	readonly redis: Redis | null;
	readonly epoch: string;
	readonly log: Log;
	/** Consecutive entries, each exactly once, in order. */
	readonly onEntries: (room: RoomName, entries: readonly RoomEntry[]) => void;
	/** What was told of this room no longer leads to the present: take a new snapshot. */
	readonly onReset: (room: RoomName) => void;
	/** Config.redisPrefix; default `slotcast`. */
	readonly prefix?: string;
	/** How often heads are compared with Postgres, ms; default 500. */
	readonly beatMs?: number;
	readonly clock?: Clock;
};

export const createFollower = (_parts: FollowerParts): Follower => {
	throw new Error('being written');
};
