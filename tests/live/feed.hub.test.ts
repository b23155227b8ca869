import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotId } from '#domain/ids.ts';
import { slotStates } from '#domain/slot.ts';
import type { ClinicChange } from '#domain/protocol.ts';
import { createDevicePublisher } from '#server/feed/device-messages.ts';
import { deviceKeyOf } from '#server/http/session.ts';
import { signLink } from '#server/http/links.ts';
import { createLog } from '#server/platform/log.ts';
import { createRedis } from '#server/platform/redis.ts';
import { developmentKeys } from '#server/platform/config-variables.ts';
import { makeConfirm, makeQuery } from '../scheduling/world.ts';
import { until } from '../support/until.ts';
import {
	connected,
	connectPatient,
	connectProvider,
	createHubWorld,
	makeCookie
} from './hub-world.ts';
import type { HubWorld, TestHub } from './hub-world.ts';
import { createView } from './view.ts';

let world: HubWorld;
let hubs: TestHub[];

beforeAll(async () => {
	world = await createHubWorld();
	hubs = [await world.startHub(), await world.startHub()];
});
afterAll(async () => {
	for (const hub of hubs) await hub.close();
	await world.close();
});

const hubAt = (i: number): TestHub => {
	const hub = hubs[i];
	if (hub === undefined) throw new Error(`no hub ${i}`);
	return hub;
};
const addSlot = async (): Promise<SlotId> => world.addSlot(await world.addSchedule(world.sourceId));
const linkKey = Buffer.from(developmentKeys.link, 'base64');
const staffCookie = (sourceId: typeof world.sourceId, ms = 60_000): string => {
	const exp = Date.now() + ms;
	return `slotcast_staff=${signLink(linkKey, { role: 'clinic', sourceId, exp }, 'session')}`;
};

test('[V20] a hold at one hub is seen at both, by WebSocket and by long-polling', async () => {
	const slotId = await addSlot();
	const clients = [
		connectPatient(hubAt(0)),
		connectPatient(hubAt(1)),
		connectPatient(hubAt(1), { transports: ['polling'] })
	];
	const views = [];
	for (const { socket } of clients) {
		await connected(socket);
		const view = createView(socket, makeQuery());
		await view.join();
		views.push(view);
	}
	await hubAt(0).hub.placeHold(deviceKeyOf('someone'), {
		slotId,
		requestId: crypto.randomUUID() as never
	});
	for (const view of views) {
		await until(() => view.states.get(slotId) === slotStates.held);
		expect(view.gaps()).toBe(0);
	}
	for (const client of clients) await client.close();
});

test('[V20] without Redis changes still arrive, and the hub says that it is degraded', async () => {
	await using lonely = await world.startHub({ env: { REDIS_URL: 'redis://127.0.0.1:1' } });
	const health = await (await fetch(`${lonely.url}/readyz`)).json();
	expect(health).toMatchObject({ status: 'degraded', redis: 'down', postgres: 'up' });
	await using client = connectPatient(lonely);
	await connected(client.socket);
	const view = createView(client.socket, makeQuery());
	await view.join();
	const slotId = await addSlot();
	await world.logSlots([slotId]);
	await until(() => view.states.get(slotId) === slotStates.open);
	const hold = await lonely.hub.placeHold(deviceKeyOf('someone else'), {
		slotId,
		requestId: crypto.randomUUID() as never
	});
	expect(hold.ok).toBe(true);
	await until(() => view.states.get(slotId) === slotStates.held);
});

test('[V9] the beacon tells the heads within seconds, and that nothing moved with few bytes', async () => {
	await using client = connectPatient(hubAt(0));
	await connected(client.socket);
	const view = createView(client.socket, makeQuery());
	await view.join();
	const slotId = await addSlot();
	await world.logSlots([slotId]);
	const end = await world.head();
	const heads: (readonly [string, number])[] = [];
	client.socket.on('rooms:heads', (_epoch, told) => heads.push(...told));
	await until(() => heads.some(([, seq]) => seq === end));
	expect(view.position().seq).toBe(end);
});

