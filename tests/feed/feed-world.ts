// A database, a Redis and a log to follow, and a consumer that checks what every consumer rests
// on: entries come in order, without holes, each once.
import type { RoomId, SlotId } from '#domain/ids.ts';
import type { RoomEntry, WireChange } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import type { RoomName } from '#domain/room.ts';
import { createFollower, type Follower, type FollowerParts } from '#server/feed/follow.ts';
import { createLog } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { appendChanges, roomIds } from '#server/store/change-log.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { mustClose } from '../support/leaks.ts';

export const quiet = createLog({ name: 'test', level: 'silent' });
/** Shorter than in life, so that a test that rests on it is quick. */
export const BEAT_MS = 40;

export const idOf = async (sql: Sql, room: RoomName): Promise<RoomId> =>
	must((await roomIds(sql, [room])).get(room), room);

let marks = 0;
/** A change unlike any other. */
export const newChange = (): WireChange => [(marks += 1) as SlotId, 3];

/** Commits one entry with one change; publishing it is left to the test. */
export const append = async (sql: Sql, room: RoomName): Promise<RoomEntry[]> => {
	const id = await idOf(sql, room);
	return await sql.begin((tx) => appendChanges(tx, new Map([[id, [newChange()]]])));
};

export type Seen = {
	readonly entries: RoomEntry[];
	readonly resets: RoomName[];
	/** What broke the promise of order; must stay empty. */
	readonly faults: string[];
};

export type Watched = Follower & { readonly seen: Seen };

/** Follows with a short beat and checks every entry against the one before it. */
export const watch = async (
	parts: Partial<FollowerParts> & Pick<FollowerParts, 'sql'>
): Promise<Watched & AsyncDisposable> => {
	const seen: Seen = { entries: [], resets: [], faults: [] };
	const next = new Map<RoomName, number>();
	const follower: Follower = createFollower({
		redis: null,
		epoch: await ensureEpoch(parts.sql),
		log: quiet,
		beatMs: BEAT_MS,
		onReset: (room) => {
			seen.resets.push(room);
			next.delete(room);
		},
		onEntries: (room, entries) => {
			for (const entry of entries) {
				const wanted = next.get(room) ?? entry.seq;
				if (entry.seq !== wanted) seen.faults.push(`${room}: ${entry.seq} for ${wanted}`);
				next.set(room, entry.seq + 1);
				seen.entries.push(entry);
			}
		},
		...parts
	});
	return mustClose('follower', { ...follower, seen });
};
