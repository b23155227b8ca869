// The HTTP client against servers that misbehave: what is refused, what is cut off, what is asked
// politely. Every server is a real one on 127.0.0.1.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
	createServer as createTcpServer,
	type AddressInfo,
	type LookupFunction,
	type Socket
} from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { addressKind, refusalOfUrl } from '#workers/connectors/address-guard.ts';
import { createHttpClient, type Caller, type HttpClient } from '#workers/connectors/http-client.ts';
import { cacheWordOf, retryAfterOf } from '#workers/connectors/http-headers.ts';
import { createRateLimit } from '#workers/connectors/rate-limit.ts';
import { mustClose } from '../../support/leaks.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

const serve = async (handle: Handle) => {
	const server: Server = createServer(handle);
	await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
	const { port } = must(server.address()) as AddressInfo;
	return mustClose('test server', {
		port,
		url: `http://127.0.0.1:${port}`,
		close: () =>
			new Promise<void>((done) => {
				server.close(() => done());
				server.closeAllConnections();
			})
	});
};

const clientOf = (over: Partial<Parameters<typeof createHttpClient>[0]> = {}) =>
	mustClose('http client', createHttpClient({ allowPrivate: true, deadlineMs: 10_000, ...over }));

const callerOf = (url: string, over: Partial<Caller> = {}): Caller => ({
	key: 'clinic',
	url,
	allowPrivate: true,
	...over
});

const never = new AbortController().signal;
const read = (http: HttpClient, url: string, caller = callerOf(url), headers = {}) =>
	http.read({ caller, url, headers, signal: never });

/** Counts what reaches a place that must not be reached. */
let canary: Awaited<ReturnType<typeof serve>>;
let reached = 0;
beforeEach(async () => {
	reached = 0;
	canary = await serve((_request, response) => {
		reached += 1;
		response.end('{"secret":true}');
	});
});
afterEach(() => canary.close());

test('[N10] an ordinary answer is heard with its headers, decompressed', async () => {
	await using server = await serve((request, response) => {
		expect(request.headers['user-agent']).toMatch(/^Slotcast\/\d+\.\d+\.\d+ \(\+https:\/\/.+\)$/);
		response.setHeader('content-encoding', 'gzip');
		response.setHeader('etag', '"1"');
		response.end(gzipSync('{"a":1}'));
	});
	await using http = clientOf();
	const heard = await read(http, `${server.url}/x`);
	expect(heard).toMatchObject({ ok: true, status: 200 });
	if (heard.ok) expect(heard.body.toString()).toBe('{"a":1}');
	expect(heard.bytes).toBe(gzipSync('{"a":1}').length);
});

const tricks = (
	'127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 0x7f.1 ' +
	'127.0.0.1. 127.255.255.254 0.0.0.0 0 0x0 00 10.0.0.1 10.255.255.255 0xa000001 167772161 ' +
	'012.0.0.1 172.16.0.1 172.31.255.255 2886729729 0xac100001 192.168.0.1 192.168.1.1 ' +
	'3232235521 0xc0a80001 0300.0250.0.1 192.168.257 169.254.169.254 2852039166 0xa9fea9fe ' +
	'0251.0376.0251.0376 169.254.0.1 100.64.0.1 100.127.255.255 1681915905 100.100.100.200 ' +
	'168.63.129.16 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 ' +
	'239.255.255.255 240.0.0.1 255.255.255.255 4294967295 [::1] [::] [0:0:0:0:0:0:0:1] ' +
	'[0000:0000:0000:0000:0000:0000:0000:0001] [::ffff:127.0.0.1] [::ffff:7f00:1] ' +
	'[0:0:0:0:0:ffff:127.0.0.1] [::ffff:10.0.0.1] [::ffff:a00:1] [::ffff:192.168.0.1] ' +
	'[::ffff:c0a8:1] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [::ffff:0.0.0.0] ' +
	'[::ffff:100.64.0.1] [::127.0.0.1] [::7f00:1] [::10.0.0.1] [64:ff9b::127.0.0.1] ' +
	'[64:ff9b::a00:1] [64:ff9b:1::a00:1] [2002:7f00:1::] [2002:a00:1::1] [2001:0:7f00:1::] ' +
	'[2001:db8::1] [fe80::1] [fe80::a9fe:a9fe] [febf::1] [fec0::1] [fc00::1] [fd00::1] ' +
	'[fdff:ffff::1] [fd00:ec2::254] [ff02::1] [ff0e::1] [100::1] 8.8.8.8 [2606:4700::1111] ' +
	'user@127.0.0.1 clinic.example@127.0.0.1 user:pass@clinic.example ①②⑦.⓪.⓪.① 127。0。0。1 ' +
	'１２７.0.0.1 0x7F.0X0.0.1 %31%32%37.0.0.1 127.0.0.1%2e [::1]:443 127.0.0.1#.clinic.example ' +
	'[0:0:0:0:0:0:0:0] [::ffff:0a00:0001] 0x0a.0.0.1'
).split(' ');

