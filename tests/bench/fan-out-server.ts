// One server under measurement, in a process of its own: our hub, or stock Socket.IO with the
// Redis adapter. Tells its port, its CPU and, after a collection, its memory.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setPriority } from 'node:os';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { startHub } from '#server/hub.ts';
import { parseConfig } from '#server/platform/config.ts';
import { createLog } from '#server/platform/log.ts';

export type ServerOrder = {
	readonly kind: 'ours' | 'stock';
	readonly databaseUrl: string;
	readonly redisUrl: string;
	readonly room: string;
};

export type Usage = { readonly cpuMs: number; readonly residentBytes: number };

const startOurs = async ({ databaseUrl, redisUrl }: ServerOrder): Promise<number> => {
	const config = parseConfig({
		HUB_MODE: 'development',
		DATABASE_URL: databaseUrl,
		REDIS_URL: redisUrl,
		PORT: '0',
		HUB_MAX_SOCKETS_PER_ADDRESS: '20000',
		HUB_LOG_LEVEL: 'warn'
	});
	const log = createLog({ name: 'hub', level: config.logLevel });
	return (await startHub({ config, log, pages: null, version: 'bench' })).port;
};

const startStock = async ({ redisUrl, room }: ServerOrder): Promise<number> => {
	const http = createServer();
	const io = new Server(http, { serveClient: false, transports: ['websocket'] });
	const publishing = new Redis(redisUrl);
	io.adapter(createAdapter(publishing, publishing.duplicate()));
	io.of('/patients').on('connection', (socket) => {
		socket.on('room:join', (_request: unknown, ack: (reply: unknown) => void) => {
			void socket.join(room);
			ack({ ok: true });
		});
	});
	http.listen(0, '127.0.0.1');
	await new Promise((resolve) => http.once('listening', resolve));
	return (http.address() as AddressInfo).port;
};

const usage = async (): Promise<Usage> => {
	globalThis.gc?.();
	await new Promise((resolve) => setTimeout(resolve, 50));
	globalThis.gc?.();
	const { user, system } = process.cpuUsage();
	return { cpuMs: (user + system) / 1_000, residentBytes: process.memoryUsage().rss };
};

try {
	// Neighbours on the machine should not starve the server: it would then get its changes in
	// bursts and look cheaper than it is. Needs the right to; without it the figures are noisier.
	setPriority(-10);
} catch {
	process.stderr.write('the benchmark runs at ordinary priority\n');
}

const order: ServerOrder = JSON.parse(process.argv[2] ?? '{}');
const port = await (order.kind === 'ours' ? startOurs(order) : startStock(order));
process.on('message', (message) => {
	if (message === 'cpu') {
		const { user, system } = process.cpuUsage();
		process.send?.({ cpuMs: (user + system) / 1_000, residentBytes: 0 });
	} else if (message === 'usage') void usage().then((told) => process.send?.(told));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ port });
