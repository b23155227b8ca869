// Follows rooms of the change log in this process: in order, each entry once, without holes.
// Redis is only the fast way; what it loses is read from the log, and heads are compared with
// Postgres again and again, so the feed lives even when Redis does not.
import type { Redis } from 'ioredis';
import type { RoomEntry } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import type { Clock } from '#domain/time.ts';
import { systemClock } from '../platform/clock.ts';
import { logFault, type Log } from '../platform/log.ts';
import type { Sql } from '../platform/postgres.ts';
import { readHeads } from '../store/change-log.ts';
import { ensureEpoch, readEpochAndHeads, renewEpoch } from '../store/epoch.ts';
import { createBeat } from './beat.ts';
import { createCatchUp, type CatchUp } from './catch-up.ts';
import { createFollowedRoom, type FollowedRoom } from './followed-room.ts';
import { DEFAULT_PREFIX, feedChannel, parseFeedMessage } from './message.ts';
import { createSubscription } from './subscription.ts';

export type Follower = {
	/**
	 * Resolves to the room's head once every later entry is sure to reach `onEntries`. Read a
	 * snapshot after it: entries that the snapshot already holds may come again.
	 */
	readonly follow: (room: RoomName) => Promise<number>;
	readonly unfollow: (room: RoomName) => void;
	/** Entries that this process has just committed: heard at once, even when Redis is dead. */
	readonly hint: (entries: readonly RoomEntry<unknown>[]) => void;
	/** null = not followed, or not yet. */
	readonly head: (room: RoomName) => number | null;
	/** Entries after `seq` from memory; null = not in memory (ask readEntries), [] = none. */
	readonly entriesSince: (room: RoomName, seq: number) => readonly RoomEntry[] | null;
	/** The present epoch; it changes before `onReset` is called. */
	readonly epoch: () => string;
	/** F7: whether heads were compared with Postgres lately: else nobody may be told "live". */
	readonly isCurrent: () => boolean;
	/** Commit → this process of the newest entry, ms; null = none yet. Clocks may differ. */
	readonly lagMs: () => number | null;
	/** Stops and waits for what is under way; connections belong to the caller. */
	readonly close: () => Promise<void>;
};

export type FollowerParts = {
	readonly sql: Sql;
	/** A connection with role `subscriber`; null = live without Redis. */
	readonly redis: Redis | null;
	readonly epoch: string;
	readonly log: Log;
	/** Consecutive entries, each exactly once, in order. */
	readonly onEntries: (
		room: RoomName,
		entries: readonly RoomEntry[],
		/** L9: how long the oldest of them had waited when it was told, ms. */
		waitedMs: number
	) => void;
	/** What was told of this room does not lead to the present: take a new snapshot. */
	readonly onReset: (room: RoomName) => void;
	/** Config.redisPrefix; default `slotcast`. */
	readonly prefix?: string;
	/** How often heads are compared with Postgres, ms; default 500. */
	readonly beatMs?: number;
	readonly clock?: Clock;
};

const BEAT_MS = 500;
/** Beats that may pass without success before the feed is no longer called current. */
const PATIENCE_BEATS = 4;
/** Every so many beats, and after a failed one, the database is asked who it is. */
const IDENTITY_BEATS = 10;

/** Messages of another epoch make us look at Postgres at most this often, ms. */
const STRANGER_PAUSE_MS = 100;

type Followed = { readonly room: FollowedRoom; readonly started: Promise<number> };

type Feed = {
	readonly parts: FollowerParts;
	readonly clock: Clock;
	readonly rooms: Map<RoomName, Followed>;
	epoch: string;
	lagMs: number | null;
	beats: number;
	failures: number;
	/** On the monotonic clock. */
	comparedAtMs: number;
	isClosed: boolean;
};

const roomIn = (feed: Feed, name: RoomName): FollowedRoom | null =>
	feed.rooms.get(name)?.room ?? null;

/** A listener's fault must not stop the feed of others. */
const tell = (feed: Feed, listener: () => void): void => {
	try {
		listener();
	} catch (error) {
		logFault(feed.parts.log, 'feed_listener_failed', error);
	}
};

/** F1: applies what follows the room's head, and nothing else. */
const deliver = (
	feed: Feed,
	room: FollowedRoom,
	entries: readonly RoomEntry[],
	{ at, waited = 0 }: { readonly at: number | null; readonly waited?: number }
): void => {
	const applied = room.advance(entries);
	if (applied.length === 0) return;
	if (at !== null) feed.lagMs = Math.max(0, feed.clock.now() - at);
	tell(feed, () => feed.parts.onEntries(room.name, applied, waited));
};

const restart = (feed: Feed, room: FollowedRoom, head: number): void => {
	room.begin(head);
	tell(feed, () => feed.parts.onReset(room.name));
};

const moveTo = (feed: Feed, epoch: string, heads: ReadonlyMap<RoomName, number>): void => {
	feed.parts.log.warn('epoch_changed', { rooms: feed.rooms.size });
	feed.epoch = epoch;
	for (const { room } of feed.rooms.values()) {
		if (room.head() !== null) restart(feed, room, heads.get(room.name) ?? 0);
	}
};