test('[N11] none of a hundred ways to write an address gets past the guard', async () => {
	expect(tricks.length).toBeGreaterThanOrEqual(100);
	await using http = clientOf();
	for (const host of tricks) {
		const url = `${host.endsWith(']:443') ? host : `${host}:${canary.port}`}/`;
		for (const scheme of ['https://', 'http://']) {
			// As a link somewhere in an answer, and as the very address of the source.
			for (const home of ['https://clinic.example/fhir', scheme + url]) {
				const caller = callerOf(home, { allowPrivate: false });
				const heard = await read(http, scheme + url, caller);
				const found = heard.ok ? 'heard' : `${heard.reason} ${heard.maybeSent}`;
				expect(`${url} ${found}`).toMatch(/ (refused_address|misconfigured) false$/);
			}
		}
	}
	expect(reached).toBe(0);
});

test.each([
	['8.8.8.8', 'public'],
	['2606:4700::1111', 'public'],
	['10.1.2.3', 'private'],
	['::1', 'private'],
	['::ffff:127.0.0.1', 'private'],
	['fd12::1', 'private'],
	['169.254.169.254', 'never'],
	['::ffff:169.254.169.254', 'never'],
	['fe80::1%eth0', 'never'],
	['0.0.0.0', 'never'],
	['nonsense', 'never']
])('[N11] %s is %s', (address, kind) => {
	expect(addressKind(address)).toBe(kind);
});

test('[N11] metadata and link-local stay closed even where the operator vouches', () => {
	const reach = { origin: 'http://169.254.169.254', allowPrivate: true };
	expect(refusalOfUrl(new URL('http://169.254.169.254/latest'), reach)).not.toBeNull();
});

const lookupOf =
	(answers: readonly (readonly string[])[]): LookupFunction =>
	(_hostname, _options, callback) => {
		const addresses = answers[Math.min(lookups, answers.length - 1)] ?? [];
		lookups += 1;
		callback(
			null,
			addresses.map((address) => ({ address, family: 4 }))
		);
	};
let lookups = 0;
beforeEach(() => {
	lookups = 0;
});

test('[N12] a name that leads to a private address is refused, in the first answer or the last', async () => {
	for (const answers of [[['127.0.0.1']], [['93.184.216.34', '127.0.0.1']]]) {
		await using http = clientOf({ lookup: lookupOf(answers) });
		const url = `https://clinic.example:${canary.port}/`;
		const heard = await read(http, url, callerOf(url, { allowPrivate: false }));
		expect(heard).toMatchObject({ ok: false, reason: 'refused_address', maybeSent: false });
	}
	expect(reached).toBe(0);
});

test('[N12] a name that changes its mind between two requests is refused the second time', async () => {
	await using http = clientOf({
		lookup: lookupOf([['203.0.113.5'], ['127.0.0.1']]),
		connectMs: 100
	});
	const url = `https://clinic.example:${canary.port}/`;
	for (let turn = 0; turn < 2; turn += 1) {
		const heard = await read(http, url, callerOf(url, { allowPrivate: false }));
		expect(heard.ok).toBe(false);
	}
	expect(reached).toBe(0);
});

test('[N12] an open connection of a trusted source is no way in for another source', async () => {
	await using http = clientOf({ lookup: lookupOf([['127.0.0.1']]) });
	const url = `http://clinic.example:${canary.port}/`;
	expect(await read(http, url)).toMatchObject({ ok: true });
	expect(reached).toBe(1);
	const other = callerOf(url, { key: 'other', allowPrivate: false });
	expect(await read(http, url, other)).toMatchObject({ ok: false, reason: 'refused_address' });
	const sameKey = callerOf(url, { allowPrivate: false });
	expect(await read(http, url, sameKey)).toMatchObject({ ok: false, reason: 'refused_address' });
	expect(reached).toBe(1);
});

