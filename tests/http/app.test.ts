import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { HubApi } from '#domain/api.ts';
import { refusals } from '#domain/refusals.ts';
import { refuse } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import { createApp } from '#server/http/app.ts';
import type { AppParts } from '#server/http/app.ts';
import { addressOf, askedOf } from '#server/http/caller.ts';
import { decideReadiness } from '#server/http/health-routes.ts';
import type { Health } from '#server/http/health-routes.ts';
import { defaultLimits, limitsFor, networkOf } from '#server/http/limits.ts';
import { createOriginCheck } from '#server/http/origin.ts';
import { isUnavailable } from '#server/health.ts';
import { parseConfig } from '#server/platform/config.ts';
import { createLog } from '#server/platform/log.ts';

const health: Health = {
	postgres: 'up',
	redis: 'up',
	migrations: 'done',
	feedLagMs: null,
	feedSure: true
};

/** Every use case breaks in the given way: what a route does then is the point of these tests. */
const createBrokenHub = (error: unknown): HubApi => {
	const broken: unknown = new Proxy(
		{},
		{
			get: () => async () => {
				throw error;
			}
		}
	);
	return broken as HubApi;
};

const serve = async (over: Partial<AppParts> = {}) => {
	const lines: string[] = [];
	const destination = new Writable({
		write: (chunk: Buffer, _encoding, done) => {
			lines.push(chunk.toString());
			done();
		}
	});
	const publicUrl = over.publicUrl ?? 'http://localhost:3000';
	const app = createApp({
		hub: createBrokenHub(new Error('select secret from patients')),
		takePush: async () => refuse('push_not_signed'),
		log: createLog({ name: 'hub', level: 'info', destination }),
		clock: { now: () => toInstant(0) },
		linkKey: Buffer.alloc(32),
		isOurOrigin: createOriginCheck({ publicUrl, allowedOrigins: [] }),
		publicUrl,
		trustProxy: 0,
		health: { version: '1', isDraining: () => false, readHealth: async () => health },
		isUnavailable,
		pages: null,
		...over
	});
	const server = createServer(app).listen(0, '127.0.0.1');
	await once(server, 'listening');
	onTestFinished(async () => {
		server.closeAllConnections();
		server.close();
		await once(server, 'close');
	});
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	return { url, lines, get: (path: string, init?: RequestInit) => fetch(`${url}${path}`, init) };
};

test('[X7] a fault is answered with an id and no word of the exception, and logged under it', async () => {
	const { get, lines } = await serve();
	const reply = await get('/api/v1/holds');
	expect([reply.status, reply.headers.get('content-type')]).toEqual([
		500,
		'application/problem+json; charset=utf-8'
	]);
	const text = await reply.text();
	expect(text).not.toMatch(/select|patients|Error|\.ts/);
	const problem = JSON.parse(text);
	expect(problem).toMatchObject({ reason: 'something_broke', type: '/problems/something-broke' });
	const line = lines.find((one) => one.includes(problem.id)) ?? '';
	expect(line).toMatch(/"event":"http_fault"/);
	expect(line).not.toMatch(/select|patients/);
	expect(line).toContain(reply.headers.get('x-request-id') ?? 'none');
});

test.each([
	['ECONNREFUSED', 503],
	['42P01', 500]
])(
	'[X7] what breaks in a page (%s) is logged under the id the page shows',
	async (code, status) => {
		const { get, lines } = await serve({
			pages: (req, res) => {
				const fault = Object.assign(new Error('select secret from patients'), { code });
				const reported = req.reportFault(fault);
				res.status(reported.status).send(reported.id);
			}
		});
		const reply = await get('/board');
		expect(reply.status).toBe(status);
		const id = await reply.text();
		const line = lines.find((one) => one.includes(id)) ?? '';
		expect(line).toMatch(/"event":"page_failed"/);
		expect(line).not.toMatch(/select|patients/);
	}
);

test('[X6] the type of every problem leads to its words', async () => {
	const { get } = await serve();
	for (const [reason, { status, text }] of Object.entries(refusals)) {
		const page = await get(`/problems/${reason.replaceAll('_', '-')}`);
		expect(page.status).toBe(200);
		expect(await page.text()).toContain(`(HTTP ${status})\n\n${text}`);
	}
	for (const path of ['/problems/nothing', '/problems/__proto__', '/problems/constructor']) {
		expect((await get(path)).status).toBe(404);
	}
});

