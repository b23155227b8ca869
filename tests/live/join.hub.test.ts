import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { slotStates } from '#domain/slot.ts';
import { makeQuery } from '../scheduling/world.ts';
import { randomFrom } from '../support/random.ts';
import { until } from '../support/until.ts';
import { connected, connectPatient, createHubWorld, ROOM } from './hub-world.ts';
import type { HubWorld, TestHub } from './hub-world.ts';
import { createView } from './view.ts';

let world: HubWorld;
let hub: TestHub;
let scheduleId: ScheduleId;
let slots: SlotId[];
let client: ReturnType<typeof connectPatient>;

beforeAll(async () => {
	world = await createHubWorld();
	hub = await world.startHub();
});
afterAll(async () => {
	await hub.close();
	await world.close();
});
beforeEach(async () => {
	scheduleId = await world.addSchedule(world.sourceId);
	slots = [];
	for (let i = 0; i < 6; i += 1) slots.push(await world.addSlot(scheduleId));
	client = connectPatient(hub);
	await connected(client.socket);
});
afterEach(() => client.close());

const slot = (i: number): SlotId => must(slots[i], `slot ${i}`);
/** One provider's page: all its times, so that the snapshot is the whole truth. */
const query = () => makeQuery({ scheduleId });

const head = (): Promise<number> => world.head();

/** Until this hub has heard of everything that was committed. */
const hubCaughtUp = async (): Promise<void> => {
	const end = await head();
	await using watcher = connectPatient(hub);
	await connected(watcher.socket);
	const view = createView(watcher.socket, query());
	await view.join();
	await watcher.socket.emitWithAck('room:leave', { room: ROOM });
	// The hub answers `current` to whoever stands at its head, and a delta to one before it.
	const before = { ...view.position(), seq: end - 1 };
	await until(async () => {
		const reply = await view.join(before);
		return reply.ok && reply.value.kind !== 'current' && view.position().seq >= end;
	});
};

/** Times of the schedule as the store has them: open and held ones. */
const truth = async (): Promise<Map<number, number>> => {
	const board = await hub.hub.readBoard(query());
	return new Map(board.slots.map((wire) => [wire[0], wire[4]]));
};

test('[V8] who has nothing gets a snapshot of the query with its position', async () => {
	const view = createView(client.socket, query());
	const reply = await view.join();
	expect(reply.ok && reply.value.kind).toBe('snapshot');
	expect([...view.states.keys()]).toEqual(slots);
	expect(view.position().seq).toBe(await head());
});

test('[V8] who stands at the head is told so, and gets the next batch', async () => {
	const view = createView(client.socket, query());
	await view.join();
	await client.socket.emitWithAck('room:leave', { room: ROOM });
	const reply = await view.join();
	expect(reply).toEqual({ ok: true, value: { kind: 'current', ...view.position() } });
	await world.hold(slot(0));
	await until(() => view.states.get(slot(0)) === slotStates.held);
	expect(view.gaps()).toBe(0);
});

test('[V8] who missed a few entries gets a delta, folded', async () => {
	const view = createView(client.socket, query());
	await view.join();
	await client.socket.emitWithAck('room:leave', { room: ROOM });
	const before = view.position();
	const hold = await world.hold(slot(1));
	await world.api.releaseHold(hold.device, hold.id);
	await world.hold(slot(2));
	await hubCaughtUp();
	const reply = await view.join();
	if (!reply.ok || reply.value.kind !== 'delta') throw new Error('a delta was expected');
	const { batch } = reply.value;
	expect([batch.from, batch.epoch]).toEqual([before.seq, before.epoch]);
	expect(batch.changes.map((change) => change[0])).toEqual([slot(1), slot(2)]);
	await until(async () => (await head()) === view.position().seq);
	expect(view.states).toEqual(await truth());
});

test('[V8] a delta comes from the log when this hub has not followed so long', async () => {
	const old = { epoch: must((await hub.hub.readBoard(query())).epoch), seq: await head() };
	for (let i = 0; i < 3; i += 1) await world.logSlots([slot(i)]);
	await using other = await world.startHub();
	await using late = connectPatient(other);
	await connected(late.socket);
	const view = createView(late.socket, null);
	const reply = await view.join(old);
	if (!reply.ok || reply.value.kind !== 'delta') throw new Error('a delta was expected');
	expect(reply.value.batch.changes.map((change) => change[0])).toEqual(slots.slice(0, 3));
	expect(view.position().seq).toBe(await head());
});

test.each([
	['another epoch', async () => ({ epoch: 'another', seq: 0 })],
	['a position that the room never had', async () => ({ epoch: await epoch(), seq: 1_000_000 })]
])('[V8] %s gets a snapshot', async (_what, have) => {
	const view = createView(client.socket, query());
	const reply = await view.join(await have());
	expect(reply.ok && reply.value.kind).toBe('snapshot');
	expect(view.states).toEqual(await truth());
});

const epoch = async (): Promise<string> => (await hub.hub.readBoard(query())).epoch;

