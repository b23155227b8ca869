import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import {
	createLane,
	encodeEvent,
	MAX_UNSENT_BYTES,
	MAX_UNSENT_PACKETS,
	sendTo
} from '#server/live/fan-out.ts';
import type { Lane } from '#server/live/fan-out.ts';
import { until } from '../support/until.ts';

const sizes = [0, 1, 50, 80, 90, 100, 130, 60_000, 65_400, 65_500, 65_600, 200_000];

test('[V6] a frame is what a real client reads, at every length, by either transport', async () => {
	const http = createHttpServer();
	const server = new Server(http, { maxHttpBufferSize: 1e6 });
	const lanes: Lane[] = [];
	server.of('/patients').on('connection', (socket) => lanes.push(createLane(socket.conn)));
	http.listen(0, '127.0.0.1');
	await once(http, 'listening');
	const { port } = http.address() as AddressInfo;
	const clients = [['websocket'], ['polling'], ['polling', 'websocket']].map((transports) =>
		io(`http://127.0.0.1:${port}/patients`, { transports, forceNew: true })
	);
	const got = clients.map((): unknown[] => []);
	for (const [i, client] of clients.entries()) {
		client.on('slots:changed', (batch: unknown) => got[i]?.push(batch));
	}
	await until(() => lanes.length === 3);
	await until(() => clients[2]?.io.engine.transport.name === 'websocket');
	await until(() => lanes.filter((lane) => lane.tcp !== null).length === 2);
	const sent = sizes.map((size) => ({ text: 'é'.repeat(size / 2), size }));
	for (const batch of sent) {
		const message = encodeEvent('/patients', 'slots:changed', [batch]);
		for (const lane of lanes) expect(sendTo(lane, message)).toBe(true);
	}
	for (const list of got) {
		await until(() => list.length === sizes.length);
		expect(list).toEqual(sent);
	}
	for (const client of clients) client.disconnect();
	await server.close();
});

/** An engine.io connection whose insides are as given; a real TCP socket where one is asked for. */
const makeConn = (over: Record<string, unknown> = {}) => {
	const sent: string[] = [];
	const conn = {
		readyState: 'open',
		writeBuffer: [] as unknown[],
		transport: { name: 'polling', writable: true },
		send: (text: string) => sent.push(text),
		close: () => {},
		once: () => {},
		...over
	};
	return { conn, sent };
};

const openTcp = async () => {
	const accepted: { destroy: () => void }[] = [];
	const server = createServer((socket) => accepted.push(socket.pause()));
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const tcp = connect((server.address() as AddressInfo).port, '127.0.0.1');
	await once(tcp, 'connect');
	const close = async () => {
		tcp.destroy();
		for (const socket of accepted) socket.destroy();
		server.close();
		await once(server, 'close');
	};
	return { tcp, close };
};

const message = encodeEvent('/patients', 'slots:changed', [{ room: 'a', changes: [[1, 3]] }]);

test('[V6] the public way is taken whenever the insides are not as known', async () => {
	const { tcp, close } = await openTcp();
	const webSocket = { extensions: '', _socket: tcp };
	const odd: Record<string, unknown>[] = [
		{ writeBuffer: undefined },
		{ transport: undefined },
		{ transport: { name: 'websocket', writable: true, socket: {} } },
		{ transport: { name: 'websocket', writable: true, socket: { extensions: '', _socket: {} } } },
		{
			transport: {
				name: 'websocket',
				writable: true,
				socket: { ...webSocket, extensions: 'permessage-deflate' }
			}
		},
		{ transport: { name: 'websocket', writable: false, socket: webSocket } },
		{ readyState: 'closing', transport: { name: 'websocket', writable: true, socket: webSocket } },
		{ writeBuffer: [1], transport: { name: 'websocket', writable: true, socket: webSocket } }
	];
	for (const over of odd) {
		const { conn, sent } = makeConn(over);
		expect(sendTo(createLane(conn), message)).toBe(true);
		expect(sent).toEqual([message.text]);
	}
	expect(tcp.bytesWritten).toBe(0);
	const direct = makeConn({ transport: { name: 'websocket', writable: true, socket: webSocket } });
	expect(sendTo(createLane(direct.conn), message)).toBe(true);
	expect(direct.sent).toEqual([]);
	expect(tcp.bytesWritten).toBe(message.frame.length);
	const off = createLane(direct.conn, { direct: false });
	expect(sendTo(off, message)).toBe(true);
	expect(direct.sent).toEqual([message.text]);
	await close();
});

test('[V10] more than 256 KiB unsent is told, and less is not', async () => {
	const { tcp, close } = await openTcp();
	const webSocket = { extensions: '', _socket: tcp };
	const { conn } = makeConn({
		transport: { name: 'websocket', writable: true, socket: webSocket }
	});
	const lane = createLane(conn);
	const big = encodeEvent('/patients', 'slots:changed', ['x'.repeat(10_000)]);
	let count = 0;
	while (count < 1_000 && sendTo(lane, big)) count += 1;
	expect(tcp.writableLength).toBeGreaterThan(MAX_UNSENT_BYTES);
	expect(tcp.writableLength).toBeLessThan(MAX_UNSENT_BYTES + 2 * big.frame.length);
	expect(count).toBeGreaterThan(MAX_UNSENT_BYTES / big.frame.length - 1);
	await close();
});

test('[V10] more than 1,000 unsent packets of a long-polling viewer are told', () => {
	const { conn } = makeConn({ writeBuffer: Array(MAX_UNSENT_PACKETS) });
	expect(sendTo(createLane(conn), message)).toBe(true);
	conn.writeBuffer.push(1);
	expect(sendTo(createLane(conn), message)).toBe(false);
});

test('[V6] ten changes in one batch cost at most 60 bytes each on the wire', () => {
	const changes = Array.from({ length: 10 }, (_, i) =>
		i % 2 === 0 ? [1_234_567 + i, 3] : [1_234_567 + i, 12_345, 29_654_321, 20, 1, 1]
	);
	const batch = {
		room: 'child-and-adolescent-psychiatry:us-mt',
		epoch: 'OtFnSJHPk27L',
		from: 1_234_567,
		to: 1_234_577,
		changes
	};
	const { frame } = encodeEvent('/patients', 'slots:changed', [batch]);
	expect(frame.length / changes.length).toBeLessThanOrEqual(60);
});
