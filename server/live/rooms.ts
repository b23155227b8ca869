// The rooms this hub follows. A room is followed from its first viewer on and let go a while after
// its last one; a join under way counts as a viewer.
import { createRoom } from './room.ts';
import type { Room, RoomParts } from './room.ts';
import { refreshRoomsKey, stopJoining } from './viewer.ts';
import type { Viewer } from './viewer.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';

export type RoomsParts<C> = RoomParts<C> & {
	readonly onFault: (error: unknown) => void;
	/** How long an empty room stays followed. */
	readonly lingerMs?: number;
};

export type OpenRoom<C> = {
	/** Position of the last batch that left; a viewer that enters now gets the next one. */
	sent(): number;
	/** Changes of (after, sent] folded; null = no longer remembered here. */
	since(after: number): readonly C[] | null;
	/** Call once: the room may be let go when nobody is in it. */
	unpin(): void;
};

export type Rooms<C> = {
	/** Follows the room until `unpin`. Rejects when the feed cannot be reached. */
	pin(room: RoomName): Promise<OpenRoom<C>>;
	/** Only for a room that was pinned a moment ago. */
	enter(viewer: Viewer, room: RoomName): void;
	leave(viewer: Viewer, room: RoomName): void;
	leaveAll(viewer: Viewer): void;
	take(room: RoomName, entries: readonly RoomEntry<C>[], waitedMs?: number): void;
	/** The room has another epoch now: positions of before mean nothing. */
	reset(room: RoomName): void;
	/** null = not followed, or not yet. */
	sent(room: RoomName): number | null;
	count(): number;
	close(): void;
};

/** How long an empty room stays followed, ms: page changes and reconnects find it warm. */
export const LINGER_MS = 30_000;

/** After a reset that failed, ms. */
const RETRY_MS = 1_000;

type Kept<C> = { readonly room: Room<C>; pins: number; linger: NodeJS.Timeout | null };

const keepAwake = (kept: Kept<unknown>): void => {
	if (kept.linger !== null) clearTimeout(kept.linger);
	kept.linger = null;
};

type Keeper<C> = {
	find(name: RoomName): Kept<C> | undefined;
	list(): Iterable<Kept<C>>;
	count(): number;
	pin(name: RoomName): Promise<Kept<C>>;
	unpin(kept: Kept<C>): void;
	/** Starts the clock of a room that nobody needs any more. */
	lingerWhenUnused(kept: Kept<C>): void;
	drop(kept: Kept<C>): void;
};

/** Opens rooms, and lets them go when nobody is in them and nobody is about to be. */
const createKeeper = <C>(parts: RoomsParts<C>): Keeper<C> => {
	const lingerMs = parts.lingerMs ?? LINGER_MS;
	const all = new Map<RoomName, Kept<C>>();

	const open = (name: RoomName): Kept<C> => {
		const kept = { room: createRoom(parts, name), pins: 0, linger: null };
		all.set(name, kept);
		return kept;
	};
	const isUnused = ({ room, pins }: Kept<C>): boolean => pins === 0 && !room.hasViewers();
	const drop = (kept: Kept<C>): void => {
		keepAwake(kept);
		if (all.get(kept.room.name) !== kept) return;
		all.delete(kept.room.name);
		kept.room.close();
	};
	const lingerWhenUnused = (kept: Kept<C>): void => {
		if (!isUnused(kept) || kept.linger !== null) return;
		kept.linger = setTimeout(() => {
			kept.linger = null;
			if (isUnused(kept)) drop(kept);
		}, lingerMs);
		kept.linger.unref();
	};

	return {
		find: (name) => all.get(name),
		list: () => all.values(),
		count: () => all.size,
		pin: async (name) => {
			const kept = all.get(name) ?? open(name);
			kept.pins += 1;
			keepAwake(kept);
			try {
				await kept.room.ready();
			} catch (error) {
				kept.pins -= 1;
				// Whoever asks next starts anew; those who wait for the same start are told as well.
				if (!kept.room.hasViewers()) drop(kept);
				throw error;
			}
			return kept;
		},
		unpin: (kept) => {
			kept.pins -= 1;
			lingerWhenUnused(kept);
		},
		lingerWhenUnused,
		drop
	};
};

export const createRooms = <C>(parts: RoomsParts<C>): Rooms<C> => {
	const keeper = createKeeper(parts);

	const leave = (viewer: Viewer, name: RoomName): void => {
		stopJoining(viewer, name);
		if (!viewer.rooms.delete(name)) return;
		refreshRoomsKey(viewer);
		const kept = keeper.find(name);
		if (kept === undefined) return;
		kept.room.leave(viewer);
		keeper.lingerWhenUnused(kept);
	};
	const reset = (name: RoomName): void => {
		const kept = keeper.find(name);
		kept?.room.reset().catch((error: unknown) => {
			parts.onFault(error);
			if (kept.room.hasViewers()) setTimeout(() => reset(name), RETRY_MS).unref();
		});
	};

	return {
		pin: async (name) => {
			const kept = await keeper.pin(name);
			const { room } = kept;
			return {
				sent: () => room.sent() ?? 0,
				since: room.since,
				unpin: () => keeper.unpin(kept)
			};
		},
		enter: (viewer, name) => {
			const kept = keeper.find(name);
			if (kept === undefined) return;
			kept.room.enter(viewer);
			// The room's own text: the one that came with the request is another of the same letters.
			viewer.rooms.add(kept.room.name);
			refreshRoomsKey(viewer);
		},
		leave,
		leaveAll: (viewer) => {
			const names = [...viewer.rooms, ...(viewer.joining?.keys() ?? [])];
			for (const name of names) leave(viewer, name);
		},
		take: (name, entries, waitedMs) => keeper.find(name)?.room.take(entries, waitedMs),
		reset,
		sent: (name) => keeper.find(name)?.room.sent() ?? null,
		count: keeper.count,
		close: () => {
			for (const kept of keeper.list()) keeper.drop(kept);
		}
	};
};