test('[V8] who is too far behind gets a snapshot, and without a query a refusal', async () => {
	const seq = await head();
	for (let i = 0; i < 6; i += 1) {
		// Each entry tells 500 different slots: more than a delta may carry.
		const changes = Array.from({ length: 500 }, (_, n) => [10_000_000 + i * 500 + n, 3]);
		await world.sql`
			with room as (
				update rooms set seq = seq + 1 where name = ${ROOM} returning id, seq
			)
			insert into change_log (room_id, seq, changes)
			select id, seq, ${JSON.stringify(changes)}::text::jsonb from room`;
	}
	const have = { epoch: await epoch(), seq };
	await hubCaughtUp();
	const bare = createView(client.socket, null);
	expect(await bare.join(have)).toEqual({ ok: false, reason: 'bad_request' });
	const view = createView(client.socket, query());
	const reply = await view.join(have);
	expect(reply.ok && reply.value.kind).toBe('snapshot');
});

test('[V8] a query of another room is refused', async () => {
	const reply = await client.socket.emitWithAck('room:join', {
		room: 'dermatology:us-ca',
		query: query()
	});
	expect(reply).toEqual({ ok: false, reason: 'bad_request' });
});

test('[V8] a new epoch makes every viewer take a new snapshot', async () => {
	const view = createView(client.socket, query());
	await view.join();
	const before = view.position();
	let told = '';
	client.socket.on('rooms:heads', (now) => {
		told = now;
	});
	await world.sql`update epochs set epoch = 'flipped' || substr(epoch, 1, 6)`;
	await until(() => told.startsWith('flipped'));
	const reply = await view.join();
	expect(reply.ok && reply.value.kind).toBe('snapshot');
	expect(view.position().epoch).not.toBe(before.epoch);
	await world.hold(slot(3));
	await until(() => view.states.get(slot(3)) === slotStates.held);
});

test('[V3] joins in the middle of commits lose nothing: every view ends as the store is', async () => {
	const random = randomFrom(7);
	const ending = new AbortController();
	const commit = async (): Promise<void> => {
		while (!ending.signal.aborted) {
			const hold = await world.hold(random.pick(slots)).catch(() => null);
			if (hold !== null && random.chance(0.8)) {
				await world.api.releaseHold(hold.device, hold.id);
			}
		}
	};
	const commits = [commit(), commit()];
	const views = [];
	const clients = [];
	for (let i = 0; i < 8; i += 1) {
		const one = connectPatient(hub);
		clients.push(one);
		await connected(one.socket);
		const view = createView(one.socket, query());
		views.push(view);
		for (let again = 0; again < 4; again += 1) {
			const reply = await view.join();
			expect(reply.ok).toBe(true);
			if (again < 3) await one.socket.emitWithAck('room:leave', { room: ROOM });
			if (again === 1) view.forget();
		}
	}
	ending.abort();
	await Promise.all(commits);
	const [end, states] = [await head(), await truth()];
	for (const view of views) {
		await until(() => view.position().seq === end);
		expect(view.states).toEqual(states);
		expect(view.gaps()).toBe(0);
	}
	for (const one of clients) await one.close();
});

test('[V7] batches reach a viewer without holes and without overlaps', async () => {
	const view = createView(client.socket, query());
	await view.join();
	const from = view.position().seq;
	for (let i = 0; i < 40; i += 1) await world.logSlots([slot(i % 6)]);
	await until(async () => view.position().seq === (await head()));
	let at = from;
	for (const batch of view.batches) {
		expect(batch.from).toBeLessThanOrEqual(at);
		if (batch !== view.batches[0]) expect(batch.from).toBe(at);
		at = batch.to;
	}
});

test('[V3] a join that was left again before its answer does not enter', async () => {
	const view = createView(client.socket, query());
	const joining = view.join();
	const leaving = client.socket.emitWithAck('room:leave', { room: ROOM });
	await Promise.all([joining, leaving]);
	const quiet = connectPatient(hub);
	await connected(quiet.socket);
	const other = createView(quiet.socket, query());
	await other.join();
	await world.hold(slot(4));
	await until(() => other.states.get(slot(4)) === slotStates.held);
	expect(view.batches).toEqual([]);
	await quiet.close();
});

test('[V16] a socket follows at most 20 rooms', async () => {
	const regions = 'al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma'.split(' ');
	const replies = await Promise.all(
		regions.map(async (region) => {
			const asked = makeQuery({ region: `US-${region.toUpperCase()}` });
			const room = `dermatology:us-${region}`;
			return await client.socket.emitWithAck('room:join', { room, query: asked });
		})
	);
	const refused = replies.filter((reply) => !reply.ok);
	expect(refused).toEqual([{ ok: false, reason: 'too_many_rooms' }]);
	await client.socket.emitWithAck('room:leave', { room: 'dermatology:us-al' });
	const again = await client.socket.emitWithAck('room:join', {
		room: ROOM,
		query: query()
	});
	expect(again.ok).toBe(true);
});

test.each([
	'dermatology:us-zz',
	'nonsense:us-mt',
	'constructor:us',
	'clinic:1',
	'dermatology',
	'a:us',
	''
])('[V16] there is no room %s', async (room) => {
	const reply = await client.socket.emitWithAck('room:join', { room, query: query() });
	expect(reply).toEqual({ ok: false, reason: 'unknown_room' });
});
