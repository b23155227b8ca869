// The namespace /patients: rooms of slots, and the holds of this device. Each handler is one line:
// schema → use case → ack.
import type { HubApi } from '#domain/api.ts';
import type { Board, BoardQuery } from '#domain/board.ts';
import { findRegion, findSpecialty } from '#domain/codes.ts';
import { JoinRoom, LeaveRoom, PlaceHold, ReadSchedules, ReleaseHold } from '#domain/commands.ts';
import type { JoinReply, PatientClientEvents, Position, WireChange } from '#domain/protocol.ts';
import { ok, refuse } from '#domain/result.ts';
import { roomsToFollow } from '#domain/room.ts';
import type { RoomName } from '#domain/room.ts';
import { createHandlers } from './handler.ts';
import type { Handler, HandlerParts, Handlers } from './handler.ts';
import type { JoinRequest, Reply, Snapshot } from './join.ts';
import type { Rooms } from './rooms.ts';
import type { Viewer } from './viewer.ts';

export type PatientParts = HandlerParts & {
	readonly hub: HubApi;
	readonly rooms: Rooms<WireChange>;
	readonly join: (
		viewer: Viewer,
		request: JoinRequest<Board>
	) => Promise<Reply<JoinReply<WireChange, Board>>>;
	readonly mayHold: (address: string) => Promise<boolean>;
	/** A board read by somebody else at this moment serves everybody who asks for the same. */
	readonly readBoard: (query: BoardQuery) => Promise<Board>;
};

/** `dermatology:us-mt`: both halves must be codes that we know. */
const isKnownRoom = (room: RoomName): boolean => {
	const [specialty = '', place = ''] = room.split(':');
	return (
		findSpecialty(specialty) !== undefined &&
		(place === 'us' || findRegion(place.toUpperCase()) !== undefined)
	);
};

/** One read of the same board at a time, however many ask (a herd that reconnects). */
export const shareReads = (
	read: (query: BoardQuery) => Promise<Board>
): ((query: BoardQuery) => Promise<Board>) => {
	const underWay = new Map<string, Promise<Board>>();
	return (query) => {
		const key = JSON.stringify(query);
		const running = underWay.get(key);
		if (running !== undefined) return running;
		const reading = read(query).finally(() => underWay.delete(key));
		underWay.set(key, reading);
		return reading;
	};
};

type Join = {
	readonly room: RoomName;
	readonly have?: Position | undefined;
	readonly query?: BoardQuery | undefined;
};

const snapshotFor =
	(readBoard: PatientParts['readBoard'], room: RoomName, query: BoardQuery) =>
	async (): Promise<Snapshot<Board>> => {
		const board = await readBoard(query);
		return { epoch: board.epoch, seq: board.heads[room] ?? 0, value: board };
	};

/** Holds need a device cookie; watching does not. */
export const patientHandlers = (parts: PatientParts): Handlers => {
	const { hub, rooms, readBoard } = parts;
	const handle = createHandlers<PatientClientEvents>(parts);

	const join = async (viewer: Viewer, { room, have, query }: Join): Promise<Reply<JoinReply>> => {
		if (!isKnownRoom(room)) return { reply: refuse('unknown_room') };
		if (query !== undefined && !roomsToFollow(query.specialty, query.region).includes(room)) {
			return { reply: refuse('bad_request') };
		}
		const takeSnapshot = query === undefined ? null : snapshotFor(readBoard, room, query);
		return await parts.join(viewer, { room, have, takeSnapshot });
	};

	const place = async ({ device, address }: Viewer, command: PlaceHold) => {
		if (device === null) return { reply: refuse('not_allowed') };
		if (!(await parts.mayHold(address))) return { reply: refuse('too_many_requests') };
		return { reply: await hub.placeHold(device, command) };
	};

	return new Map<string, Handler>([
		handle('room:join', JoinRoom, join),
		handle('room:leave', LeaveRoom, async (viewer, { room }) => {
			rooms.leave(viewer, room);
			return { reply: ok(null) };
		}),
		handle('schedules:read', ReadSchedules, async (_viewer, { ids, query }) => ({
			reply: ok(await hub.readSchedules(ids, query ?? null))
		})),
		handle('hold:place', PlaceHold, place),
		handle('hold:release', ReleaseHold, async ({ device }, { holdId }) => ({
			reply: device === null ? refuse('not_allowed') : await hub.releaseHold(device, holdId)
		}))
	]);
};
