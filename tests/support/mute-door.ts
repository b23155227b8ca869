// A TCP door that can fall silent: connections stand and new ones are taken, and no byte passes,
// as with a server that is frozen or a network that drops everything.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { mustClose } from './leaks.ts';

export type MuteDoor = {
	/** The same URL, through the door. */
	url: string;
	/** Nothing passes any more, in either direction. */
	mute(): void;
	/** What was kept back goes on, where both ends are still there. */
	open(): void;
	close(): Promise<void>;
};

export const openMuteDoor = async (to: string): Promise<MuteDoor & AsyncDisposable> => {
	const { hostname, port } = new URL(to);
	let isMute = false;
	const sockets = new Set<Socket>();
	const door = createServer((visitor) => {
		const inside = connect(Number(port), hostname);
		for (const socket of [visitor, inside]) {
			sockets.add(socket);
			socket.setNoDelay(true);
			socket.on('error', () => {});
			socket.on('close', () => {
				sockets.delete(socket);
				visitor.destroy();
				inside.destroy();
			});
			if (isMute) socket.pause();
		}
		visitor.on('data', (bytes) => inside.write(bytes));
		inside.on('data', (bytes) => visitor.write(bytes));
	});
	door.listen(0, '127.0.0.1');
	await once(door, 'listening');
	const url = new URL(to);
	url.port = String((door.address() as AddressInfo).port);
	return mustClose('mute door', {
		url: url.href,
		mute: () => {
			isMute = true;
			for (const socket of sockets) socket.pause();
		},
		open: () => {
			isMute = false;
			for (const socket of sockets) socket.resume();
		},
		close: async () => {
			for (const socket of sockets) socket.destroy();
			door.close();
			await once(door, 'close');
		}
	});
};
