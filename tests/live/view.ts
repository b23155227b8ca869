// A viewer that follows the rule of docs/protocol.md to the letter: what it knows and where it stands.
import { slotStates } from '#domain/slot.ts';
import type { Position, RoomBatch, WireChange } from '#domain/protocol.ts';
import type { BoardQuery } from '#domain/board.ts';
import type { PatientClient } from './hub-world.ts';
import { ROOM } from './hub-world.ts';

export const createView = (socket: PatientClient, query: BoardQuery | null, room = ROOM) => {
	const states = new Map<number, number>();
	const batches: RoomBatch[] = [];
	/** Batches that came while a join was being answered. */
	let early: RoomBatch[] | null = null;
	let position: Position = { epoch: '', seq: -1 };
	let gaps = 0;

	const apply = (changes: readonly WireChange[]): void => {
		for (const change of changes) {
			const state = change.length === 2 ? change[1] : change[4];
			const isShown = state === slotStates.open || state === slotStates.held;
			if (!isShown) states.delete(change[0]);
			else if (change.length === 6 || states.has(change[0])) states.set(change[0], state);
		}
	};
	const take = (batch: RoomBatch): void => {
		if (batch.epoch !== position.epoch || batch.from > position.seq) gaps += 1;
		else if (batch.to > position.seq) {
			apply(batch.changes);
			position = { epoch: batch.epoch, seq: batch.to };
		}
	};
	socket.on('slots:changed', (batch) => {
		if (batch.room !== room) return;
		batches.push(batch);
		if (early === null) take(batch);
		else early.push(batch);
	});

	/** Joins from where it stands (or from `have`); resolves to the hub's answer. */
	const join = async (have = position.seq < 0 ? undefined : position) => {
		early = [];
		const reply = await socket.emitWithAck('room:join', {
			room,
			...(query === null ? {} : { query }),
			...(have === undefined ? {} : { have })
		});
		if (reply.ok && reply.value.kind === 'snapshot') {
			const { snapshot } = reply.value;
			states.clear();
			for (const slot of snapshot.slots) states.set(slot[0], slot[4]);
			position = { epoch: snapshot.epoch, seq: snapshot.heads[room] ?? 0 };
		} else if (reply.ok) {
			if (have !== undefined) position = have;
			if (reply.value.kind === 'delta') take(reply.value.batch);
		}
		const waiting = early;
		early = null;
		for (const batch of waiting) take(batch);
		return reply;
	};

	return {
		states,
		batches,
		join,
		gaps: () => gaps,
		position: () => position,
		forget: () => {
			states.clear();
			position = { epoch: '', seq: -1 };
		}
	};
};
