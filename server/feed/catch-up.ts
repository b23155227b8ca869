// Reads from the change log what followed rooms missed: a few rooms at a time, each until it
// stands at the log's head.
import type { RoomEntry } from '#domain/protocol.ts';
import { logFault, type Log } from '../platform/log.ts';
import type { Sql } from '../platform/postgres.ts';
import { readHeads, readLog } from '../store/change-log.ts';
import type { FollowedRoom } from './followed-room.ts';

const ENTRIES_PER_READ = 100;
/** A catch-up of many rooms must not take all connections of the pool. */
const ROOMS_AT_A_TIME = 3;
/** Further behind than this many reads = a new snapshot is cheaper for everybody. */
const MAX_READS = 20;

export type CatchUpParts = {
	readonly sql: Sql;
	readonly log: Log;
	/** false = nobody wants it any more. */
	readonly isFollowed: (room: FollowedRoom) => boolean;
	/** `at` = when the newest of them was written, ms. */
	readonly onEntries: (
		room: FollowedRoom,
		entries: readonly RoomEntry[],
		at: number | null
	) => void;
	/** The log cannot tell what lies between the room's head and `head`. */
	readonly onGap: (room: FollowedRoom, head: number) => void;
};

export type CatchUp = {
	/** Asks for a room to be brought up to date; asking again meanwhile changes nothing. */
	readonly want: (room: FollowedRoom) => void;
	readonly close: () => Promise<void>;
};

/** F2: refills a room's hole from the log, or says that it cannot be refilled. */
const readRoom = async (parts: CatchUpParts, room: FollowedRoom): Promise<void> => {
	for (let read = 0; read < MAX_READS; read += 1) {
		const head = room.head();
		if (head === null || !parts.isFollowed(room)) return;
		const part = await readLog(parts.sql, room.name, head, ENTRIES_PER_READ);
		if (!parts.isFollowed(room)) return;
		if (part === null) break;
		parts.onEntries(room, part.entries, part.newestAt);
		if (part.entries.length < ENTRIES_PER_READ) return;
	}
	const heads = await readHeads(parts.sql, [room.name]);
	if (parts.isFollowed(room)) parts.onGap(room, heads.get(room.name) ?? 0);
};

export const createCatchUp = (parts: CatchUpParts): CatchUp => {
	const wanted = new Set<FollowedRoom>();
	const reading = new Map<FollowedRoom, Promise<void>>();
	let isClosed = false;

	const next = (): void => {
		for (const room of wanted) {
			if (isClosed || reading.size >= ROOMS_AT_A_TIME) return;
			// A room that is being read is read once more afterwards.
			if (reading.has(room)) continue;
			wanted.delete(room);
			const read = readRoom(parts, room)
				// Postgres is away: the comparison of heads asks again when it is back.
				.catch((error: unknown) => void logFault(parts.log, 'catch_up_failed', error))
				.finally(() => {
					reading.delete(room);
					next();
				});
			reading.set(room, read);
		}
	};

	return {
		want: (room) => {
			wanted.add(room);
			next();
		},
		close: async () => {
			isClosed = true;
			await Promise.all(reading.values());
		}
	};
};
