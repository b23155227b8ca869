// A TCP door between patients and a hub that now and then loses what a careless network loses: the
// answer to a request that took effect, or the request itself.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Random } from '../support/random.ts';

export type LossyDoor = {
	readonly url: string;
	/** Answers and requests lost so far. */
	readonly lost: { replies: number; requests: number };
	/** From now on nothing is lost. */
	heal(): void;
	close(): Promise<void>;
};

export type DoorOptions = {
	readonly port: number;
	readonly random: Random;
	/** Share of answers, and of requests, that are lost. */
	readonly replyLoss: number;
	readonly requestLoss: number;
};

/** Opens a door to `port` on this machine. Patients ask one request at a time per connection. */
export const openLossyDoor = async (options: DoorOptions): Promise<LossyDoor> => {
	const { port, random, replyLoss, requestLoss } = options;
	const lost = { replies: 0, requests: 0 };
	let isLossy = true;
	const sockets = new Set<Socket>();
	const door = createServer((patient) => {
		const hub = connect(port, '127.0.0.1');
		const both = [patient, hub];
		const end = (): void => both.forEach((socket) => socket.destroy());
		for (const socket of both) {
			sockets.add(socket);
			socket.setNoDelay(true);
			socket.on('error', end);
			socket.on('close', () => {
				sockets.delete(socket);
				end();
			});
		}
		patient.on('data', (request) => {
			if (isLossy && random.chance(requestLoss)) {
				lost.requests += 1;
				return end();
			}
			hub.write(request);
		});
		hub.on('data', (reply) => {
			if (isLossy && random.chance(replyLoss)) {
				lost.replies += 1;
				return end();
			}
			patient.write(reply);
		});
	});
	door.listen(0, '127.0.0.1');
	await once(door, 'listening');
	return {
		url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
		lost,
		heal: () => {
			isLossy = false;
		},
		close: async () => {
			for (const socket of sockets) socket.destroy();
			door.close();
			await once(door, 'close');
		}
	};
};
