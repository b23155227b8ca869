// The rooms this hub follows: who is in them, and one batcher each. A room is followed from its
// first viewer on and let go a while after its last one.
import { encodeEvent, sendTo } from './fan-out.ts';
import type { Message } from './fan-out.ts';
import { createRoomBatcher, foldEntries } from './room-batcher.ts';
import type { Folding, RoomBatcher, Timers } from './room-batcher.ts';
import { refreshRoomsKey } from './viewer.ts';
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

export type RoomsParts<C> = {
	readonly namespace: string;
	/** The event that carries a batch. */
	readonly event: string;
	readonly feed: Feed<C>;
	readonly folding: Folding<C>;
	readonly onSlow: (viewer: Viewer) => void;
	readonly onFault: (error: unknown) => void;
	readonly timers?: Timers;
	/** How long an empty room stays followed. */
	readonly lingerMs?: number;
};

export type OpenRoom<C> = {
	/** Position of the last batch that left; a viewer that enters now gets the next one. */
	sent(): number;
	/** Changes of (after, sent] folded; null = no longer remembered here. `after` ≤ sent. */
	since(after: number): readonly C[] | null;
};

export type Rooms<C> = {
	/** Follows the room until `unpin`. Rejects when the feed cannot be reached. */
	pin(room: RoomName): Promise<OpenRoom<C>>;
	unpin(room: RoomName): void;
	/** Only for a pinned room. */
	enter(viewer: Viewer, room: RoomName): void;
	leave(viewer: Viewer, room: RoomName): void;
	leaveAll(viewer: Viewer): void;
	take(room: RoomName, entries: readonly RoomEntry<C>[]): void;
	/** The room has another epoch now: positions of before mean nothing. */
	reset(room: RoomName): void;
	/** null = not followed, or not yet. */
	sent(room: RoomName): number | null;
	count(): number;
	close(): void;
};

type Room<C> = {
	readonly name: RoomName;
	readonly members: Viewer[];
	readonly places: Map<Viewer, number>;
	pins: number;
	/** Counts starts: only the newest may set the batcher. */
	starts: number;
	batcher: RoomBatcher<C> | null;
	early: RoomEntry<C>[];
	ready: Promise<void>;
	linger: NodeJS.Timeout | null;
};

/** How long an empty room stays followed, ms: page changes and reconnects find it warm. */
export const LINGER_MS = 30_000;
/** Entries kept while a room's head is being asked for; beyond it viewers see a hole and ask. */
const MAX_EARLY_ENTRIES = 1_000;

const addMember = <C>(room: Room<C>, viewer: Viewer): void => {
	if (room.places.has(viewer)) return;
	room.places.set(viewer, room.members.length);
	room.members.push(viewer);
};

/** The last member takes the freed place, so that the list stays dense. */
const removeMember = <C>(room: Room<C>, viewer: Viewer): void => {
	const place = room.places.get(viewer);
	if (place === undefined) return;
	room.places.delete(viewer);
	const last = room.members.pop();
	if (last === undefined || last === viewer) return;
	room.members[place] = last;
	room.places.set(last, place);
};

export const createRooms = <C>(parts: RoomsParts<C>): Rooms<C> => {
	const { namespace, event, feed, folding, onSlow, onFault } = parts;
	const lingerMs = parts.lingerMs ?? LINGER_MS;
	const rooms = new Map<RoomName, Room<C>>();

	const sendToMembers = (room: Room<C>, message: Message): void => {
		const slow: Viewer[] = [];
		for (const viewer of room.members) if (!sendTo(viewer.lane, message)) slow.push(viewer);
		for (const viewer of slow) onSlow(viewer);
	};

	const sendBatch = (room: Room<C>, batch: RoomBatch<C>): void => {
		if (room.members.length === 0) return;
		sendToMembers(room, encodeEvent(namespace, event, [batch]));
	};

	const start = async (room: Room<C>): Promise<void> => {
		room.starts += 1;
		const mine = room.starts;
		const head = await feed.follow(room.name);
		if (room.starts !== mine) return await room.ready;
		const batcher = createRoomBatcher<C>({
			room: room.name,
			epoch: feed.epoch(),
			head,
			folding,
			send: (batch) => sendBatch(room, batch),
			...(parts.timers === undefined ? {} : { timers: parts.timers })
		});
		room.batcher = batcher;
		batcher.add(room.early.splice(0));
	};

	const open = (name: RoomName): Room<C> => {
		const room: Room<C> = {
			name,
			members: [],
			places: new Map(),
			pins: 0,
			starts: 0,
			batcher: null,
			early: [],
			ready: Promise.resolve(),
			linger: null
		};
		rooms.set(name, room);
		room.ready = start(room);
		return room;
	};

	const drop = (room: Room<C>): void => {
		if (room.linger !== null) clearTimeout(room.linger);
		room.batcher?.close();
		if (rooms.get(room.name) !== room) return;
		rooms.delete(room.name);
		feed.unfollow(room.name);
	};

	const dropWhenEmpty = (room: Room<C>): void => {
		if (room.pins > 0 || room.members.length > 0 || room.linger !== null) return;
		room.linger = setTimeout(() => {
			room.linger = null;
			if (room.pins === 0 && room.members.length === 0) drop(room);
		}, lingerMs);
		room.linger.unref();
	};

	const leave = (viewer: Viewer, name: RoomName): void => {
		viewer.joining.delete(name);
		if (!viewer.rooms.delete(name)) return;
		refreshRoomsKey(viewer);
		const room = rooms.get(name);
		if (room === undefined) return;
		removeMember(room, viewer);
		dropWhenEmpty(room);
	};

	const since = (room: Room<C>, after: number): readonly C[] | null => {
		const sent = room.batcher?.sent() ?? 0;
		if (after >= sent) return [];
		const entries = feed.entriesSince(room.name, after);
		if (entries === null) return null;
		return foldEntries(
			entries.filter((entry) => entry.seq <= sent),
			folding
		);
	};

	return {
		pin: async (name) => {
			const room = rooms.get(name) ?? open(name);
			room.pins += 1;
			if (room.linger !== null) clearTimeout(room.linger);
			room.linger = null;
			try {
				await room.ready;
			} catch (error) {
				room.pins -= 1;
				if (room.members.length === 0) drop(room);
				throw error;
			}
			return { sent: () => room.batcher?.sent() ?? 0, since: (after) => since(room, after) };
		},
		unpin: (name) => {
			const room = rooms.get(name);
			if (room === undefined) return;
			room.pins -= 1;
			dropWhenEmpty(room);
		},
		enter: (viewer, name) => {
			const room = rooms.get(name);
			if (room === undefined) return;
			addMember(room, viewer);
			viewer.rooms.add(name);
			refreshRoomsKey(viewer);
		},
		leave,
		leaveAll: (viewer) => {
			for (const name of [...viewer.rooms, ...viewer.joining.keys()]) leave(viewer, name);
		},
		take: (name, entries) => {
			const room = rooms.get(name);
			if (room === undefined) return;
			if (room.batcher !== null) room.batcher.add(entries);
			else if (room.early.length < MAX_EARLY_ENTRIES) room.early.push(...entries);
		},
		reset: (name) => {
			const room = rooms.get(name);
			if (room === undefined) return;
			room.batcher?.close();
			room.batcher = null;
			room.early = [];
			room.ready = start(room);
			room.ready.catch(onFault);
		},
		sent: (name) => rooms.get(name)?.batcher?.sent() ?? null,
		count: () => rooms.size,
		close: () => {
			for (const room of [...rooms.values()]) drop(room);
		}
	};
};
