// Many viewers in one process of their own: each follows one room; notes when the last of a room's
// viewers got each entry.
import { io } from 'socket.io-client';
import { PROTOCOL_VERSION, type RoomBatch } from '#domain/protocol.ts';

type Order = { url: string; viewers: number; rooms: readonly string[]; epoch: string };

const order: Order = JSON.parse(process.argv[2] ?? '{}');
const inRoom = new Map<string, number>();
const arrived = new Map<string, { count: number; last: number }>();

const note = (batch: RoomBatch): void => {
	const at = performance.timeOrigin + performance.now();
	for (let seq = batch.from + 1; seq <= batch.to; seq += 1) {
		const key = `${batch.room} ${seq}`;
		const known = arrived.get(key) ?? { count: 0, last: 0 };
		arrived.set(key, { count: known.count + 1, last: Math.max(known.last, at) });
	}
};

const join = (nth: number): Promise<void> =>
	new Promise((resolve, reject) => {
		const room = order.rooms[nth % order.rooms.length] ?? '';
		inRoom.set(room, (inRoom.get(room) ?? 0) + 1);
		const socket = io(`${order.url}/patients`, {
			auth: { protocol: PROTOCOL_VERSION },
			transports: ['websocket'],
			forceNew: true
		});
		socket.on('slots:changed', note);
		socket.on('connect_error', reject);
		socket.on('connect', () => {
			socket.emit('room:join', { room, have: { epoch: order.epoch, seq: 0 } }, () => resolve());
		});
	});

for (let begun = 0; begun < order.viewers; begun += 50) {
	const some = Math.min(50, order.viewers - begun);
	await Promise.all(Array.from({ length: some }, (_, nth) => join(begun + nth)));
}
process.send?.('ready');

process.on('message', () => {
	// What is still on its way has a second to arrive; what has not by then counts as lost.
	setTimeout(() => {
		const last: Record<string, number> = {};
		for (const [key, { count, last: at }] of arrived) {
			if (count === inRoom.get(key.split(' ')[0] ?? '')) last[key] = at;
		}
		process.send?.({ last, viewers: order.viewers });
	}, 1_000);
});
