// Tells other processes, after a commit, what the change log got. A hint: it may be lost, doubled
// or late, and nothing becomes wrong.
import type { Redis } from 'ioredis';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Log } from '../platform/log.ts';

export type Publisher = {
	/** Returns at once; a failure is counted, never thrown. */
	readonly publish: (entries: readonly RoomEntry[]) => void;
	/** Messages sent and not sent since the start. */
	readonly counts: () => { readonly sent: number; readonly failed: number };
	/** Waits for messages on their way; the connection belongs to the caller. */
	readonly close: () => Promise<void>;
};

export type PublisherParts = {
	readonly redis: Redis;
	readonly epoch: string;
	readonly log: Log;
	/** Config.redisPrefix; default `slotcast`. */
	readonly prefix?: string;
};

export const createPublisher = (_parts: PublisherParts): Publisher => {
	throw new Error('being written');
};
