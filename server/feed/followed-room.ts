// F11. One followed room: where this process stands in it and the newest entries, bounded in number
// and in size, from which short absences are answered without the database.
import type { RoomEntry } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';

const RING_ENTRIES = 256;
const RING_CHANGES = 5_000;
/** Entries kept back while the head is being read. */
const MAX_WAITING = 256;

export type FollowedRoom = {
	readonly name: RoomName;
	/** null until the head was read. */
	readonly head: () => number | null;
	/** Applies the next entries; those that are old, or that would leave a hole, are not. */
	readonly advance: (entries: readonly RoomEntry[]) => readonly RoomEntry[];
	/** Begins anew at a head: what was before is no longer told. */
	readonly begin: (head: number) => void;
	/** Keeps an entry back until `begin`; more than a few are dropped (the log has them). */
	readonly wait: (entry: RoomEntry) => void;
	readonly takeWaiting: () => readonly RoomEntry[];
	readonly since: (seq: number) => readonly RoomEntry[] | null;
};

export const createFollowedRoom = (name: RoomName): FollowedRoom => {
	let head: number | null = null;
	let ring: RoomEntry[] = [];
	let ringChanges = 0;
	let waiting: RoomEntry[] = [];

	const remember = (entry: RoomEntry): void => {
		ring.push(entry);
		ringChanges += entry.changes.length;
		while (ring.length > RING_ENTRIES || ringChanges > RING_CHANGES) {
			ringChanges -= ring.shift()?.changes.length ?? 0;
		}
	};

	return {
		name,
		head: () => head,
		advance: (entries) => {
			if (head === null) return [];
			const applied: RoomEntry[] = [];
			for (const entry of entries) {
				if (entry.seq !== head + 1) continue;
				head = entry.seq;
				applied.push(entry);
				remember(entry);
			}
			return applied;
		},
		begin: (at) => {
			head = at;
			ring = [];
			ringChanges = 0;
		},
		wait: (entry) => {
			if (waiting.length < MAX_WAITING) waiting.push(entry);
		},
		takeWaiting: () => {
			const taken = waiting.toSorted((a, b) => a.seq - b.seq);
			waiting = [];
			return taken;
		},
		since: (seq) => {
			if (head === null || seq > head) return null;
			if (seq === head) return [];
			const first = ring[0]?.seq ?? Infinity;
			return seq + 1 < first ? null : ring.slice(seq + 1 - first);
		}
	};
};
