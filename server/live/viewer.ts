// One connected socket as the live layer sees it: the way to it, what it follows, what it may ask.
import type { DeviceKey, SourceId } from '#domain/ids.ts';
import type { RoomName } from '#domain/room.ts';
import type { Lane } from './fan-out.ts';
import type { MessageQuota } from './quotas.ts';

export type CutReason = 'slow' | 'quota';

export type Viewer = {
	readonly lane: Lane;
	/** Who owns its holds; null = it sent no device cookie and may only watch. */
	readonly device: DeviceKey | null;
	/** Where it connected from. */
	readonly address: string;
	/** The clinic whose console this is; null = a patient's page. */
	readonly sourceId: SourceId | null;
	readonly quota: MessageQuota;
	readonly rooms: Set<RoomName>;
	/** Rooms whose join is being answered; `room:leave` takes a room out again. null = none. */
	joining: Map<RoomName, symbol> | null;
	/** Its rooms as one text: viewers of the same rooms share one encoded beacon. */
	roomsKey: string;
	/** When its right to be here ends (ms since 1970), or null. */
	readonly endsAt: number | null;
	isOpen(): boolean;
	/** Tells the viewer why and ends the connection; it comes back with its position. */
	cut(reason: CutReason): void;
};

export const refreshRoomsKey = (viewer: Viewer): void => {
	viewer.roomsKey = [...viewer.rooms].toSorted().join(' ');
};

/** A join under way has a ticket: it counts as long as nobody left, or asked again. */
export const startJoining = (viewer: Viewer, room: RoomName): symbol => {
	const ticket = Symbol(room);
	viewer.joining ??= new Map();
	viewer.joining.set(room, ticket);
	return ticket;
};

/** True = it was under way, under this ticket (or any); it is no more. */
export const stopJoining = (viewer: Viewer, room: RoomName, ticket?: symbol): boolean => {
	const known = viewer.joining?.get(room);
	if (known === undefined || (ticket !== undefined && known !== ticket)) return false;
	viewer.joining?.delete(room);
	// Nearly every viewer joins a room or two and then watches for an hour: no empty map per viewer.
	if (viewer.joining?.size === 0) viewer.joining = null;
	return true;
};
