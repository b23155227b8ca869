// A Redis that can be killed and comes back empty at the same address with the same password: a
// real server behind a door of ours.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { createEmbeddedRedis, type EmbeddedRedis } from '../../ops/embedded/redis.ts';
import { mustClose } from '../support/leaks.ts';

export type MortalRedis = {
	url: string;
	/** Kills the server without warning; its data are gone. */
	kill: () => Promise<void>;
	/** Starts an empty one. */
	revive: () => Promise<void>;
	close: () => Promise<void>;
};

const PASSWORD = 'the-same-after-each-restart';

const startServer = async (): Promise<EmbeddedRedis> => {
	const server = await createEmbeddedRedis({ durable: false });
	const client = new Redis(server.url);
	await client.config('SET', 'requirepass', PASSWORD);
	await client.quit();
	return server;
};

const listen = async (door: Server, port: number): Promise<number> => {
	door.listen(port, '127.0.0.1');
	await once(door, 'listening');
	const address = door.address() as AddressInfo;
	return address.port;
};

export const createMortalRedis = async (): Promise<MortalRedis & AsyncDisposable> => {
	let server: EmbeddedRedis | null = await startServer();
	const sockets = new Set<Socket>();
	const door = createServer((visitor) => {
		if (server === null) {
			visitor.destroy();
			return;
		}
		const inside = connect(server.port, '127.0.0.1');
		for (const socket of [visitor, inside]) {
			sockets.add(socket);
			socket.on('error', () => {});
			socket.on('close', () => {
				sockets.delete(socket);
				visitor.destroy();
				inside.destroy();
			});
		}
		visitor.pipe(inside).pipe(visitor);
	});
	const port = await listen(door, 0);
	const kill = async (): Promise<void> => {
		const dying = server;
		server = null;
		for (const socket of sockets) socket.destroy();
		if (dying === null) return;
		process.kill(dying.pid, 'SIGKILL');
		await dying.exited;
		await dying.close();
	};
	return mustClose('mortal redis', {
		url: `redis://:${PASSWORD}@127.0.0.1:${port}`,
		kill,
		revive: async () => {
			server = await startServer();
		},
		close: async () => {
			await kill();
			door.close();
		}
	});
};