test('[V19] a hint reaches the sockets of its device and no others', async () => {
	const mine = makeCookie();
	const [tab1, tab2, stranger] = [
		connectPatient(hubAt(0), { cookie: mine }),
		connectPatient(hubAt(1), { cookie: mine }),
		connectPatient(hubAt(0))
	];
	const heard: string[] = [];
	for (const [name, { socket }] of Object.entries({ tab1, tab2, stranger })) {
		await connected(socket);
		socket.on('hold:ended', (change) => heard.push(`${name} ${change.because}`));
	}
	const redis = createRedis(world.redis.url, { role: 'publisher' });
	await until(() => redis.status === 'ready');
	const publisher = createDevicePublisher({
		redis,
		log: createLog({ name: 'test', level: 'silent' }),
		prefix: world.redis.prefix
	});
	const device = deviceKeyOf(mine.split('=')[1] ?? '');
	publisher.publish({
		device,
		event: 'hold:ended',
		payload: { holdId: crypto.randomUUID(), because: 'expired' }
	});
	await until(() => heard.length === 2);
	expect(heard.toSorted()).toEqual(['tab1 expired', 'tab2 expired']);
	await publisher.close();
	redis.disconnect();
	for (const client of [tab1, tab2, stranger]) await client.close();
});

test('[V18] a clinic sees its own holds and bookings arrive, and no other clinic does', async () => {
	const other = await world.addSource();
	await using clinic = connectProvider(hubAt(0), { cookie: staffCookie(world.sourceId) });
	await using elsewhere = connectProvider(hubAt(1), { cookie: staffCookie(other) });
	const seen: ClinicChange[] = [];
	const seenElsewhere: ClinicChange[] = [];
	for (const [{ socket }, list] of [
		[clinic, seen],
		[elsewhere, seenElsewhere]
	] as const) {
		await connected(socket);
		socket.on('clinic:changed', (batch) => list.push(...batch.changes));
		const reply = await socket.emitWithAck('clinic:join', {});
		expect(reply.ok && reply.value.kind).toBe('snapshot');
	}
	const slotId = await addSlot();
	const hold = await world.hold(slotId);
	await until(() => seen.some((change) => change.kind === 'hold' && change.held));
	const booking = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!booking.ok) throw new Error(booking.reason);
	await until(() => seen.some((change) => change.kind === 'booking'));
	expect(JSON.stringify(seen)).not.toMatch(/Rosa|Mart|555\D?0100|mole/);
	const theirs = await elsewhere.socket.emitWithAck('booking:acknowledge', {
		bookingId: booking.value.id
	});
	expect(theirs).toMatchObject({ ok: false, reason: 'booking_unknown' });
	const ours = await clinic.socket.emitWithAck('booking:acknowledge', {
		bookingId: booking.value.id
	});
	expect(ours).toEqual({ ok: true, value: null });
	expect(seenElsewhere).toEqual([]);
});

test('[V18] a clinic that comes back gets what it missed', async () => {
	const cookie = staffCookie(world.sourceId);
	await using clinic = connectProvider(hubAt(0), { cookie });
	await connected(clinic.socket);
	const first = await clinic.socket.emitWithAck('clinic:join', {});
	if (!first.ok || first.value.kind !== 'snapshot') throw new Error('a snapshot was expected');
	const { epoch, seq } = first.value.snapshot;
	clinic.socket.disconnect();
	await world.hold(await addSlot());
	await connected(clinic.socket);
	await until(async () => {
		const reply = await clinic.socket.emitWithAck('clinic:join', { have: { epoch, seq } });
		return reply.ok && reply.value.kind === 'delta' && reply.value.batch.from === seq;
	});
});

test('[V18] a console ends with its session', async () => {
	await using clinic = connectProvider(hubAt(0), { cookie: staffCookie(world.sourceId, 1_500) });
	await connected(clinic.socket);
	await until(() => clinic.socket.disconnected);
	await expect(connected(clinic.socket)).rejects.toThrow('not_allowed');
});

test('[V9] while the database is away the beacon is silent, so that viewers say "not live"', async () => {
	await using client = connectPatient(hubAt(1));
	await connected(client.socket);
	const view = createView(client.socket, makeQuery());
	await view.join();
	await world.sql`create table if not exists hidden_rooms ()`;
	await world.sql`alter table rooms rename to rooms_away`;
	try {
		await until(async () => {
			const health = await (await fetch(`${hubAt(1).url}/readyz`)).json();
			return health.feedSure === false;
		});
		const reply = await client.socket.emitWithAck('room:join', {
			room: 'dermatology:us-ca',
			query: makeQuery({ region: 'US-CA' })
		});
		expect(reply).toMatchObject({ ok: false, reason: 'something_broke' });
		expect(JSON.stringify(reply)).not.toMatch(/rooms|relation/);
	} finally {
		await world.sql`alter table rooms_away rename to rooms`;
	}
	await until(async () => {
		const health = await (await fetch(`${hubAt(1).url}/readyz`)).json();
		return health.feedSure === true;
	});
	await world.logSlots([await addSlot()]);
	await until(async () => view.position().seq === (await world.head()));
});
