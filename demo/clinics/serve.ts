// A clinic's HTTP server: reads the request, lets the handler answer, and breaks the answer in the
// ways asked for. Bodies in are limited; nothing of a request is logged.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { must } from '#domain/result.ts';
import type { Ask, Handler, Reply } from './exchange.ts';
import { namesEtag } from './exchange.ts';
import type { FaultCheck, FaultRequest, Faults } from './faults.ts';

export type Served = { url: string; port: number; close: () => Promise<void> };

type ServeOptions = { handler: Handler; faults: Faults; now: () => number; port: number };

const BODY_LIMIT = 1_000_000;
const DROP_BYTES = 24;
const DROP_LIMIT = 10_000;

/** The request's body, or null when it is larger than the limit. */
const readBody = async (request: IncomingMessage): Promise<string | null> => {
	const parts: Buffer[] = [];
	let size = 0;
	for await (const part of request) {
		const bytes = Buffer.from(part as Uint8Array);
		size += bytes.length;
		if (size > BODY_LIMIT) return null;
		parts.push(bytes);
	}
	return Buffer.concat(parts).toString('utf8');
};

const plain = (status: number, text: string, headers: Record<string, string> = {}): Reply => ({
	status,
	headers: { 'content-type': 'text/html; charset=utf-8', ...headers },
	body: `<html><body><h1>${text}</h1></body></html>`
});

const throttled = (fault: FaultRequest, now: number): Reply => {
	const seconds = fault.retryAfterS ?? 2;
	const at = new Date(now + seconds * 1000).toUTCString();
	return plain(429, 'Too Many Requests', { 'retry-after': fault.asDate ? at : String(seconds) });
};

/** 304 when the asker already has this version. */
const unlessKnown = (ask: Ask, reply: Reply): Reply => {
	const { etag, 'last-modified': modified } = reply.headers;
	if (ask.method !== 'GET' || reply.status !== 200) return reply;
	const match = ask.headers['if-none-match'];
	const since = Date.parse(ask.headers['if-modified-since'] ?? '');
	const known =
		match === undefined
			? modified !== undefined && since >= Date.parse(modified)
			: etag !== undefined && namesEtag(match, etag);
	if (!known) return reply;
	const { 'content-type': _, ...headers } = reply.headers;
	return { status: 304, headers, body: '' };
};

/** Puts a raw NUL in the middle: the document, or the one line there, is no JSON any more. */
const spoil = (body: string): string => {
	const middle = Math.floor(body.length / 2);
	return `${body.slice(0, middle)}\u0000,,${body.slice(middle)}`;
};

const dripBody = (response: ServerResponse, bytes: Buffer, pauseMs: number): void => {
	let at = 0;
	let drops = 0;
	const timer = setInterval(() => {
		drops += 1;
		response.write(bytes.subarray(at, at + DROP_BYTES));
		at += DROP_BYTES;
		if (at < bytes.length && drops < DROP_LIMIT) return;
		clearInterval(timer);
		response.end();
	}, pauseMs);
	response.on('close', () => clearInterval(timer));
};

const send = (response: ServerResponse, ask: Ask, reply: Reply): void => {
	const isRead = ask.method === 'GET';
	let text =
		typeof reply.body === 'string' ? reply.body : ask.method === 'HEAD' ? '' : reply.body();
	if (isRead && text !== '' && ask.fault('invalid_json') !== undefined) text = spoil(text);
	const bytes = Buffer.from(text, 'utf8');
	const cut = isRead && bytes.length > 0 ? ask.fault('truncated_page') : undefined;
	const loris = isRead && bytes.length > 0 ? ask.fault('slow_loris') : undefined;
	const half = bytes.subarray(0, Math.floor(bytes.length / 2));
	if (loris !== undefined) {
		response.writeHead(reply.status, reply.headers);
		return dripBody(response, bytes, loris.delayMs ?? 250);
	}
	if (cut?.quiet === true) {
		response.writeHead(reply.status, reply.headers).end(half);
		return;
	}
	if (reply.status !== 304 && ask.method !== 'HEAD')
		response.setHeader('content-length', bytes.length);
	response.writeHead(reply.status, reply.headers);
	if (cut === undefined) response.end(ask.method === 'HEAD' ? undefined : bytes);
	else response.write(half, () => response.destroy());
};

const headersOf = (request: IncomingMessage): Ask['headers'] =>
	Object.fromEntries(
		Object.entries(request.headers).map(([name, value]) => [
			name,
			Array.isArray(value) ? value.join(', ') : value
		])
	);

const answer = (options: ServeOptions, ask: Ask, fault: FaultCheck): Reply => {
	if (fault('http_500') !== undefined) return plain(500, 'Internal Server Error');
	const busy = fault('http_429');
	if (busy !== undefined) return throttled(busy, options.now());
	return unlessKnown(ask, options.handler(ask));
};

/** What makes or changes an appointment; keeping a slot for a while is not worth losing. */
const isBooking = ({ method, url }: Ask): boolean =>
	method === 'POST' || (method !== 'GET' && url.pathname.includes('/Appointment/'));

const isLost = (ask: Ask, reply: Reply): boolean =>
	isBooking(ask) && reply.status < 400 && ask.fault('reply_lost') !== undefined;

const serveOne = async (
	options: ServeOptions,
	request: IncomingMessage,
	response: ServerResponse
): Promise<void> => {
	const method = request.method ?? 'GET';
	const path = request.url ?? '/';
	const fault = options.faults.forRequest(`${method} ${path}`);
	const body = await readBody(request);
	response.setHeader('date', new Date(options.now()).toUTCString());
	if (body === null) return void response.writeHead(413, { connection: 'close' }).end();
	if (fault('hang') !== undefined) return;
	const slow = fault('slow');
	if (slow !== undefined) await new Promise((go) => setTimeout(go, slow.delayMs ?? 3000));
	const url = new URL(path, `http://${request.headers.host ?? 'localhost'}`);
	const ask: Ask = { method, url, headers: headersOf(request), body, fault };
	const reply = answer(options, ask, fault);
	if (isLost(ask, reply)) return void response.destroy();
	send(response, ask, reply);
};

const listen = (server: Server, port: number): Promise<void> =>
	new Promise((done, fail) => {
		server.once('error', fail);
		server.listen(port, '127.0.0.1', () => {
			server.off('error', fail);
			done();
		});
	});

/** Serves `handler` on 127.0.0.1; port 0 takes a free one. Rejects when the port is taken. */
export const createServed = async (options: ServeOptions): Promise<Served> => {
	const server = createServer((request, response) => {
		serveOne(options, request, response).catch(() => {
			if (!response.headersSent) response.writeHead(500);
			response.end();
		});
	});
	await listen(server, options.port);
	const address = must(server.address(), 'address');
	const port = typeof address === 'string' ? options.port : address.port;
	return {
		port,
		url: `http://127.0.0.1:${port}`,
		close: () =>
			new Promise((done) => {
				server.close(() => done());
				server.closeAllConnections();
			})
	};
};