test.each([
	'ECONNREFUSED',
	'CONNECTION_CLOSED',
	'CONNECTION_ENDED',
	'CONNECT_TIMEOUT',
	'57P01',
	'57P03',
	'08006',
	'53300'
])('[X7] a database that is away (%s) is 503 with Retry-After', async (code) => {
	const { get } = await serve({ hub: createBrokenHub(Object.assign(new Error('x'), { code })) });
	const reply = await get('/api/v1/board?specialty=dermatology&region=US-MT');
	expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '5']);
	expect(await reply.json()).toMatchObject({ reason: 'busy_try_again' });
});

test.each(['23505', '42P01', undefined])('[X7] %s does not mean that it is away', (code) => {
	expect(isUnavailable(Object.assign(new Error('x'), { code }))).toBe(false);
	expect(isUnavailable(code)).toBe(false);
});

test('[X8] a quota counts down in the headers and ends in 429', async () => {
	const limits = { ...defaultLimits, address: { quota: 3, windowS: 60 } };
	const { get } = await serve({ limits });
	const replies = [];
	for (let i = 0; i < 4; i += 1) replies.push(await get('/api/v1/codes'));
	expect(replies.map((reply) => reply.status)).toEqual([200, 200, 200, 429]);
	expect(replies[0]?.headers.get('ratelimit-policy')).toBe('"address";q=3;w=60');
	expect(replies.map((reply) => reply.headers.get('ratelimit')?.match(/r=\d/)?.[0])).toEqual([
		'r=2',
		'r=1',
		'r=0',
		'r=0'
	]);
	const last = replies[3];
	expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
	expect(await last?.json()).toMatchObject({
		reason: 'too_many_requests',
		'violated-policies': ['address']
	});
	expect((await get('/healthz')).status).toBe(200);
	expect((await get('/_app/immutable/x.js')).status).toBe(404);
});

test('[X8] changes have a quota of their own, per device', async () => {
	const limits = { ...defaultLimits, changes: { quota: 1, windowS: 60 } };
	const { get } = await serve({ limits });
	const post = (secret: string) =>
		get('/api/v1/holds', { method: 'POST', headers: { cookie: `slotcast_device=${secret}` } });
	const [mine, theirs] = [crypto.randomUUID(), crypto.randomUUID()];
	expect([(await post(mine)).status, (await post(mine)).status]).toEqual([400, 429]);
	expect((await post(theirs)).status).toBe(400);
});

/** A hub that knows only how to place a hold, and counts. */
const createCountingHub = () => {
	const placed: string[] = [];
	const hub: unknown = {
		placeHold: async (device: string) => {
			placed.push(device);
			return { ok: false, reason: 'slot_past' };
		}
	};
	return { hub: hub as HubApi, placed };
};

const holdCommand = () => JSON.stringify({ slotId: 1, requestId: crypto.randomUUID() });

const nearest = Array.from({ length: 5 }, (_, index) => ({
	name: `${'Dr. "Ö" '.repeat(40)}${index}`,
	left: undefined
}));

/** A hub whose every time is taken; the same nearest times are offered to everybody. */
const createRaceHub = (): HubApi => {
	const hub: unknown = {
		placeHold: async () => refuse('slot_taken', { by: 'o\'clock "then"', left: undefined }),
		nearestOpen: async () => nearest
	};
	return hub as HubApi;
};

test('[X20] a new cookie per request does not get round the quota of holds of one address', async () => {
	const { hub, placed } = createCountingHub();
	const limits = { ...defaultLimits, holds: { quota: 2, windowS: 60 } };
	const { get } = await serve({
		hub,
		limits,
		pages: async (req, res) => {
			const command = JSON.parse(holdCommand());
			const result = await req.hub.placeHold(req.visitor.device, command);
			res.send(result.ok ? 'held' : result.reason);
		}
	});
	const json = { 'content-type': 'application/json' };
	const post = () => get('/api/v1/holds', { method: 'POST', headers: json, body: holdCommand() });
	expect((await post()).status).toBe(409);
	const form = () => get('/board?/hold', { method: 'POST', body: 'slot=1' });
	expect(await (await form()).text()).toBe('slot_past');
	const refused = await form();
	expect(await refused.text()).toBe('too_many_requests');
	expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
	const last = await post();
	expect([last.status, (await last.json()).reason]).toEqual([429, 'too_many_requests']);
	expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
	expect(new Set(placed).size).toBe(2);
});

