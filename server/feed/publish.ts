// Tells other processes, after a commit, what the change log got. A hint: it may be lost, doubled
// or late, and nothing becomes wrong.
import type { Redis } from 'ioredis';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Clock } from '#domain/time.ts';
import { systemClock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { DEFAULT_PREFIX, feedChannel, writeCountedMessages } from './message.ts';

export type PublishCounts = { readonly sent: number; readonly failed: number };

export type Publisher = {
	/** Returns at once, sends now or very soon; a failure is counted, never thrown. */
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	/** Entries sent and not sent since the start. */
	readonly counts: () => PublishCounts;
	/** Waits for messages on their way; the connection belongs to the caller. */
	readonly close: () => Promise<void>;
};

export type PublisherParts = {
	/** A connection with role `publisher`. */
	readonly redis: Redis;
	/** As ensureEpoch said; a function where it may change while the process lives. */
	readonly epoch: string | (() => string);
	readonly log: Log;
	/** Config.redisPrefix; default `slotcast`. */
	readonly prefix?: string;
	readonly clock?: Clock;
};

/** Publishes one text and counts; one log line when it begins to fail, one when it works again. */
export const createSender = (
	parts: { readonly redis: Redis; readonly log: Log },
	channel: string
): {
	send: (text: string, weight?: number) => void;
	counts: () => PublishCounts;
	close: () => Promise<void>;
} => {
	const { redis, log } = parts;
	const underWay = new Set<Promise<void>>();
	let sent = 0;
	let failed = 0;
	let isFailing = false;
	const note = (isFailure: boolean, weight: number): void => {
		if (isFailure) failed += weight;
		else sent += weight;
		if (isFailure === isFailing) return;
		isFailing = isFailure;
		if (isFailing) log.warn('publish_failing', { failed });
		else log.info('publish_working', { failed });
	};
	const send = (text: string, weight = 1): void => {
		const sending = redis.publish(channel, text).then(
			() => note(false, weight),
			() => note(true, weight)
		);
		underWay.add(sending);
		void sending.then(() => underWay.delete(sending));
	};
	return {
		send,
		counts: () => ({ sent, failed }),
		close: async () => {
			await Promise.all(underWay);
		}
	};
};

/**
 * Commits in quick succession are told together, this long after the last message, ms: at 200
 * commits a second every hub wakes a fifth as often, and a wake costs it more than the message. A
 * little less than half of a room's window (COALESCE_MS), which counts from the commit: two messages
 * make a batch, and what waits here waits no longer in all (decision 020).
 */
export const GATHER_MS = 23;
/** More entries than this do not wait. */
const MAX_GATHERED = 1_000;

/** F12: the first entry after a quiet while leaves at once, later ones at most GATHER_MS later, and say how long they waited. */
export const createPublisher = (parts: PublisherParts): Publisher => {
	const clock = parts.clock ?? systemClock;
	const sender = createSender(parts, feedChannel(parts.prefix ?? DEFAULT_PREFIX));
	const epoch = (): string => (typeof parts.epoch === 'string' ? parts.epoch : parts.epoch());
	let gathered: RoomEntry<unknown>[] = [];
	/** Since when the oldest of them waits. */
	let gatheredAt = 0;
	let timer: NodeJS.Timeout | null = null;
	let sentAt = -Infinity;

	const flush = (): void => {
		if (timer !== null) clearTimeout(timer);
		timer = null;
		if (gathered.length === 0) return;
		const entries = gathered;
		gathered = [];
		sentAt = performance.now();
		const stamp = { at: clock.now(), waited: Math.round(sentAt - gatheredAt) };
		for (const { text, entryCount } of writeCountedMessages(epoch(), stamp, entries)) {
			sender.send(text, entryCount);
		}
	};

	return {
		publish: (entries) => {
			const now = performance.now();
			if (gathered.length === 0) gatheredAt = now;
			for (const entry of entries) gathered.push(entry);
			const waitMs = sentAt + GATHER_MS - now;
			if (waitMs <= 0 || gathered.length >= MAX_GATHERED) flush();
			else timer ??= setTimeout(flush, waitMs);
		},
		counts: sender.counts,
		close: async () => {
			flush();
			await sender.close();
		}
	};
};
