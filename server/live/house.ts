// One namespace of the live side: its viewers, its rooms, its beacon. A viewer comes in through
// `admit` and is gone without a trace when its socket is.
import type { JoinReply, RoomBatch, RoomEntry } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import { createBeacon } from './beacon.ts';
import type { Beacon } from './beacon.ts';
import { createLane, cutLane, encodeEvent, sendTo } from './fan-out.ts';
import type { Lane, PublicConnection } from './fan-out.ts';
import { dispatch } from './handler.ts';
import type { Handlers } from './handler.ts';
import { createJoin } from './join.ts';
import type { JoinRequest, Reply } from './join.ts';
import { createMessageQuota } from './quotas.ts';
import type { Folding } from './room-batcher.ts';
import { createRooms } from './rooms.ts';
import type { Feed } from './room.ts';
import type { Rooms } from './rooms.ts';
import type { CutReason, Viewer } from './viewer.ts';

/** What a house needs of a Socket.IO socket. */
export type HouseSocket = {
	readonly connected: boolean;
	readonly conn: PublicConnection;
	use(middleware: (packet: unknown[]) => void): unknown;
};

export type HouseParts<C> = {
	readonly namespace: string;
	readonly event: string;
	readonly folding: Folding<C>;
	readonly feed: Feed<C>;
	readonly readEntries: (
		room: RoomName,
		seq: number,
		limit: number
	) => Promise<readonly RoomEntry<C>[] | null>;
	readonly readHead: (room: RoomName) => Promise<number>;
	readonly isSure: () => boolean;
	readonly onFault: (error: unknown) => void;
	readonly onCut: (reason: CutReason) => void;
};

export type Person = Pick<Viewer, 'device' | 'address' | 'sourceId' | 'endsAt'>;

export type House<C, S> = {
	readonly rooms: Rooms<C>;
	readonly beacon: Beacon;
	readonly viewers: ReadonlySet<Viewer>;
	/** From now on `handlers` answer the socket; call `dismiss` when it is gone. */
	admit(socket: HouseSocket, person: Person, handlers: Handlers): Viewer;
	dismiss(viewer: Viewer): void;
	join(viewer: Viewer, request: JoinRequest<S>): Promise<Reply<JoinReply<C, S>>>;
	send(viewers: Iterable<Viewer>, event: string, ...args: readonly unknown[]): void;
	reset(room: RoomName): void;
	/** Ends viewers whose right to be here is over. */
	sweep(nowMs: number): void;
	close(): void;
};

/** A viewer that is cut gets this long to read why, ms. */
const CUT_GRACE_MS = 1_000;
/** Resets come for all rooms at once; their viewers are told once. */
const RESET_GATHER_MS = 50;

/** What all viewers of a house have in common. */
type Shared = {
	readonly namespace: string;
	readonly onCut: (viewer: Viewer, reason: CutReason) => void;
};

/** A class, so that 20,000 idle viewers share their functions instead of having three each. */
class ConnectedViewer implements Viewer {
	readonly device: Viewer['device'];
	readonly address: string;
	readonly sourceId: Viewer['sourceId'];
	readonly endsAt: number | null;
	readonly lane: Lane;
	readonly quota = createMessageQuota(Math.floor(performance.now()));
	readonly rooms = new Set<RoomName>();
	joining: Viewer['joining'] = null;
	roomsKey = '';
	private isCut = false;
	private readonly socket: HouseSocket;
	private readonly shared: Shared;

	constructor(shared: Shared, socket: HouseSocket, person: Person) {
		this.device = person.device;
		this.address = person.address;
		this.sourceId = person.sourceId;
		this.endsAt = person.endsAt;
		this.lane = createLane(socket.conn);
		this.socket = socket;
		this.shared = shared;
	}

	isOpen(): boolean {
		return this.socket.connected && !this.isCut;
	}

	cut(reason: CutReason): void {
		if (this.isCut) return;
		this.isCut = true;
		const { lane, shared } = this;
		shared.onCut(this, reason);
		sendTo(lane, encodeEvent(shared.namespace, 'viewer:cut', [{ reason }]));
		setTimeout(() => cutLane(lane), CUT_GRACE_MS).unref();
	}
}

export const createHouse = <C, S>(parts: HouseParts<C>): House<C, S> => {
	const { namespace, event, feed, folding } = parts;
	const viewers = new Set<Viewer>();
	let resetting: NodeJS.Timeout | null = null;

	const onSlow = (viewer: Viewer): void => viewer.cut('slow');
	const rooms = createRooms<C>({
		namespace,
		event,
		feed,
		folding,
		onSlow,
		onFault: parts.onFault
	});
	const { isSure } = parts;
	const beacon = createBeacon({ namespace, epoch: feed.epoch, sent: rooms.sent, isSure, onSlow });

	const send: House<C, S>['send'] = (to, name, ...args) => {
		const message = encodeEvent(namespace, name, args);
		for (const viewer of to) if (!sendTo(viewer.lane, message)) viewer.cut('slow');
	};

	const sendBatch = (viewer: Viewer, batch: RoomBatch<C>): void => send([viewer], event, batch);
	const { readEntries, readHead } = parts;
	const joinParts = { rooms, folding, epoch: feed.epoch, readEntries, readHead };
	const join = createJoin<C, S>(joinParts, sendBatch);

	const dismiss = (viewer: Viewer): void => {
		rooms.leaveAll(viewer);
		beacon.remove(viewer);
		viewers.delete(viewer);
	};

	const shared: Shared = {
		namespace,
		onCut: (viewer, reason) => {
			dismiss(viewer);
			parts.onCut(reason);
		}
	};
	const admit: House<C, S>['admit'] = (socket, person, handlers) => {
		const viewer = new ConnectedViewer(shared, socket, person);
		viewers.add(viewer);
		beacon.add(viewer);
		// No event goes further than this: one closure per socket instead of one per event.
		socket.use((packet) => dispatch(handlers, viewer, packet));
		return viewer;
	};

	return {
		rooms,
		beacon,
		viewers,
		admit,
		dismiss,
		join,
		send,
		reset: (room) => {
			rooms.reset(room);
			resetting ??= setTimeout(() => {
				resetting = null;
				beacon.all();
			}, RESET_GATHER_MS);
		},
		sweep: (nowMs) => {
			for (const viewer of viewers) {
				if (viewer.endsAt !== null && viewer.endsAt <= nowMs) viewer.lane.conn.close();
			}
		},
		close: () => {
			if (resetting !== null) clearTimeout(resetting);
			rooms.close();
		}
	};
};