test.each([
	['::ffff:203.0.113.9', '203.0.113.9'],
	['203.0.113.9', '203.0.113.9'],
	['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
	['2001:0DB8:1:2::9', '2001:db8:1:2::/64'],
	['::1', '0:0:0:0::/64'],
	['fe80::1%eth0', 'fe80:0:0:0::/64'],
	['unknown', 'unknown']
])('[X20] %s counts as the network %s', (address, network) => {
	expect(networkOf(address)).toBe(network);
});

test('[X20] an operator whose patients share an address may raise the quota', () => {
	const env = { HUB_MODE: 'development', DATABASE_URL: 'postgres://x/y' };
	expect(limitsFor(parseConfig(env))).toEqual(defaultLimits);
	const raised = limitsFor(parseConfig({ ...env, HUB_MAX_HOLDS_PER_ADDRESS: '400' }));
	expect(raised).toEqual({ ...defaultLimits, holds: { quota: 400, windowS: 60 } });
});

test('[X21] forms of pages share the quota of changes, and are answered by a page', async () => {
	const limits = { ...defaultLimits, changes: { quota: 1, windowS: 60 } };
	const { get } = await serve({
		limits,
		pages: (req, res) => void res.send(`${req.method} ${req.url}`)
	});
	const cookie = `slotcast_device=${crypto.randomUUID()}`;
	const post = (headers: Record<string, string> = {}) =>
		get('/board?/tell', { method: 'POST', headers: { cookie, ...headers }, body: 'a=b' });
	expect(await (await post()).text()).toBe('POST /board?/tell');
	const plain = await post();
	expect(await plain.text()).toBe('GET /too-many');
	expect(Number(plain.headers.get('retry-after'))).toBeGreaterThan(0);
	const script = await post({ 'x-sveltekit-action': 'true' });
	expect(script.status).toBe(429);
	expect(await script.json()).toMatchObject({ type: 'error', error: { status: 429 } });
	const api = await get('/api/v1/holds', { method: 'POST', headers: { cookie } });
	expect([api.status, (await api.json()).reason]).toEqual([429, 'too_many_requests']);
	expect(await (await get('/board', { headers: { cookie } })).text()).toBe('GET /board');
});

test('[X8] doors of private links may be tried only so often', async () => {
	const { get } = await serve({ limits: { ...defaultLimits, enter: { quota: 1, windowS: 60 } } });
	const statuses = [(await get('/enter?token=x')).status, (await get('/enter?token=y')).status];
	expect(statuses).toEqual([403, 429]);
});

test('[X13] every answer forbids framing and sniffing and keeps its address to itself', async () => {
	const { get } = await serve({ publicUrl: 'https://slotcast.example' });
	for (const path of ['/healthz', '/api/v1/codes', '/api/v1/holds', '/nothing', '/enter']) {
		const { headers } = await get(path);
		expect(headers.get('x-frame-options')).toBe('DENY');
		expect(headers.get('x-content-type-options')).toBe('nosniff');
		expect(headers.get('strict-transport-security')).toBe('max-age=63072000');
		expect(['same-origin', 'no-referrer']).toContain(headers.get('referrer-policy'));
		expect(headers.get('x-powered-by')).toBeNull();
	}
	const plain = await serve();
	expect((await plain.get('/healthz')).headers.get('strict-transport-security')).toBeNull();
	const { headers } = await get('/api/v1/codes');
	expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
});

test('[X25] an answer of the API carries what data needs, and what only documents heed not', async () => {
	const { get } = await serve({ pages: (_req, res) => void res.send('page') });
	const documentsOnly = [
		'cross-origin-opener-policy',
		'origin-agent-cluster',
		'x-download-options'
	];
	const sent = async (path: string) => {
		const { headers } = await get(path);
		return documentsOnly.filter((name) => headers.has(name));
	};
	expect([await sent('/api/v1/codes'), await sent('/api/v1/nothing')]).toEqual([[], []]);
	expect(await sent('/board')).toEqual(documentsOnly);
	const unknown = await get('/api/v1/nothing');
	expect([unknown.status, unknown.headers.get('cache-control')]).toEqual([404, 'no-store']);
	expect(unknown.headers.get('cross-origin-resource-policy')).toBe('same-origin');
});

test('[X25] what is read from the API is compressed, the answer to a change is not', async () => {
	const { get } = await serve({ hub: createRaceHub() });
	const init = { headers: { 'accept-encoding': 'gzip', 'content-type': 'application/json' } };
	const read = await get('/api/v1/codes', init);
	expect([read.headers.get('content-encoding'), read.headers.get('vary')]).toEqual([
		'gzip',
		'Accept-Encoding'
	]);
	const change = await get('/api/v1/holds', { ...init, method: 'POST', body: holdCommand() });
	expect([change.status, change.headers.get('content-encoding')]).toEqual([409, null]);
	expect(Number(change.headers.get('content-length'))).toBeGreaterThan(1_024);
});

test('[X26] all who lose a race are told the same times, in the same fields', async () => {
	const { get } = await serve({ hub: createRaceHub() });
	const json = { 'content-type': 'application/json' };
	const lose = async () => {
		const reply = await get('/api/v1/holds', {
			method: 'POST',
			headers: json,
			body: holdCommand()
		});
		return await reply.json();
	};
	const { status, text } = refusals.slot_taken;
	const told = {
		nearest: nearest.map(({ name }) => ({ name })),
		by: 'o\'clock "then"',
		type: '/problems/slot-taken',
		title: 'Slot taken',
		status,
		detail: text,
		reason: 'slot_taken'
	};
	expect([await lose(), await lose()]).toEqual([told, told]);
});

test('[X13] an event stream is not compressed, and leaves at once', async () => {
	const { get } = await serve({
		pages: (_req, res) => {
			res.type('text/event-stream').write('data: x\n\n');
		}
	});
	const reply = await get('/events', { headers: { 'accept-encoding': 'br' } });
	expect(reply.headers.get('content-encoding')).toBeNull();
	const reader = reply.body?.getReader();
	expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: x\n\n');
	await reader?.cancel();
});

test('[X3] over https the device cookie is marked Secure', async () => {
	const { get } = await serve({ publicUrl: 'https://slotcast.example' });
	expect((await get('/api/v1/codes')).headers.get('set-cookie')).toMatch(/; Secure$/);
});

test('[X13] assets carry few headers, and never one less than they need', async () => {
	const { get } = await serve({ pages: (_req, res) => void res.send('asset') });
	const { headers } = await get('/_app/immutable/x.js');
	expect(headers.get('x-content-type-options')).toBe('nosniff');
	expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
	expect(headers.get('origin-agent-cluster')).toBeNull();
});

test('[X3] assets carry no cookie and reach the pages', async () => {
	const { get } = await serve({ pages: (_req, res) => void res.send('asset') });
	const reply = await get('/_app/immutable/a.js');
	expect([await reply.text(), reply.headers.get('set-cookie')]).toEqual(['asset', null]);
});

test.each<[Partial<Health>, boolean, string]>([
	[{}, false, 'ready'],
	[{ redis: 'down' }, false, 'degraded'],
	[{ feedSure: false }, false, 'degraded'],
	[{ postgres: 'down' }, false, 'down'],
	[{ migrations: 'missing' }, false, 'down'],
	[{ postgres: 'down' }, true, 'draining']
])('[X10] %o, draining %s: %s', async (over, isDraining, status) => {
	expect(decideReadiness({ ...health, ...over }, isDraining)).toBe(status);
	const { get } = await serve({
		health: {
			version: '1',
			isDraining: () => isDraining,
			readHealth: async () => ({ ...health, ...over })
		}
	});
	const reply = await get('/readyz');
	expect(reply.status).toBe(status === 'ready' || status === 'degraded' ? 200 : 503);
	expect(await reply.json()).toMatchObject({ status, ...over });
});

const makeRequest = (headers: IncomingMessage['headers']): IncomingMessage =>
	({ headers, socket: { remoteAddress: '10.0.0.9' } }) as unknown as IncomingMessage;

test.each([
	[0, '1.1.1.1', '10.0.0.9'],
	[1, '1.1.1.1', '1.1.1.1'],
	[1, '6.6.6.6, 1.1.1.1', '1.1.1.1'],
	[2, '6.6.6.6, 1.1.1.1, 10.0.0.1', '1.1.1.1'],
	[3, '1.1.1.1', '1.1.1.1'],
	[1, undefined, '10.0.0.9'],
	[1, ' , ', '10.0.0.9']
])('[X11] behind %i proxies, X-Forwarded-For %s is %s', (trustProxy, header, address) => {
	const headers = header === undefined ? {} : { 'x-forwarded-for': header };
	expect(addressOf(makeRequest(headers), trustProxy)).toBe(address);
});

test('[X11] the scheme is believed from a trusted proxy only', async () => {
	const told = makeRequest({ 'x-forwarded-proto': 'http, https' });
	expect(askedOf(told, 0).secure).toBe(false);
	expect(askedOf(told, 1).secure).toBe(true);
	expect(askedOf(makeRequest({}), 1).secure).toBe(false);
	const seen: unknown[] = [];
	for (const trustProxy of [0, 1]) {
		const { get } = await serve({
			trustProxy,
			pages: (req, res) => {
				seen.push(req.headers['x-forwarded-proto']);
				res.end();
			}
		});
		await get('/', { headers: { 'x-forwarded-proto': 'https' } });
	}
	expect(seen).toEqual(['http', 'https']);
});