test('[N12] what a trusted source may reach, another source at the same name may not', async () => {
	let connections = 0;
	// Speaks no TLS: that somebody came is enough.
	const server = createTcpServer((socket) => {
		connections += 1;
		socket.on('error', () => {}).destroy();
	});
	await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
	const { port } = must(server.address()) as AddressInfo;
	await using http = clientOf({ lookup: lookupOf([['127.0.0.1']]) });
	const url = `https://clinic.example:${port}/`;
	expect(await read(http, url)).toMatchObject({ ok: false, reason: 'unreachable' });
	const before = connections;
	expect(before).toBeGreaterThan(0);
	const other = callerOf(url, { key: 'other', allowPrivate: false });
	expect(await read(http, url, other)).toMatchObject({ ok: false, reason: 'refused_address' });
	expect(connections).toBe(before);
	await new Promise<void>((done) => server.close(() => done()));
});

test('[N12] the hub must permit private addresses as well as the source', async () => {
	await using http = clientOf({ allowPrivate: false });
	expect(await read(http, canary.url)).toMatchObject({ ok: false, reason: 'refused_address' });
	expect(reached).toBe(0);
});

test('[N12] a vouched-for source does not open other private places', async () => {
	await using home = await serve((_request, response) => response.end('{}'));
	await using http = clientOf();
	const heard = await read(http, canary.url, callerOf(home.url));
	expect(heard).toMatchObject({ ok: false, reason: 'refused_address' });
	expect(reached).toBe(0);
});

test('[N13] a redirect is not followed, least of all to loopback', async () => {
	await using server = await serve((_request, response) => {
		response.writeHead(302, { location: canary.url }).end();
	});
	await using http = clientOf();
	expect(await read(http, server.url)).toMatchObject({
		ok: false,
		reason: 'refused_address',
		status: 302
	});
	expect(reached).toBe(0);
});

test('[N14] a body that drips is cut off at the deadline', async () => {
	await using server = await serve((_request, response) => {
		const drip = setInterval(() => response.write(' '), 20);
		response.on('close', () => clearInterval(drip));
	});
	await using http = clientOf({ deadlineMs: 250 });
	expect(await read(http, server.url)).toMatchObject({
		ok: false,
		reason: 'timeout',
		maybeSent: true
	});
});

test('[N14] headers that drip are cut off at the deadline', async () => {
	const sockets = new Set<Socket>();
	const server = createTcpServer((socket) => {
		sockets.add(socket);
		socket.on('error', () => {}).write('HTTP/1.1 200 OK\r\nx-slow: ');
		const drip = setInterval(() => socket.write('a'), 20);
		socket.on('close', () => clearInterval(drip));
	});
	await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
	const { port } = must(server.address()) as AddressInfo;
	await using http = clientOf({ deadlineMs: 250 });
	const heard = await read(http, `http://127.0.0.1:${port}/`);
	expect(heard).toMatchObject({ ok: false, reason: 'timeout' });
	for (const socket of sockets) socket.destroy();
	await new Promise<void>((done) => server.close(() => done()));
});

test('[N14] silence after the request is a timeout, and it may have been sent', async () => {
	await using server = await serve(() => {});
	await using http = clientOf({ deadlineMs: 200 });
	expect(await read(http, server.url)).toMatchObject({ reason: 'timeout', maybeSent: true });
});

test('[N15] an endless body is cut off at the byte cap', async () => {
	await using server = await serve((_request, response) => {
		const piece = Buffer.alloc(65_536, 0x20);
		const pump = (): void => {
			while (!response.destroyed && response.write(piece));
			if (!response.destroyed) response.once('drain', pump);
		};
		pump();
	});
	await using http = clientOf({ bodyBytes: 1_000_000 });
	const heard = await read(http, server.url);
	expect(heard).toMatchObject({ ok: false, reason: 'too_large' });
	expect(heard.bytes).toBeLessThan(4_000_000);
});

test('[N15] a small body that grows when unpacked is cut off at the same cap', async () => {
	const bomb = gzipSync(Buffer.alloc(50_000_000));
	await using server = await serve((_request, response) => {
		response.setHeader('content-encoding', 'gzip').end(bomb);
	});
	await using http = clientOf({ bodyBytes: 1_000_000 });
	const before = process.memoryUsage().rss;
	expect(await read(http, server.url)).toMatchObject({ ok: false, reason: 'too_large' });
	expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576);
});

test('[N15] a declared size beyond the cap is not even read', async () => {
	await using server = await serve((_request, response) => {
		response.setHeader('content-length', 5_000_000).write('x');
	});
	await using http = clientOf({ bodyBytes: 1_000_000 });
	expect(await read(http, server.url)).toMatchObject({ ok: false, reason: 'too_large' });
});

