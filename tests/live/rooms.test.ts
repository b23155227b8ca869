import { expect, test } from 'vitest';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { RoomEntry, WireChange } from '#domain/protocol.ts';
import { createBeacon } from '#server/live/beacon.ts';
import { createMessageQuota } from '#server/live/quotas.ts';
import { slotFolding } from '#server/live/room-batcher.ts';
import { createRooms } from '#server/live/rooms.ts';
import type { Viewer } from '#server/live/viewer.ts';
import { until } from '../support/until.ts';

const ROOM = 'dermatology:us-mt';
const change = (id: number): WireChange => [id as SlotId, 1 as ScheduleId, 29_000_000, 20, 1, 1];
const entry = (seq: number): RoomEntry => ({ room: ROOM, seq, changes: [change(seq)] });

type Packet = [event: string, ...args: unknown[]];

/** A viewer whose connection only keeps what was sent. */
const makeViewer = (): Viewer & { readonly got: Packet[]; readonly bytes: () => number } => {
	const texts: string[] = [];
	const got: Packet[] = [];
	const send = (text: string) => {
		texts.push(text);
		got.push(JSON.parse(text.slice(text.indexOf(',') + 1)));
	};
	return {
		lane: { conn: { send, close: () => {}, once: () => {} }, engine: null, tcp: null },
		device: null,
		sourceId: null,
		endsAt: null,
		address: '127.0.0.1',
		quota: createMessageQuota(0),
		rooms: new Set(),
		joining: new Map(),
		roomsKey: '',
		isOpen: () => true,
		cut: () => {},
		got,
		bytes: () => texts.reduce((sum, text) => sum + text.length + 3, 0)
	};
};

/** A feed in memory: what follow answers is up to the test. */
const createFeed = () => {
	const followed: string[] = [];
	const unfollowed: string[] = [];
	const feed = {
		head: 5,
		epochNow: 'e1',
		followed,
		unfollowed,
		gate: Promise.resolve(),
		follow: async (room: string) => {
			followed.push(room);
			await feed.gate;
			return feed.head;
		},
		unfollow: (room: string) => unfollowed.push(room),
		entriesSince: () => [],
		epoch: () => feed.epochNow
	};
	return feed;
};

const setUp = (lingerMs = 60_000) => {
	const feed = createFeed();
	const faults: unknown[] = [];
	const rooms = createRooms<WireChange>({
		namespace: '/patients',
		event: 'slots:changed',
		feed,
		folding: slotFolding,
		onSlow: () => {},
		onFault: (error) => faults.push(error),
		lingerMs
	});
	return { feed, rooms, faults };
};

test('[V22] a room is followed once, and let go a while after its last viewer', async () => {
	const { feed, rooms } = setUp(1);
	const [a, b] = [makeViewer(), makeViewer()];
	const pins = await Promise.all([rooms.pin(ROOM), rooms.pin(ROOM)]);
	rooms.enter(a, ROOM);
	rooms.enter(b, ROOM);
	for (const pin of pins) pin.unpin();
	rooms.leave(a, ROOM);
	expect(feed.unfollowed).toEqual([]);
	rooms.leaveAll(b);
	await until(() => feed.unfollowed.length === 1);
	expect([feed.followed, rooms.count()]).toEqual([[ROOM], 0]);
});

test('[V22] who comes back in time finds the room still followed', async () => {
	const { feed, rooms } = setUp();
	const viewer = makeViewer();
	for (let i = 0; i < 3; i += 1) {
		const pin = await rooms.pin(ROOM);
		rooms.enter(viewer, ROOM);
		pin.unpin();
		rooms.leave(viewer, ROOM);
	}
	expect([feed.followed, feed.unfollowed]).toEqual([[ROOM], []]);
	rooms.close();
	expect(feed.unfollowed).toEqual([ROOM]);
});

test('[V3] entries that come while the head is being read are not lost', async () => {
	const { feed, rooms } = setUp();
	let open = (): void => {};
	feed.gate = new Promise((resolve) => {
		open = resolve;
	});
	const pinning = rooms.pin(ROOM);
	rooms.take(ROOM, [entry(5), entry(6)]);
	open();
	await pinning;
	const viewer = makeViewer();
	rooms.enter(viewer, ROOM);
	await until(() => viewer.got.length === 1);
	expect(viewer.got[0]?.[1]).toMatchObject({ from: 5, to: 6, changes: [change(6)] });
	rooms.close();
});

