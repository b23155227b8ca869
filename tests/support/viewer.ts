// A viewer as honest as the browser's: it applies a batch only when it continues where it stands,
// otherwise it joins again with its position. Keeps a journal for the checkers.
import { io, type Socket } from 'socket.io-client';
import { must } from '#domain/result.ts';
import {
	PROTOCOL_VERSION,
	type PatientClientEvents,
	type PatientServerEvents,
	type Position,
	type RoomBatch,
	type WireChange
} from '#domain/protocol.ts';
import { slotStates, type SlotState } from '#domain/slot.ts';
import { mustClose } from './leaks.ts';

type PatientSocket = Socket<PatientServerEvents, PatientClientEvents>;

export type SeenSlot = {
	readonly state: SlotState;
	readonly left: number;
	readonly startMinute: number;
};

export type Viewer = {
	socket: PatientSocket;
	rooms: readonly string[];
	/** What this viewer shows in a room: slot id → state. Gone and taken slots are left out. */
	shown(room: string): ReadonlyMap<number, SeenSlot>;
	position(room: string): Position | null;
	/** Batches that arrived, how often it had to join again, and every rule it saw broken. */
	journal: { batches: number; rejoins: number; cuts: number; broken: string[] };
	close(): Promise<void>;
};

type RoomView = { position: Position; slots: Map<number, SeenSlot>; joining: boolean };

const applyChanges = (view: RoomView, changes: readonly WireChange[]): void => {
	for (const change of changes) {
		const [id] = change;
		const known = view.slots.get(id);
		const state = change.length === 2 ? change[1] : change[4];
		const isShown = state === slotStates.open || state === slotStates.held;
		if (!isShown) view.slots.delete(id);
		else if (change.length === 6) {
			view.slots.set(id, { state, left: change[5], startMinute: change[2] });
		} // A two-part change of a slot this viewer does not know changes nothing it shows.
		else if (known !== undefined) view.slots.set(id, { ...known, state });
	}
};

export type ViewerOptions = {
	url: string;
	/** Where it stands at first; seq 0 asks for the whole log since the beginning. */
	rooms: readonly string[];
	epoch: string;
	cookie?: string;
	transports?: ('websocket' | 'polling')[];
};

export const createViewer = (options: ViewerOptions): Viewer & AsyncDisposable => {
	const socket: PatientSocket = io(`${options.url}/patients`, {
		auth: { protocol: PROTOCOL_VERSION },
		transports: options.transports ?? ['websocket'],
		reconnectionDelay: 50,
		reconnectionDelayMax: 300,
		forceNew: true,
		...(options.cookie === undefined ? {} : { extraHeaders: { cookie: options.cookie } })
	});
	const views = new Map<string, RoomView>(
		options.rooms.map((room) => [
			room,
			{ position: { epoch: options.epoch, seq: 0 }, slots: new Map(), joining: false }
		])
	);
	const journal: Viewer['journal'] = { batches: 0, rejoins: 0, cuts: 0, broken: [] };

	const applyBatch = (view: RoomView, batch: RoomBatch): void => {
		journal.batches += 1;
		if (batch.epoch !== view.position.epoch || batch.from > view.position.seq) {
			join(batch.room, view);
			return;
		}
		if (batch.to <= view.position.seq) return;
		applyChanges(view, batch.changes);
		view.position = { epoch: batch.epoch, seq: batch.to };
	};

	const join = (room: string, view: RoomView): void => {
		if (view.joining || !socket.connected) return;
		view.joining = true;
		journal.rejoins += 1;
		socket.timeout(5_000).emit('room:join', { room, have: view.position }, (error, reply) => {
			view.joining = false;
			if (error !== null) {
				if (socket.connected) join(room, view);
				return;
			}
			if (!reply.ok) {
				if (reply.reason !== 'busy_try_again' && reply.reason !== 'too_many_requests') {
					journal.broken.push(`join refused: ${reply.reason}`);
				} else setTimeout(() => join(room, view), 200);
				return;
			}
			if (reply.value.kind === 'delta') applyBatch(view, reply.value.batch);
			else if (reply.value.kind === 'snapshot') journal.broken.push('unexpected snapshot');
		});
	};

	socket.on('connect', () => {
		for (const [room, view] of views) {
			view.joining = false;
			join(room, view);
		}
	});
	socket.on('slots:changed', (batch) => {
		const view = views.get(batch.room);
		if (view !== undefined) applyBatch(view, batch);
	});
	socket.on('rooms:heads', (epoch, heads) => {
		for (const [room, seq] of heads) {
			const view = views.get(room);
			if (view === undefined) continue;
			if (epoch !== view.position.epoch || seq > view.position.seq) join(room, view);
			if (epoch === view.position.epoch && seq < view.position.seq) {
				journal.broken.push(`${room}: head ${seq} behind ${view.position.seq}`);
			}
		}
	});
	socket.on('viewer:cut', () => {
		journal.cuts += 1;
	});

	return mustClose(`viewer of ${options.rooms.join(' ')}`, {
		socket,
		rooms: options.rooms,
		journal,
		shown: (room: string) => must(views.get(room), room).slots,
		position: (room: string) => views.get(room)?.position ?? null,
		close: async () => {
			socket.disconnect();
			await Promise.resolve();
		}
	});
};