test('[N16] 429 says how long to wait, in seconds or as a date', async () => {
	const date = new Date('2026-06-01T12:00:00Z');
	const later = new Date(date.getTime() + 90_000).toUTCString();
	for (const [value, ms] of [
		['7', 7_000],
		[later, 90_000],
		['999999', 3_600_000],
		['soon', null]
	] as const) {
		await using server = await serve((_request, response) => {
			response.sendDate = false;
			response.writeHead(429, { 'retry-after': value, date: date.toUTCString() }).end();
		});
		await using http = clientOf();
		expect(await read(http, server.url)).toMatchObject({ reason: 'throttled', retryAfterMs: ms });
	}
});

test.each([
	['-5', null],
	['1.5', null],
	['', null],
	['0', 0]
])('[N16] Retry-After %j is read as %s', (value, ms) => {
	expect(retryAfterOf({ 'retry-after': value }, 0)).toBe(ms);
});

test('[N16] max-age and immutable are read from Cache-Control', () => {
	expect(cacheWordOf({ 'cache-control': 'public, max-age=31536000, immutable' })).toEqual({
		maxAgeMs: 86_400_000,
		isImmutable: true
	});
	expect(cacheWordOf({ 'cache-control': 's-maxage=5, max-age="30"' }).maxAgeMs).toBe(30_000);
	expect(cacheWordOf({})).toEqual({ maxAgeMs: null, isImmutable: false });
});

test.each([
	[401, 'unauthorized'],
	[403, 'unauthorized'],
	[404, 'misconfigured'],
	[410, 'misconfigured'],
	[500, 'http_error'],
	[503, 'http_error'],
	[301, 'refused_address']
])('[N17] status %i is told as %s, in one sentence without the body', async (status, reason) => {
	await using server = await serve((_request, response) => {
		response.writeHead(status).end('token=s3cret');
	});
	await using http = clientOf();
	const heard = await read(http, server.url);
	expect(heard).toMatchObject({ ok: false, reason, status });
	expect(JSON.stringify(heard)).not.toContain('s3cret');
});

test('[N17] a web page in place of data is not understood', async () => {
	await using server = await serve((_request, response) => {
		response.setHeader('content-type', 'text/html').end('<html>');
	});
	await using http = clientOf();
	expect(await read(http, server.url)).toMatchObject({ ok: false, reason: 'not_understood' });
});

test('[N17] a refused connection is certain not to have been sent', async () => {
	const server = await serve(() => {});
	await server.close();
	await using http = clientOf();
	expect(await read(http, server.url)).toMatchObject({ reason: 'unreachable', maybeSent: false });
});

test('[N17] an answer that breaks off in the middle is no answer', async () => {
	await using server = await serve((_request, response) => {
		response.setHeader('content-length', 100);
		response.write('{"half":', () => response.destroy());
	});
	await using http = clientOf();
	expect(await read(http, server.url)).toMatchObject({ ok: false, reason: 'unreachable' });
});

test('[N18] a write is sent once, a read may be sent again when a kept connection was closed', async () => {
	let asked = 0;
	await using server = await serve((_request, response) => {
		asked += 1;
		response.destroy();
	});
	await using http = clientOf();
	const caller = callerOf(server.url);
	const write = { caller, url: server.url, method: 'POST', body: '{}', signal: never } as const;
	expect(await http.exchange(write)).toMatchObject({ ok: false, maybeSent: true });
	expect(asked).toBe(1);
	await read(http, server.url);
	expect(asked).toBe(3);
});

test('[N19] one host gets so many requests a second and no more', async () => {
	let now = 0;
	const waits: number[] = [];
	const rate = createRateLimit({
		perSecond: 2,
		burst: 3,
		now: () => now,
		wait: (ms) => {
			waits.push(ms);
			return Promise.resolve();
		}
	});
	for (let turn = 0; turn < 5; turn += 1) expect(await rate.take('a', 10_000, never)).toBe(true);
	expect(waits).toEqual([500, 1_000]);
	expect(await rate.take('b', 10_000, never)).toBe(true);
	expect(await rate.take('a', 100, never)).toBe(false);
	now = 10_000;
	expect(await rate.take('a', 0, never)).toBe(true);
});

test('[N19] the limit is applied to requests, not only computed', async () => {
	await using http = clientOf({ ratePerSecond: 0.001, rateBurst: 2, deadlineMs: 500 });
	expect(await read(http, canary.url)).toMatchObject({ ok: true });
	expect(await read(http, canary.url)).toMatchObject({ ok: true });
	expect(await read(http, canary.url)).toMatchObject({ reason: 'throttled', maybeSent: false });
	expect(reached).toBe(2);
});