/** F4: one look at Postgres tells what Redis lost, and whether this still is the same log. */
const compareHeads = async (feed: Feed, catchUp: CatchUp): Promise<void> => {
	const { sql } = feed.parts;
	const before = [...feed.rooms.values()].map(({ room }) => ({ room, head: room.head() }));
	const names = [...feed.rooms.keys()];
	if (feed.beats % IDENTITY_BEATS === 0 || feed.failures > 0) await ensureEpoch(sql);
	const { epoch, heads } = await readEpochAndHeads(sql, names);
	if (feed.isClosed) return;
	if (epoch !== feed.epoch) return moveTo(feed, epoch, heads);
	for (const { room, head } of before) {
		const truth = heads.get(room.name) ?? 0;
		if (head === null || roomIn(feed, room.name) !== room) continue;
		if (truth < head) {
			// F6: the log went backwards under one identity (an old disk was put back), or somebody
			// spoke for us on the channel. Either way what viewers have is worth nothing.
			const next = await renewEpoch(sql, epoch);
			return moveTo(feed, next, await readHeads(sql, names));
		}
		if (truth > (room.head() ?? truth)) catchUp.want(room);
	}
};

const beatOnce = async (feed: Feed, catchUp: CatchUp): Promise<void> => {
	const { log } = feed.parts;
	try {
		await compareHeads(feed, catchUp);
		if (feed.failures > 0) log.info('feed_sees_postgres', { failures: feed.failures });
		feed.failures = 0;
		feed.comparedAtMs = performance.now();
	} catch (error) {
		feed.failures += 1;
		if (feed.failures === 1) logFault(log, 'feed_blind', error);
	}
	feed.beats += 1;
};

/** Takes a message for the hint it is. */
const hear = (
	feed: Feed,
	text: string,
	{ catchUp, compareNow }: { catchUp: CatchUp; compareNow: () => void }
): void => {
	const message = parseFeedMessage(text);
	if (message === null) {
		feed.parts.log.debug('feed_message_refused', { length: text.length });
		return;
	}
	if (message.epoch !== feed.epoch) {
		// Not believed: Postgres is asked, but no stranger makes us ask it all the time.
		if (performance.now() - feed.comparedAtMs > STRANGER_PAUSE_MS) compareNow();
		return;
	}
	const { at, waited } = message;
	takeHints(feed, message.entries, { catchUp, at, waited });
};

const takeHints = (
	feed: Feed,
	entries: readonly RoomEntry[],
	{ catchUp, ...told }: { catchUp: CatchUp; at: number; waited?: number }
): void => {
	for (const entry of entries) {
		const room = roomIn(feed, entry.room);
		if (room === null) continue;
		const head = room.head();
		if (head === null) room.wait(entry);
		else if (entry.seq === head + 1) deliver(feed, room, [entry], told);
		else if (entry.seq > head) catchUp.want(room);
	}
};

const startRoom = async (feed: Feed, room: FollowedRoom): Promise<number> => {
	try {
		const heads = await readHeads(feed.parts.sql, [room.name]);
		room.begin(heads.get(room.name) ?? 0);
		// F3: of the entries heard while the head was read, older ones are part of any snapshot
		// taken from now on, and later ones follow on.
		for (const entry of room.takeWaiting()) deliver(feed, room, [entry], { at: null });
		return room.head() ?? 0;
	} catch (error) {
		if (roomIn(feed, room.name) === room) feed.rooms.delete(room.name);
		throw error;
	}
};

const followRoom = (feed: Feed, name: RoomName): Promise<number> => {
	const followed = feed.rooms.get(name);
	if (followed !== undefined) return followed.started.then((head) => followed.room.head() ?? head);
	const room = createFollowedRoom(name);
	// Entries are heard from this line on, before the head is read.
	const later = Promise.withResolvers<number>();
	feed.rooms.set(name, { room, started: later.promise });
	startRoom(feed, room).then(later.resolve, later.reject);
	return later.promise;
};

export const createFollower = (parts: FollowerParts): Follower => {
	const { sql, log } = parts;
	const beatMs = parts.beatMs ?? BEAT_MS;
	const feed: Feed = {
		parts,
		clock: parts.clock ?? systemClock,
		rooms: new Map(),
		epoch: parts.epoch,
		lagMs: null,
		beats: 0,
		failures: 0,
		comparedAtMs: -Infinity,
		isClosed: false
	};
	const catchUp = createCatchUp({
		sql,
		log,
		isFollowed: (room) => roomIn(feed, room.name) === room,
		onEntries: (room, entries, at) => deliver(feed, room, entries, { at }),
		onGap: (room, head) => restart(feed, room, head)
	});
	const beat = createBeat(beatMs, () => beatOnce(feed, catchUp));
	const compareNow = (): void => void beat.run();
	const { redis } = parts;
	const subscription =
		redis === null
			? null
			: createSubscription({
					redis,
					channel: feedChannel(parts.prefix ?? DEFAULT_PREFIX),
					onMessage: (text) => hear(feed, text, { catchUp, compareNow }),
					onListening: compareNow
				});
	return {
		follow: (name) => followRoom(feed, name),
		unfollow: (name) => void feed.rooms.delete(name),
		// What was committed is what the log holds: the caller got it from appendChanges.
		hint: (entries) =>
			takeHints(feed, entries as readonly RoomEntry[], { catchUp, at: feed.clock.now() }),
		head: (name) => roomIn(feed, name)?.head() ?? null,
		entriesSince: (name, seq) => roomIn(feed, name)?.since(seq) ?? null,
		epoch: () => feed.epoch,
		isCurrent: () => performance.now() - feed.comparedAtMs < PATIENCE_BEATS * beatMs,
		lagMs: () => feed.lagMs,
		close: async () => {
			feed.isClosed = true;
			await Promise.all([beat.close(), subscription?.close(), catchUp.close()]);
			await Promise.allSettled([...feed.rooms.values()].map(({ started }) => started));
			feed.rooms.clear();
		}
	};
};
