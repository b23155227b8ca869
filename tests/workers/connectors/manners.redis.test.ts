// Manners towards hosts: shared by worker processes through a real Redis, and alone without it. Two
// clients stand for two processes.
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { OPENS_AFTER } from '#domain/polling/breaker.ts';
import { createRedis } from '#server/platform/redis.ts';
import {
	createLocalManners,
	type HostManners,
	type HostOutcome,
	type HostRequest,
	type MannersOptions
} from '#workers/connectors/host-manners.ts';
import { createHttpClient } from '#workers/connectors/http-client.ts';
import { createSharedManners } from '#workers/connectors/shared-manners.ts';
import { createTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const usual: MannersOptions = { perSecond: 1_000, burst: 1_000, concurrency: 1, chance: () => 0.5 };

const makeRequest = (over: Partial<HostRequest> = {}): HostRequest => ({
	host: 'a.example',
	source: 'one',
	isPoll: true,
	longestMs: 0,
	signal: new AbortController().signal,
	...over
});

const enter = async (manners: HostManners, over: Partial<HostRequest> = {}) =>
	await manners.enter(makeRequest(over));

const leave = async (
	manners: HostManners,
	outcome: HostOutcome,
	over: Partial<HostRequest> = {}
) => {
	const turn = await enter(manners, { longestMs: 20_000, ...over });
	if (turn.state === 'go') await turn.leave(outcome);
	return turn.state;
};

const fault: HostOutcome = { state: 'fault', retryAfterMs: null };

/** Two processes' manners over one Redis. */
const createPair = async (redis: TestRedis, over: Partial<MannersOptions> = {}) => {
	const connections = [1, 2].map(() => createRedis(redis.url, { role: 'publisher' }));
	onTestFinished(() => connections.forEach((connection) => connection.disconnect()));
	await until(() => connections.every(({ status }) => status === 'ready'));
	const [a, b] = connections.map((connection) =>
		createSharedManners({ redis: connection, prefix: redis.prefix }, { ...usual, ...over })
	);
	if (a === undefined || b === undefined) throw new Error('no pair');
	return { a, b, connections };
};

const alone = (over: Partial<MannersOptions> = {}): { a: HostManners; b: HostManners } => {
	const manners = createLocalManners({ ...usual, ...over });
	return { a: manners, b: manners };
};

const kinds = ['shared', 'local'] as const;
const open = async (kind: (typeof kinds)[number], over: Partial<MannersOptions> = {}) => {
	if (kind === 'local') return alone(over);
	const redis = await createTestRedis();
	onTestFinished(() => redis.close());
	return await createPair(redis, over);
};

test.each(kinds)(
	'[Q17] %s: one poll of a host at a time; a booking does not wait',
	async (kind) => {
		const { a, b } = await open(kind);
		const first = await enter(a);
		expect(first.state).toBe('go');
		expect((await enter(b)).state).toBe('full');
		expect((await enter(b, { host: 'b.example' })).state).toBe('go');
		expect((await enter(b, { isPoll: false })).state).toBe('go');
		const waiting = enter(b, { longestMs: 20_000 });
		if (first.state === 'go') await first.leave({ state: 'well' });
		expect((await waiting).state).toBe('go');
	}
);

test.each(kinds)('[Q17] %s: the bucket of a host is one for all', async (kind) => {
	const { a, b } = await open(kind, { perSecond: 0.001, burst: 4, concurrency: 10 });
	const states: string[] = [];
	for (const manners of [a, b, a, b, a, b]) states.push((await enter(manners)).state);
	expect(states).toEqual(['go', 'go', 'go', 'go', 'full', 'full']);
	expect((await enter(a, { host: 'b.example' })).state).toBe('go');
});

test.each(kinds)(
	'[Q12][Q17] %s: failures of several sources give the host a rest, then one probe',
	async (kind) => {
		const { a, b } = await open(kind, { chance: () => 0, concurrency: 5 });
		for (let i = 0; i < OPENS_AFTER; i += 1) {
			expect(await leave(i % 2 === 0 ? a : b, fault, { source: `s${i}` })).toBe('go');
		}
		const rest = await enter(b);
		expect(rest.state).toBe('rest');
		if (rest.state === 'rest') expect(rest.waitMs).toBeLessThanOrEqual(3_000);
		expect((await enter(b, { isPoll: false })).state).toBe('go');
		// The pause of a host whose chance was least is three seconds.
		let probe = rest;
		await until(async () => (probe = await enter(a)).state === 'go', { timeoutMs: 20_000 });
		expect((await enter(b)).state).toBe('rest');
		if (probe.state === 'go') await probe.leave({ state: 'well' });
		expect((await enter(b)).state).toBe('go');
	}
);

test.each(kinds)('[Q17] %s: one source that fails alone rests nobody', async (kind) => {
	const { a, b } = await open(kind);
	for (let i = 0; i < 6; i += 1) await leave(a, fault);
	expect(await leave(b, { state: 'well' }, { source: 'two' })).toBe('go');
});

test.each(kinds)(
	'[Q17] %s: what a host asks of several sources is kept for all of them',
	async (kind) => {
		const { a, b } = await open(kind);
		const throttled: HostOutcome = { state: 'slow_down', retryAfterMs: 3_600_000 };
		await leave(a, throttled, { source: 'one' });
		await leave(a, throttled, { source: 'two' });
		const rest = await enter(b, { source: 'three' });
		expect(rest.state).toBe('rest');
		if (rest.state === 'rest') expect(rest.waitMs).toBeGreaterThan(3_500_000);
	}
);

test.each(kinds)(
	'[Q17] %s: each "slow down" halves the rate, good answers give it back',
	async (kind) => {
		const { a, b } = await open(kind, { perSecond: 0.02, burst: 1 });
		const slow: HostOutcome = { state: 'slow_down', retryAfterMs: null };
		const isPoll = false;
		/** A token takes 50 s at full rate. */
		const wouldGo = async (longestMs: number) => {
			const controller = new AbortController();
			controller.abort();
			const turn = await enter(b, { isPoll, longestMs, signal: controller.signal });
			return turn.state;
		};
		const turn = await enter(a, { isPoll });
		if (turn.state === 'go') await turn.leave(slow);
		// Half the rate: a hundred seconds for the next token.
		expect(await wouldGo(70_000)).toBe('full');
	}
);

test('[Q17] the share of a host falls by halves and rises slowly', async () => {
	await using redis = await createTestRedis();
	const { a, b } = await createPair(redis);
	const share = async () =>
		Number(await redis.client.hget(`${redis.prefix}:host:{a.example}`, 'share'));
	for (let i = 0; i < 3; i += 1) await leave(a, { state: 'slow_down', retryAfterMs: null });
	expect(await share()).toBeCloseTo(0.125, 5);
	await leave(b, { state: 'well' });
	expect(await share()).toBeCloseTo(0.131, 2);
	for (let i = 0; i < 20; i += 1) await leave(a, { state: 'slow_down', retryAfterMs: null });
	expect(await share()).toBeCloseTo(0.01, 5);
});

test('[Q18] while Redis is away each process keeps to its own manners', async () => {
	const away = new Redis('redis://127.0.0.1:1', {
		lazyConnect: true,
		enableOfflineQueue: false,
		maxRetriesPerRequest: 0,
		retryStrategy: () => null
	});
	away.on('error', () => {});
	onTestFinished(() => away.disconnect());
	const manners = createSharedManners({ redis: away, prefix: 'gone' }, usual);
	const first = await enter(manners);
	expect(first.state).toBe('go');
	expect((await enter(manners)).state).toBe('full');
	if (first.state === 'go') await first.leave({ state: 'well' });
	expect((await enter(manners)).state).toBe('go');
});

test('[Q18] Redis keeps hosts and numbers only, and forgets them', async () => {
	await using redis = await createTestRedis();
	const { a } = await createPair(redis);
	await leave(a, fault);
	const key = `${redis.prefix}:host:{a.example}`;
	expect(Object.keys(await redis.client.hgetall(key)).toSorted()).toEqual(
		[
			'at',
			'failures',
			'last',
			'sources',
			'tokens',
			...((await redis.client.hexists(key, 'share')) === 1 ? ['share'] : [])
		].toSorted()
	);
	expect(await redis.client.pttl(key)).toBeGreaterThan(0);
});

test('[Q17] two clients of a host that says 429 slow down together and then leave it alone', async () => {
	await using redis = await createTestRedis();
	const { a, b } = await createPair(redis);
	let asked = 0;
	const server = createServer((_request, response) => {
		asked += 1;
		response.writeHead(429, { 'retry-after': '600' }).end();
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	onTestFinished(async () => void (await new Promise((done) => server.close(done))));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/feed`;
	const clients = [a, b].map((manners) => createHttpClient({ allowPrivate: true, manners }));
	onTestFinished(async () => void (await Promise.all(clients.map((client) => client.close()))));
	const { signal } = new AbortController();
	for (let i = 0; i < 10; i += 1) {
		const caller = { key: `source-${i}`, url, allowPrivate: true };
		const heard = await clients[i % 2]?.read({ caller, url, signal });
		expect(heard).toMatchObject({ ok: false, reason: 'throttled' });
		if (i >= 2) expect(heard).toMatchObject({ maybeSent: false });
	}
	expect(asked).toBe(2);
});
