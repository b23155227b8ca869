// Gathers the changes of one room for a short window and sends them as one batch: the latest
// state per slot, never more than one batch per window (F5).
import { COALESCE_MS, MAX_DELTA_CHANGES } from '#domain/protocol.ts';
import type { ClinicChange, RoomBatch, RoomEntry, WireChange } from '#domain/protocol.ts';
import type { SlotId } from '#domain/ids.ts';
import type { RoomName } from '#domain/room.ts';

/** How the changes of a kind of room are folded: by which key, and what a later one makes of it. */
export type Folding<C> = {
	keyOf(change: C): string | number;
	/** `earlier` and `later` have the same key and arrive as one. */
	merge(earlier: C, later: C): C;
};

const HELD = 2;

/**
 * V5: the latest state of a slot counts. A slot that opened and was held within one window still
 * travels whole, because a viewer shows held slots and could not know this one.
 */
export const slotFolding: Folding<WireChange> = {
	keyOf: (change): SlotId => change[0],
	merge: (earlier, later) => {
		if (earlier.length === 2 || later.length !== 2 || later[1] !== HELD) return later;
		const [id, scheduleId, startMinute, minutes] = earlier;
		return [id, scheduleId, startMinute, minutes, later[1], 0];
	}
};

const clinicKeyOf = (change: ClinicChange): string => {
	if (change.kind === 'waiting') return 'waiting';
	return change.kind === 'booking' ? `b${change.bookingId}` : `h${String(change.slotId)}`;
};

/** The console shows the latest state of a booking, whether a slot is held, and how many wait. */
export const clinicFolding: Folding<ClinicChange> = {
	keyOf: clinicKeyOf,
	merge: (_, later) => later
};

/** Adds an entry's changes; a changed key moves to the end, so that order stays order of time. */
const foldInto = <C>(
	pending: Map<string | number, C>,
	changes: readonly C[],
	folding: Folding<C>
): void => {
	for (const change of changes) {
		const key = folding.keyOf(change);
		const earlier = pending.get(key);
		if (earlier === undefined) {
			pending.set(key, change);
			continue;
		}
		pending.delete(key);
		pending.set(key, folding.merge(earlier, change));
	}
};

/** Entries folded into the changes of one delta. */
export const foldEntries = <C>(entries: readonly RoomEntry<C>[], folding: Folding<C>): C[] => {
	const pending = new Map<string | number, C>();
	for (const entry of entries) foldInto(pending, entry.changes, folding);
	return [...pending.values()];
};

export type Timers = {
	now(): number;
	set(work: () => void, ms: number): () => void;
};

export const systemTimers: Timers = {
	now: () => performance.now(),
	set: (work, ms) => {
		if (ms <= 0) {
			const turn = setImmediate(work);
			return () => clearImmediate(turn);
		}
		const timer = setTimeout(work, ms);
		return () => clearTimeout(timer);
	}
};

export type RoomBatcher<C> = {
	/**
	 * Takes entries in order; those it already has are skipped, a hole makes viewers ask again.
	 * `waitedMs` = how long the oldest of them had waited before it came here; default 0.
	 */
	add(entries: readonly RoomEntry<C>[], waitedMs?: number): void;
	/** Position of what was sent: where somebody who joins now stands. */
	sent(): number;
	/** Position of what was received. */
	head(): number;
	close(): void;
};

export type BatcherParts<C> = {
	readonly room: RoomName;
	readonly epoch: string;
	readonly head: number;
	readonly folding: Folding<C>;
	readonly send: (batch: RoomBatch<C>) => void;
	readonly windowMs?: number;
	readonly timers?: Timers;
};

/**
 * A batch that would be due so soon leaves with a message that was gathered, ms: its publisher does
 * not send another one before, and one wake is cheaper than two.
 */
const NEARLY_DUE_MS = 5;
/** L10: batches follow each other no closer than this share of the window, whoever publishes. */
const SPACING = 0.6;

/**
 * V4, L9: the first change after a quiet window leaves in the same turn of the event loop. Else a
 * batch is due one window after the one before, or, when its oldest change was told late, one window
 * after that change; and all that came until then leave with it.
 */
export const createRoomBatcher = <C>(parts: BatcherParts<C>): RoomBatcher<C> => {
	const { room, epoch, folding, send } = parts;
	const windowMs = parts.windowMs ?? COALESCE_MS;
	const timers = parts.timers ?? systemTimers;
	const pending = new Map<string | number, C>();
	let from = parts.head;
	let to = parts.head;
	let sentAt = -Infinity;
	/** When the oldest change that waits was committed, as far as its publisher told. */
	let oldestAt = Infinity;
	let cancel: (() => void) | null = null;
	/** When the batch leaves, as long as `cancel` is set. */
	let leavesAt = Infinity;

	const flush = (): void => {
		cancel?.();
		cancel = null;
		if (to === from) return;
		const batch = { room, epoch, from, to, changes: [...pending.values()] };
		pending.clear();
		from = to;
		sentAt = timers.now();
		oldestAt = Infinity;
		send(batch);
	};

	const take = (entry: RoomEntry<C>): void => {
		if (entry.seq <= to) return;
		if (entry.seq !== to + 1) {
			// Never expected: the follower fills gaps. The batch then says honestly where it begins,
			// and every viewer before that position asks for what it missed.
			flush();
			from = entry.seq - 1;
		} else if (pending.size >= MAX_DELTA_CHANGES) flush();
		foldInto(pending, entry.changes, folding);
		to = entry.seq;
	};

	const schedule = (now: number, nearlyMs: number): void => {
		const dueAt = Math.max(sentAt + SPACING * windowMs, Math.min(oldestAt, sentAt) + windowMs);
		const at = dueAt - now <= nearlyMs ? now : dueAt;
		if (cancel !== null && at >= leavesAt) return;
		cancel?.();
		leavesAt = at;
		cancel = timers.set(flush, at - now);
	};

	return {
		add: (entries, waitedMs = 0) => {
			for (const entry of entries) take(entry);
			if (to === from) return;
			const now = timers.now();
			oldestAt = Math.min(oldestAt, now - waitedMs);
			schedule(now, waitedMs > 0 ? NEARLY_DUE_MS : 0);
		},
		sent: () => from,
		head: () => to,
		close: () => {
			cancel?.();
			cancel = null;
			pending.clear();
		}
	};
};
