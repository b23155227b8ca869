// One followed room: who is in it, and the batcher between the feed and them.
import { encodeEvent, sendTo } from './fan-out.ts';
import { createRoomBatcher, foldEntries } from './room-batcher.ts';
import type { Folding, RoomBatcher, Timers } from './room-batcher.ts';
import type { Viewer } from './viewer.ts';
import type { RoomBatch, RoomEntry } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';

/** What rooms need of the feed (server/feed/follow.ts). */
export type Feed<C> = {
	/** Resolves to the head from which on entries are handed to `take`. */
	follow(room: RoomName): Promise<number>;
	unfollow(room: RoomName): void;
	/** Entries after `seq` that this process still remembers; null = not all of them. */
	entriesSince(room: RoomName, seq: number): readonly RoomEntry<C>[] | null;
	epoch(): string;
};

export type RoomParts<C> = {
	readonly namespace: string;
	/** The event that carries a batch. */
	readonly event: string;
	readonly feed: Feed<C>;
	readonly folding: Folding<C>;
	readonly onSlow: (viewer: Viewer) => void;
	readonly timers?: Timers;
};

export type Room<C> = {
	readonly name: RoomName;
	/** Resolves when the head is known; rejects when the feed cannot be reached. */
	ready(): Promise<void>;
	enter(viewer: Viewer): void;
	leave(viewer: Viewer): void;
	hasViewers(): boolean;
	take(entries: readonly RoomEntry<C>[], waitedMs?: number): void;
	/** Begins anew: positions of before mean nothing. */
	reset(): Promise<void>;
	/** Position of the last batch that left; null until `ready`. */
	sent(): number | null;
	/** Changes of (after, sent] folded; null = no longer remembered here. */
	since(after: number): readonly C[] | null;
	close(): void;
};

/** Entries kept while a room's head is being asked for; beyond it viewers see a hole and ask. */
const MAX_EARLY_ENTRIES = 1_000;

type Members = {
	readonly list: readonly Viewer[];
	add(viewer: Viewer): void;
	remove(viewer: Viewer): void;
};

/** A dense list, so that sending walks memory in order: the last one takes a freed place. */
const createMembers = (): Members => {
	const list: Viewer[] = [];
	const places = new Map<Viewer, number>();
	return {
		list,
		add: (viewer) => {
			if (places.has(viewer)) return;
			places.set(viewer, list.length);
			list.push(viewer);
		},
		remove: (viewer) => {
			const place = places.get(viewer);
			if (place === undefined) return;
			places.delete(viewer);
			const last = list.pop();
			if (last === undefined || last === viewer) return;
			list[place] = last;
			places.set(last, place);
		}
	};
};

/** Starts following at once. */
export const createRoom = <C>(parts: RoomParts<C>, name: RoomName): Room<C> => {
	const { namespace, event, feed, folding, onSlow } = parts;
	const timers = parts.timers === undefined ? {} : { timers: parts.timers };
	const members = createMembers();
	let batcher: RoomBatcher<C> | null = null;
	let early: RoomEntry<C>[] = [];
	/** Counts starts: only the newest may set the batcher. */
	let starts = 0;

	const send = (batch: RoomBatch<C>): void => {
		if (members.list.length === 0) return;
		const message = encodeEvent(namespace, event, [batch]);
		const slow: Viewer[] = [];
		for (const viewer of members.list) if (!sendTo(viewer.lane, message)) slow.push(viewer);
		for (const viewer of slow) onSlow(viewer);
	};

	const start = async (): Promise<void> => {
		starts += 1;
		const mine = starts;
		const head = await feed.follow(name);
		if (starts !== mine) return await ready;
		const epoch = feed.epoch();
		batcher = createRoomBatcher<C>({ room: name, epoch, head, folding, send, ...timers });
		batcher.add(early);
		early = [];
	};
	let ready = start();

	return {
		name,
		ready: () => ready,
		enter: members.add,
		leave: members.remove,
		hasViewers: () => members.list.length > 0,
		take: (entries, waitedMs) => {
			if (batcher !== null) batcher.add(entries, waitedMs);
			else if (early.length < MAX_EARLY_ENTRIES) early.push(...entries);
		},
		reset: () => {
			batcher?.close();
			batcher = null;
			early = [];
			ready = start();
			return ready;
		},
		sent: () => batcher?.sent() ?? null,
		since: (after) => {
			const sent = batcher?.sent() ?? 0;
			if (after >= sent) return [];
			const entries = feed.entriesSince(name, after)?.filter((entry) => entry.seq <= sent);
			return entries === undefined ? null : foldEntries(entries, folding);
		},
		close: () => {
			batcher?.close();
			feed.unfollow(name);
		}
	};
};
