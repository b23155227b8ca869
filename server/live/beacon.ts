// The beacon: tells every viewer, every few seconds, where its rooms stand and that the hub is
// alive and sure of it. Silence means "not live", so the beacon stops when the feed is in doubt.
import { BEACON_MS } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import { encodeEvent, sendTo } from './fan-out.ts';
import type { Message } from './fan-out.ts';
import type { Viewer } from './viewer.ts';

/** Viewers are served in turns, so that 20,000 of them do not stop the event loop at once. */
const TURNS = 10;
/** Every so many rounds all heads are told; between them only those that moved. */
const FULL_EVERY = 12;

export type BeaconParts = {
	readonly namespace: string;
	readonly epoch: () => string;
	readonly sent: (room: RoomName) => number | null;
	/** False = this hub cannot know whether its rooms are up to date. */
	readonly isSure: () => boolean;
	readonly onSlow: (viewer: Viewer) => void;
};

export type Beacon = {
	add(viewer: Viewer): void;
	remove(viewer: Viewer): void;
	/** One turn: a tenth of the viewers. Called by a timer every BEACON_MS / 10. */
	turn(): void;
	/** All viewers at once, all heads: when the epoch changed. */
	all(): void;
	size(): number;
};

type Turn = { readonly viewers: Set<Viewer>; readonly told: Map<RoomName, number> };

export const TURN_MS = BEACON_MS / TURNS;

export const createBeacon = ({ namespace, epoch, sent, isSure, onSlow }: BeaconParts): Beacon => {
	const turns: Turn[] = Array.from({ length: TURNS }, () => ({
		viewers: new Set(),
		told: new Map()
	}));
	const turnOf = new Map<Viewer, Turn>();
	let added = 0;
	let round = 0;

	const write = (
		rooms: Iterable<RoomName>,
		told: ReadonlyMap<RoomName, number> | null
	): Message => {
		const heads: [RoomName, number][] = [];
		for (const room of rooms) {
			const seq = sent(room);
			if (seq !== null && told?.get(room) !== seq) heads.push([room, seq]);
		}
		return encodeEvent(namespace, 'rooms:heads', [epoch(), heads]);
	};

	const tell = ({ viewers, told }: Turn, everything: boolean): void => {
		const messages = new Map<string, Message>();
		const followed = new Set<RoomName>();
		const slow: Viewer[] = [];
		for (const viewer of viewers) {
			let message = messages.get(viewer.roomsKey);
			if (message === undefined) {
				message = write(viewer.rooms, everything ? null : told);
				messages.set(viewer.roomsKey, message);
				for (const room of viewer.rooms) followed.add(room);
			}
			if (!sendTo(viewer.lane, message)) slow.push(viewer);
		}
		told.clear();
		for (const room of followed) {
			const seq = sent(room);
			if (seq !== null) told.set(room, seq);
		}
		for (const viewer of slow) onSlow(viewer);
	};

	return {
		add: (viewer) => {
			const turn = turns[added % TURNS];
			added += 1;
			if (turn === undefined) return;
			turn.viewers.add(viewer);
			turnOf.set(viewer, turn);
		},
		remove: (viewer) => {
			turnOf.get(viewer)?.viewers.delete(viewer);
			turnOf.delete(viewer);
		},
		turn: () => {
			const turn = turns[round % TURNS];
			const isFull = Math.floor(round / TURNS) % FULL_EVERY === 0;
			round += 1;
			if (turn !== undefined && isSure()) tell(turn, isFull);
		},
		all: () => {
			for (const turn of turns) tell(turn, true);
		},
		size: () => turnOf.size
	};
};
