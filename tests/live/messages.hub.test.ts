import { defaultLimits } from '#server/http/limits.ts';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Socket } from 'socket.io-client';
import type { SlotId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { slotStates } from '#domain/slot.ts';
import { randomFrom } from '../support/random.ts';
import { until } from '../support/until.ts';
import { makeQuery } from '../scheduling/world.ts';
import { connected, connectPatient, createHubWorld, makeCookie, ROOM } from './hub-world.ts';
import type { HubWorld, TestHub } from './hub-world.ts';
import { createView } from './view.ts';

let world: HubWorld;
let hub: TestHub;
let client: ReturnType<typeof connectPatient>;
/** The same socket without our types: what a stranger may send. */
let raw: Socket;

beforeAll(async () => {
	world = await createHubWorld();
	hub = await world.startHub();
});
afterAll(async () => {
	await hub.close();
	await world.close();
});
beforeEach(async () => {
	client = connectPatient(hub);
	raw = client.socket;
	await connected(client.socket);
});
afterEach(() => client.close());

const addSlot = async (): Promise<SlotId> => world.addSlot(await world.addSchedule(world.sourceId));
/** Everybody else is served as ever. */
const hubLives = async (): Promise<void> => {
	await using other = connectPatient(hub);
	await connected(other.socket);
	const reply = await other.socket.emitWithAck('room:join', { room: ROOM, query: makeQuery() });
	expect(reply.ok).toBe(true);
	expect(Reflect.get({}, 'polluted')).toBeUndefined();
};

const events = ['room:join', 'room:leave', 'schedules:read', 'hold:place', 'hold:release'];
const deep = JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`);
const garbage: unknown[] = [
	null,
	0,
	'',
	'x'.repeat(1_000),
	[],
	[[]],
	deep,
	true,
	{},
	{ room: 1 },
	{ room: { toString: 'x' } },
	{ room: ROOM, extra: 1 },
	{ room: ROOM, have: { epoch: 'e', seq: -1 } },
	{ room: ROOM, have: { epoch: 'e', seq: 1e308 } },
	{ room: ROOM, query: { specialty: '__proto__', region: 'US-MT' } },
	{ room: '__proto__:us' },
	JSON.parse('{"__proto__":{"polluted":1},"room":"dermatology:us-mt"}'),
	JSON.parse('{"constructor":{"prototype":{"polluted":1}}}'),
	{ ids: [] },
	{ ids: Array.from({ length: 51 }, (_, i) => i + 1) },
	{ slotId: -1, requestId: 'x' },
	{ slotId: Number.MAX_SAFE_INTEGER, requestId: 'not-a-uuid' },
	{ holdId: "'; drop table holds; --" },
	Buffer.from('bytes'),
	{ room: Buffer.from('bytes') }
];

test.each(events)(
	'[V11] garbage as %s is refused with the field, nothing breaks',
	async (event) => {
		for (const payload of garbage) {
			const reply: unknown = await raw.timeout(5_000).emitWithAck(event, payload);
			expect(reply).toMatchObject({ ok: false });
			expect(['bad_request', 'unknown_room']).toContain(Reflect.get(Object(reply), 'reason'));
		}
		await hubLives();
	}
);

test('[V11] what is missing or wrong is named', async () => {
	const reply: unknown = await raw.emitWithAck('hold:place', { slotId: 'x' });
	expect(reply).toMatchObject({
		ok: false,
		reason: 'bad_request',
		details: { errors: [{ pointer: '#/slotId' }, { pointer: '#/requestId' }] }
	});
});

test('[V11] an event that does not exist is refused; one without an ack does nothing', async () => {
	expect(await raw.emitWithAck('slot:steal', {})).toEqual({ ok: false, reason: 'bad_request' });
	expect(await raw.emitWithAck('__proto__', {})).toEqual({ ok: false, reason: 'bad_request' });
	const slotId = await addSlot();
	raw.emit('hold:place', { slotId, requestId: randomUUID() });
	raw.emit('slot:steal', { slotId });
	expect(await raw.emitWithAck('room:leave', { room: ROOM })).toEqual({ ok: true, value: null });
	expect((await world.sql`select 1 from holds where slot_id = ${slotId}`).length).toBe(0);
});

test('[V11] random bytes as frames end that connection at most', async () => {
	const random = randomFrom(99);
	for (let i = 0; i < 30; i += 1) {
		await using victim = connectPatient(hub);
		await connected(victim.socket);
		const text = Array.from({ length: random.int(1, 60) }, () =>
			String.fromCharCode(random.int(32, 126))
		).join('');
		const start = random.pick(['4', '42', '42/patients,', '40/', '45', '451-', '43', '6', '']);
		victim.socket.io.engine.send(start.slice(1) + text);
	}
	await hubLives();
});

test('[V14] a frame above 16 kB closes the connection, one below is answered', async () => {
	const fits = await raw.emitWithAck('room:leave', { room: 'x'.repeat(12_000) });
	expect(fits).toMatchObject({ ok: false });
	const closed = new Promise<string>((resolve) => client.socket.once('disconnect', resolve));
	raw.emit('room:leave', { room: 'x'.repeat(20_000) });
	expect(await closed).toMatch(/transport/);
	await hubLives();
});

test('[V12] the 101st message of a minute is refused, a flood is cut, neighbours are not', async () => {
	const replies: unknown[] = [];
	let cut = '';
	client.socket.on('viewer:cut', ({ reason }) => {
		cut = reason;
	});
	const send = (count: number): void => {
		for (let i = 0; i < count; i += 1) {
			raw.emit('room:leave', { room: ROOM }, (reply: unknown) => replies.push(reply));
		}
	};
	send(101);
	await until(() => replies.length === 101);
	expect(replies.filter((reply) => Reflect.get(Object(reply), 'ok') === true).length).toBe(100);
	expect(replies).toContainEqual({ ok: false, reason: 'too_many_requests' });
	send(150);
	await until(() => client.socket.disconnected);
	expect(cut).toBe('quota');
	await hubLives();
});

test('[V14] a flood below any namespace closes the connection', async () => {
	client.socket.io.reconnection(false);
	const closed = new Promise<string>((resolve) => client.socket.once('disconnect', resolve));
	for (let i = 0; i < 500; i += 1) client.socket.io.engine.send(`0/nowhere${i},`);
	expect(await closed).toMatch(/transport/);
	await hubLives();
});

test('[V17] a device holds and releases over the socket, and everybody sees it', async () => {
	const slotId = await addSlot();
	const view = createView(client.socket, makeQuery());
	await view.join();
	const requestId = randomUUID();
	const held = await client.socket.emitWithAck('hold:place', { slotId, requestId });
	if (!held.ok) throw new Error(held.reason);
	expect(held.value).toMatchObject({ slotId, state: 'held' });
	expect(held.value.ttlMs).toBeGreaterThan(0);
	const again = await client.socket.emitWithAck('hold:place', { slotId, requestId });
	expect(again.ok && again.value.id).toBe(held.value.id);
	await using other = connectPatient(hub);
	await connected(other.socket);
	const lost = await other.socket.emitWithAck('hold:place', { slotId, requestId: randomUUID() });
	expect(lost).toMatchObject({ ok: false, reason: 'slot_taken' });
	const theirs = await other.socket.emitWithAck('hold:release', { holdId: held.value.id });
	expect(theirs).toMatchObject({ ok: false, reason: 'hold_unknown' });
	const released = await client.socket.emitWithAck('hold:release', { holdId: held.value.id });
	expect(released).toEqual({ ok: true, value: null });
	await until(() =>
		view.batches
			.flatMap((batch) => batch.changes)
			.some((change) => change[0] === slotId && change[4] === slotStates.open)
	);
});

test('[V17] a socket without a device cookie may watch but not hold', async () => {
	const slotId = await addSlot();
	for (const cookie of [undefined, 'slotcast_device=not-a-uuid']) {
		await using stranger = connectPatient(hub, {
			extraHeaders: { origin: hub.url, ...(cookie === undefined ? {} : { cookie }) }
		});
		await connected(stranger.socket);
		const held = await stranger.socket.emitWithAck('hold:place', {
			slotId,
			requestId: randomUUID()
		});
		expect(held).toEqual({ ok: false, reason: 'not_allowed' });
		const view = createView(stranger.socket, makeQuery());
		expect((await view.join()).ok).toBe(true);
	}
});

test('[V24] holds over sockets and over HTTP share one quota per address', async () => {
	const enough = { quota: 1_000_000, windowS: 60 };
	const limits = { ...defaultLimits, address: enough, changes: enough, enter: enough };
	await using strict = await world.startHub({
		limits: { ...limits, holds: { quota: 2, windowS: 60 } }
	});
	const slotId = await addSlot();
	const command = () => ({ slotId, requestId: randomUUID() });
	const over = await fetch(`${strict.url}/api/v1/holds`, {
		method: 'POST',
		headers: { 'content-type': 'application/json', cookie: makeCookie() },
		body: JSON.stringify(command())
	});
	expect(over.status).toBe(201);
	for (const reason of ['slot_taken', 'too_many_requests']) {
		await using stranger = connectPatient(strict, { cookie: makeCookie() });
		await connected(stranger.socket);
		const reply = await stranger.socket.emitWithAck('hold:place', command());
		expect(reply).toMatchObject({ ok: false, reason });
	}
});

test('[V21] viewers who ask for the same board at once share one read', async () => {
	const [before] = await world.sql<{ calls: number }[]>`
		select coalesce(sum(n_tup_ins), 0)::int as calls from pg_stat_user_tables`;
	expect(must(before).calls).toBeGreaterThanOrEqual(0);
	const clients = await Promise.all(
		Array.from({ length: 10 }, async () => {
			const one = connectPatient(hub, { cookie: makeCookie() });
			await connected(one.socket);
			return one;
		})
	);
	const replies = await Promise.all(
		clients.map(({ socket }) => socket.emitWithAck('room:join', { room: ROOM, query: makeQuery() }))
	);
	const asOf = new Set(
		replies.map((reply) => reply.ok && reply.value.kind === 'snapshot' && reply.value.snapshot.asOf)
	);
	expect(asOf.size).toBeLessThan(10);
	for (const one of clients) await one.close();
});

test('[V11] providers are read by id, at most 50 at a time', async () => {
	const reply = await client.socket.emitWithAck('schedules:read', { ids: [world.scheduleId] });
	expect(reply).toMatchObject({ ok: true, value: [{ id: world.scheduleId }] });
});
