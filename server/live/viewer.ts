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
	/** Rooms whose join is being answered; `room:leave` takes a room out again. */
	readonly joining: Map<RoomName, symbol>;
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
