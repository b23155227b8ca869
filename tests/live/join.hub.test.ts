import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotId } from '#domain/ids.ts';
import type { RoomBatch, WireChange } from '#domain/protocol.ts';
import { makeQuery } from '../scheduling/world.ts';
import { until } from '../support/until.ts';
import { connected, connectPatient, createHubWorld, ROOM } from './hub-world.ts';
import type { HubWorld, PatientClient, TestHub } from './hub-world.ts';

let world: HubWorld;
let hub: TestHub;
let slots: SlotId[];

beforeAll(async () => {
	world = await createHubWorld();
	hub = await world.startHub();
	slots = [];
	for (let i = 0; i < 8; i += 1) slots.push(await world.addSlot(world.scheduleId));
});
afterAll(async () => {
	await hub.close();
	await world.close();
});

const query = makeQuery();

/** What a viewer knows: slot → state, and its position; applies batches by the rule of the docs. */
const createView = (socket: PatientClient) => {
	const states = new Map<number, number>();
	const batches: RoomBatch[] = [];
	const view = { states, batches, epoch: '', seq: -1, gaps: 0 };
	const apply = (changes: readonly WireChange[]) => {
		for (const change of changes) {
			states.set(change[0], change.length === 2 ? change[1] : change[4]);
		}
	};
	const take = (batch: RoomBatch) => {
		if (batch.from > view.seq || batch.epoch !== view.epoch) view.gaps += 1;
		else if (batch.to > view.seq) {
			apply(batch.changes);
			view.seq = batch.to;
		}
	};
	socket.on('slots:changed', (batch) => {
		batches.push(batch);
		if (view.seq >= 0) take(batch);
	});
	const join = async (have?: { epoch: string; seq: number }) => {
		const request = { room: ROOM, query, ...(have === undefined ? {} : { have }) };
		const reply = await socket.emitWithAck('room:join', request);
		if (!reply.ok) throw new Error(reply.reason);
		const { value } = reply;
		if (value.kind === 'snapshot') {
			states.clear();
			for (const slot of value.snapshot.slots) states.set(slot[0], slot[4]);
			view.epoch = value.snapshot.epoch;
			view.seq = value.snapshot.heads[ROOM] ?? 0;
		} else if (value.kind === 'delta') take(value.batch);
		return value;
	};
	return { ...view, view, states, batches, join };
};

test('[V8] who has nothing gets a snapshot of the query', async () => {
	await using client = connectPatient(hub);
	await connected(client.socket);
	const { join } = createView(client.socket);
	const reply = await join();
	expect(reply.kind).toBe('snapshot');
	if (reply.kind !== 'snapshot') return;
	expect(reply.snapshot.slots.map((slot) => slot[0]).toSorted((a, b) => a - b)).toEqual(
		slots.slice(0, 6)
	);
});

test('[V20] a hold reaches a viewer of the room', async () => {
	await using client = connectPatient(hub);
	await connected(client.socket);
	const { join, view, states } = createView(client.socket);
	await join();
	const held = await world.hold(slots[0] as SlotId);
	await until(() => states.get(held.slotId) === 2);
	expect(view.gaps).toBe(0);
});