test('[V22] a feed that cannot be reached refuses the join and leaves nothing behind', async () => {
	const { feed, rooms } = setUp();
	feed.gate = Promise.reject(new Error('away'));
	await expect(rooms.pin(ROOM)).rejects.toThrow('away');
	expect(rooms.count()).toBe(0);
	feed.gate = Promise.resolve();
	await rooms.pin(ROOM);
	expect(rooms.count()).toBe(1);
	rooms.close();
});

test('[V8] after a reset the newest start counts, whatever comes back first', async () => {
	const { feed, rooms } = setUp();
	let open = (): void => {};
	feed.gate = new Promise((resolve) => {
		open = resolve;
	});
	const pinning = rooms.pin(ROOM);
	feed.gate = Promise.resolve();
	feed.head = 90;
	feed.epochNow = 'e2';
	rooms.reset(ROOM);
	open();
	const room = await pinning;
	await until(() => room.sent() === 90);
	const viewer = makeViewer();
	rooms.enter(viewer, ROOM);
	rooms.take(ROOM, [entry(91)]);
	await until(() => viewer.got.length === 1);
	expect(viewer.got[0]?.[1]).toMatchObject({ epoch: 'e2', from: 90, to: 91 });
	rooms.close();
});

test('[V6] every viewer of a room gets every batch, in whatever order others come and go', async () => {
	const { rooms } = setUp();
	await rooms.pin(ROOM);
	const viewers = Array.from({ length: 9 }, makeViewer);
	for (const viewer of viewers) rooms.enter(viewer, ROOM);
	for (const i of [0, 8, 3]) rooms.leave(viewers[i] as Viewer, ROOM);
	rooms.take(ROOM, [entry(6)]);
	await until(() => viewers.filter(({ got }) => got.length === 1).length === 6);
	expect([0, 8, 3].map((i) => viewers[i]?.got.length)).toEqual([0, 0, 0]);
	rooms.close();
});

const createBeaconOf = (sent: Map<string, number>) => {
	let isSure = true;
	const beacon = createBeacon({
		namespace: '/patients',
		epoch: () => 'OtFnSJHPk27L',
		sent: (room) => sent.get(room) ?? null,
		isSure: () => isSure,
		onSlow: () => {}
	});
	const round = () => {
		for (let i = 0; i < 10; i += 1) beacon.turn();
	};
	return {
		beacon,
		round,
		doubt: () => {
			isSure = false;
		}
	};
};

test('[V9] the beacon tells heads that moved, and once a minute all of them', () => {
	const sent = new Map([
		[ROOM, 7],
		['dermatology:us', 3]
	]);
	const { beacon, round } = createBeaconOf(sent);
	const viewer = makeViewer();
	viewer.rooms.add(ROOM).add('dermatology:us');
	viewer.roomsKey = 'both';
	beacon.add(viewer);
	round();
	round();
	sent.set(ROOM, 8);
	round();
	expect(viewer.got.map((packet) => packet[2])).toEqual([
		[
			[ROOM, 7],
			['dermatology:us', 3]
		],
		[],
		[[ROOM, 8]]
	]);
	for (let i = 0; i < 10; i += 1) round();
	expect(viewer.got.at(-1)?.[2]).toHaveLength(2);
	beacon.remove(viewer);
	round();
	expect(viewer.got.length).toBe(13);
	expect(beacon.size()).toBe(0);
});

test('[V9] an idle viewer of two rooms costs at most 60 kB an hour', () => {
	const room = 'child-and-adolescent-psychiatry:us-mt';
	const { beacon, round } = createBeaconOf(
		new Map([
			[room, 123_456],
			['child-and-adolescent-psychiatry:us', 123_456]
		])
	);
	const viewer = makeViewer();
	viewer.rooms.add(room).add('child-and-adolescent-psychiatry:us');
	beacon.add(viewer);
	for (let i = 0; i < 720; i += 1) round();
	expect(viewer.got.length).toBe(720);
	// Pings and pongs come on top: 2 × 80 × about 4 bytes.
	expect(viewer.bytes()).toBeLessThan(59_000);
});

test('[V9] a hub that is not sure says nothing', () => {
	const { beacon, round, doubt } = createBeaconOf(new Map());
	const viewer = makeViewer();
	beacon.add(viewer);
	round();
	doubt();
	round();
	expect(viewer.got.length).toBe(1);
});
