// The two namespaces' machinery over one feed: rooms of slots for patients, rooms of one clinic's
// bookings and holds for providers.
import type { Board } from '#domain/board.ts';
import type { ClinicSnapshot } from '#domain/booking.ts';
import type { ClinicChange, RoomEntry, WireChange } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import { logFault } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';
import { createHouse } from './house.ts';
import type { House } from './house.ts';
import { clinicFolding, slotFolding } from './room-batcher.ts';
import type { Feed } from './room.ts';

export type FeedParts = {
	readonly log: Log;
	/** The follower's part of the feed; what it tells of a room fits the kind of the room. */
	readonly feed: Feed<WireChange>;
	readonly readEntries: (
		room: RoomName,
		seq: number,
		limit: number
	) => Promise<readonly RoomEntry<unknown>[] | null>;
	readonly readHead: (room: RoomName) => Promise<number>;
	/** False = this hub cannot know whether its rooms are up to date: no beacon then. */
	readonly isSure: () => boolean;
};

export type Houses = {
	readonly patients: House<WireChange, Board>;
	readonly providers: House<ClinicChange, ClinicSnapshot>;
};

export const isClinicRoom = (room: RoomName): boolean => room.startsWith('clinic:');

const isClinicEntry = (entry: RoomEntry<unknown>): entry is RoomEntry<ClinicChange> =>
	isClinicRoom(entry.room);
const isSlotEntry = (entry: RoomEntry<unknown>): entry is RoomEntry<WireChange> =>
	!isClinicRoom(entry.room);

type Entries<C> = readonly RoomEntry<C>[];

export const clinicEntries = (entries: Entries<unknown>): Entries<ClinicChange> =>
	entries.filter(isClinicEntry);
export const slotEntries = (entries: Entries<unknown>): Entries<WireChange> =>
	entries.filter(isSlotEntry);

const orNull = <A, B>(value: A | null, map: (value: A) => B): B | null =>
	value === null ? null : map(value);

export const createHouses = (parts: FeedParts): Houses => {
	const { feed, readEntries, readHead, isSure, log } = parts;
	const common = {
		readHead,
		isSure,
		onFault: (error: unknown) => logFault(log, 'room_fault', error),
		onCut: (reason: 'slow' | 'quota') => log.warn('viewer_cut', { reason })
	};
	const patients = createHouse<WireChange, Board>({
		...common,
		namespace: '/patients',
		event: 'slots:changed',
		folding: slotFolding,
		feed,
		readEntries: async (...at) => orNull(await readEntries(...at), slotEntries)
	});
	const providers = createHouse<ClinicChange, ClinicSnapshot>({
		...common,
		namespace: '/providers',
		event: 'clinic:changed',
		folding: clinicFolding,
		feed: {
			follow: feed.follow,
			unfollow: feed.unfollow,
			epoch: feed.epoch,
			entriesSince: (room, seq) => orNull(feed.entriesSince(room, seq), clinicEntries)
		},
		readEntries: async (...at) => orNull(await readEntries(...at), clinicEntries)
	});
	return { patients, providers };
};
