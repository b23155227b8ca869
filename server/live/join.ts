// Joining a room without losing or doubling a change: the answer ends exactly where the next batch
// begins (or behind it, and then the batch overlaps, which is harmless: latest state counts).
import { MAX_DELTA_CHANGES, MAX_ROOMS_PER_SOCKET } from '#domain/protocol.ts';
import type { JoinReply, Position, RoomBatch, RoomEntry, SocketRefusal } from '#domain/protocol.ts';
import { ok, refuse } from '#domain/result.ts';
import type { Refused } from '#domain/result.ts';
import type { RoomName } from '#domain/room.ts';
import { foldEntries } from './room-batcher.ts';
import type { Folding } from './room-batcher.ts';
import type { OpenRoom, Rooms } from './rooms.ts';
import { startJoining, stopJoining } from './viewer.ts';
import type { Viewer } from './viewer.ts';

/** A reply, and what must happen in the same turn of the event loop right after it is sent. */
export type Reply<R> = { readonly reply: R; readonly after?: () => void };

/** State read in one go with the room's position in it. */
export type Snapshot<S> = { readonly epoch: string; readonly seq: number; readonly value: S };

export type JoinParts<C> = {
	readonly rooms: Rooms<C>;
	readonly folding: Folding<C>;
	readonly epoch: () => string;
	/** From the log: up to `limit` entries after `seq`; null = purged. */
	readonly readEntries: (
		room: RoomName,
		seq: number,
		limit: number
	) => Promise<readonly RoomEntry<C>[] | null>;
	/** The room's head according to the database. */
	readonly readHead: (room: RoomName) => Promise<number>;
};

export type JoinRequest<S> = {
	readonly room: RoomName;
	readonly have: Position | undefined;
	/** null = the viewer did not say what to take a snapshot of. */
	readonly takeSnapshot: (() => Promise<Snapshot<S>>) | null;
};

/** Entries read from the log for one delta; further behind is a snapshot. */
const MAX_DELTA_ENTRIES = 1_000;
/** A snapshot so old that the ring no longer reaches it is taken again this often. */
const SNAPSHOT_TRIES = 3;

/** `at` is where the viewer stands with this reply. */
type Answer<C, S> = {
	readonly reply: JoinReply<C, S>;
	readonly epoch: string;
	readonly at: number;
};

type Caught<C> = { readonly to: number; readonly changes: readonly C[] };

/** What somebody at `seq` misses up to the last batch that left; null = too much, or unknown. */
const createCatchUp =
	<C>({ folding, readEntries, readHead }: JoinParts<C>) =>
	async (room: RoomName, open: OpenRoom<C>, seq: number): Promise<Caught<C> | null> => {
		if (seq > open.sent() && seq > (await readHead(room))) return null;
		const near = open.since(seq);
		if (near !== null) return { to: Math.max(seq, open.sent()), changes: near };
		const entries = await readEntries(room, seq, MAX_DELTA_ENTRIES);
		const last = entries?.at(-1);
		if (entries === null || last === undefined || entries[0]?.seq !== seq + 1) return null;
		// What left meanwhile is still in the ring, unless the log was cut at its limit.
		const rest = open.since(last.seq);
		if (rest === null) return null;
		const to = Math.max(last.seq, open.sent());
		const all = [...entries, { room, seq: to, changes: rest }];
		return { to, changes: foldEntries(all, folding) };
	};

/** Answers a join: current, delta, snapshot, or a refusal. Enters nobody yet. */
const createAnswer = <C, S>(parts: JoinParts<C>) => {
	const { epoch } = parts;
	const catchUp = createCatchUp(parts);

	const answerDelta = async (
		room: RoomName,
		open: OpenRoom<C>,
		have: Position
	): Promise<Answer<C, S> | null> => {
		const caught = await catchUp(room, open, have.seq);
		if (caught === null || caught.changes.length > MAX_DELTA_CHANGES) return null;
		if (have.epoch !== epoch()) return null;
		const { to, changes } = caught;
		const stand = { epoch: have.epoch, at: to };
		if (to === have.seq) {
			return { ...stand, reply: ok({ kind: 'current', epoch: have.epoch, seq: to }) };
		}
		const batch = { room, epoch: have.epoch, from: have.seq, to, changes };
		return { ...stand, reply: ok({ kind: 'delta', batch }) };
	};

	/** V3: the position is part of the snapshot. */
	const answerSnapshot = async (
		open: OpenRoom<C>,
		takeSnapshot: () => Promise<Snapshot<S>>
	): Promise<Answer<C, S> | Refused<SocketRefusal>> => {
		for (let tries = 0; tries < SNAPSHOT_TRIES; tries += 1) {
			const taken = await takeSnapshot();
			if (taken.epoch !== epoch() || open.since(taken.seq) === null) continue;
			const reply = ok({ kind: 'snapshot' as const, snapshot: taken.value });
			return { reply, epoch: taken.epoch, at: taken.seq };
		}
		return refuse('busy_try_again');
	};

	return async (
		{ room, have, takeSnapshot }: JoinRequest<S>,
		open: OpenRoom<C>
	): Promise<Answer<C, S> | Refused<SocketRefusal>> => {
		const isNear = have !== undefined && have.epoch === epoch();
		const delta = isNear ? await answerDelta(room, open, have) : null;
		if (delta !== null) return delta;
		if (takeSnapshot === null) return refuse('bad_request');
		return await answerSnapshot(open, takeSnapshot);
	};
};

export const createJoin = <C, S>(
	parts: JoinParts<C>,
	sendBatch: (viewer: Viewer, batch: RoomBatch<C>) => void
) => {
	const { rooms } = parts;
	const answer = createAnswer<C, S>(parts);

	/** What left the batcher since the position of the answer goes right behind it. */
	const enter = (viewer: Viewer, room: RoomName, open: OpenRoom<C>, found: Answer<C, S>): void => {
		const changes = open.since(found.at);
		const batch = { room, epoch: found.epoch, from: found.at, to: open.sent() };
		if (batch.to > batch.from && changes !== null) sendBatch(viewer, { ...batch, changes });
		rooms.enter(viewer, room);
	};

	return async (viewer: Viewer, request: JoinRequest<S>): Promise<Reply<JoinReply<C, S>>> => {
		const { room } = request;
		const { joining } = viewer;
		const isNew = !viewer.rooms.has(room) && joining?.has(room) !== true;
		if (isNew && viewer.rooms.size + (joining?.size ?? 0) >= MAX_ROOMS_PER_SOCKET) {
			return { reply: refuse('too_many_rooms') };
		}
		const ticket = startJoining(viewer, room);
		/** False = left, or asked again, while the answer was being made. */
		const settle = (): boolean => stopJoining(viewer, room, ticket);
		let open: OpenRoom<C> | null = null;
		try {
			open = await rooms.pin(room);
			const pinned = open;
			const found = await answer(request, pinned);
			if ('reply' in found) {
				const after = (): void => {
					if (settle() && viewer.isOpen()) enter(viewer, room, pinned, found);
				};
				return { reply: found.reply, after };
			}
			settle();
			return { reply: found };
		} catch (error) {
			settle();
			throw error;
		} finally {
			open?.unpin();
		}
	};
};
