// Every command that a Redis server is given, by whomever, as MONITOR tells it.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { until } from './until.ts';

/** A plain socket, for it tells at once; client libraries stumble over it. Close it in the test. */
export const listenToRedis = async (url: string): Promise<{ heard: string[]; close(): void }> => {
	const heard: string[] = [];
	const { hostname, port, password } = new URL(url);
	const socket = connect(Number(port), hostname);
	const lines = createInterface({ input: socket });
	lines.on('line', (line) => {
		if (heard.length < 200_000) heard.push(line);
	});
	socket.write(`AUTH ${decodeURIComponent(password)}\r\nMONITOR\r\n`);
	await until(() => heard.length >= 2);
	expect(heard.splice(0, 2)).toEqual(['+OK', '+OK']);
	return { heard, close: () => socket.destroy() };
};
