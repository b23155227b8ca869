// A server whose answers a test writes line by line, and which remembers what it was asked.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { must } from '#domain/result.ts';
import { mustClose } from '../../support/leaks.ts';

export type Asked = {
	readonly method: string;
	readonly url: URL;
	readonly headers: IncomingHttpHeaders;
	readonly body: string;
};

export type Told = {
	readonly status?: number;
	readonly headers?: Readonly<Record<string, string>>;
	/** An object is sent as JSON; null ends the connection without an answer. */
	readonly body?: string | object | null;
};

/** `answer` is called for each request; what it returns is sent. */
export const startFakeServer = async (answer: (asked: Asked) => Told) => {
	const asked: Asked[] = [];
	const server = createServer((request, response) => {
		const pieces: Buffer[] = [];
		request.on('data', (piece: Buffer) => pieces.push(piece));
		request.on('end', () => {
			const one: Asked = {
				method: request.method ?? '',
				url: new URL(request.url ?? '/', 'http://fake'),
				headers: request.headers,
				body: Buffer.concat(pieces).toString()
			};
			asked.push(one);
			const told = answer(one);
			if (told.body === null) {
				response.destroy();
				return;
			}
			const { body = '' } = told;
			response.writeHead(told.status ?? 200, {
				'content-type': 'application/json',
				...told.headers
			});
			response.end(typeof body === 'string' ? body : JSON.stringify(body));
		});
	});
	await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
	const { port } = must(server.address()) as AddressInfo;
	return mustClose('fake server', {
		url: `http://127.0.0.1:${port}`,
		asked,
		close: () =>
			new Promise<void>((done) => {
				server.close(() => done());
				server.closeAllConnections();
			})
	});
};
