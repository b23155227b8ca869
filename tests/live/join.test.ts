// Joining a room while it moves on, turn by turn: the races that a whole hub meets only by chance.
import { expect, test } from 'vitest';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { RoomBatch, RoomEntry, WireChange } from '#domain/protocol.ts';
import { createJoin } from '#server/live/join.ts';
import { createMessageQuota } from '#server/live/quotas.ts';
import { slotFolding } from '#server/live/room-batcher.ts';
import { createRooms } from '#server/live/rooms.ts';
import type { Viewer } from '#server/live/viewer.ts';
import { until } from '../support/until.ts';

const ROOM = 'dermatology:us-mt';
const HEAD = 5;
const change = (id: number): WireChange => [id as SlotId, 1 as ScheduleId, 29_000_000, 20, 1, 1];
const entry = (seq: number): RoomEntry => ({ room: ROOM, seq, changes: [change(seq)] });

const setUp = () => {
	const told: RoomEntry[] = [];
	const rooms = createRooms<WireChange>({
		namespace: '/patients',
		event: 'slots:changed',
		feed: {
			follow: () => Promise.resolve(HEAD),
			unfollow: () => {},
			entriesSince: (_room, seq) => (seq < HEAD ? null : told.filter((one) => one.seq > seq)),
			epoch: () => 'e1'
		},
		folding: slotFolding,
		onSlow: () => {},
		onFault: () => {}
	});
	const batches: RoomBatch[] = [];
	const join = createJoin<WireChange, string>(
		{
			rooms,
			folding: slotFolding,
			epoch: () => 'e1',
			readEntries: () => Promise.resolve(null),
			readHead: () => Promise.resolve(HEAD)
		},
		(_viewer, batch) => batches.push(batch)
	);
	const viewer: Viewer = {
		lane: {
			conn: {
				send: (text: string) => batches.push(JSON.parse(text.slice(text.indexOf(',') + 1))[1]),
				close: () => {},
				once: () => {}
			},
			engine: null,
			tcp: null
		},
		device: null,
		sourceId: null,
		endsAt: null,
		address: '127.0.0.1',
		quota: createMessageQuota(0),
		rooms: new Set(),
		joining: new Map(),
		roomsKey: '',
		isOpen: () => true,
		cut: () => {}
	};
	/** An entry is committed, and its batch leaves. */
	const moveOn = async (seq: number): Promise<void> => {
		told.push(entry(seq));
		rooms.take(ROOM, [entry(seq)]);
		await until(() => rooms.sent(ROOM) === seq);
	};
	return { rooms, join, viewer, batches, moveOn };
};

test('[V3] what left while the snapshot was being read follows right behind it', async () => {
	const { rooms, join, viewer, batches, moveOn } = setUp();
	const { reply, after } = await join(viewer, {
		room: ROOM,
		have: undefined,
		takeSnapshot: async () => {
			await moveOn(6);
			await moveOn(7);
			return { epoch: 'e1', seq: HEAD, value: 'as it was at 5' };
		}
	});
	expect(reply).toMatchObject({ ok: true, value: { snapshot: 'as it was at 5' } });
	expect(batches).toEqual([]);
	after?.();
	expect(batches).toEqual([
		{ room: ROOM, epoch: 'e1', from: 5, to: 7, changes: [change(6), change(7)] }
	]);
	await moveOn(8);
	expect(batches[1]).toMatchObject({ from: 7, to: 8, changes: [change(8)] });
	rooms.close();
});

test('[V3] what left while a delta was being made is in it, once', async () => {
	const { rooms, join, viewer, batches, moveOn } = setUp();
	const pin = await rooms.pin(ROOM);
	await moveOn(6);
	await moveOn(7);
	const { reply, after } = await join(viewer, {
		room: ROOM,
		have: { epoch: 'e1', seq: 6 },
		takeSnapshot: null
	});
	expect(reply).toMatchObject({
		ok: true,
		value: { kind: 'delta', batch: { from: 6, to: 7, changes: [change(7)] } }
	});
	after?.();
	expect(batches).toEqual([]);
	await moveOn(8);
	expect(batches).toMatchObject([{ from: 7, to: 8 }]);
	pin.unpin();
	rooms.close();
});
