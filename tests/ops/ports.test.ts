import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { findFreePort, isPortFree } from '../../ops/embedded/ports.ts';

const listen = async (port: number) => {
	const server = createServer().listen(port, '127.0.0.1');
	await once(server, 'listening');
	const close = async () => {
		server.close();
		await once(server, 'close');
	};
	return { server, port: (server.address() as AddressInfo).port, close };
};

test('[O27] a free port can be listened on, and then it is taken', async () => {
	const port = await findFreePort();
	const listener = await listen(port);
	expect(port).toBeGreaterThan(1_023);
	expect(await isPortFree(port)).toBe(false);
	await listener.close();
	expect(await isPortFree(port)).toBe(true);
});

test('[O27] no connection going out takes a port that was found free', async () => {
	const door = await listen(0);
	const sockets: Socket[] = [];
	door.server.on('connection', (socket) => sockets.push(socket));
	for (let nr = 0; nr < 50; nr += 1) {
		const socket = connect(door.port, '127.0.0.1');
		await once(socket, 'connect');
		sockets.push(socket);
	}
	const found = await Promise.all(Array.from({ length: 50 }, () => findFreePort()));
	const lowestOutgoing = Math.min(
		...sockets.map((socket) => socket.localPort ?? 0).filter((port) => port !== door.port)
	);
	expect(Math.max(...found)).toBeLessThan(lowestOutgoing);
	for (const socket of sockets) socket.destroy();
	await door.close();
});
