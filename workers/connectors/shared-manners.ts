// Manners that all worker processes share, kept in Redis by its own clock: together they ask a host
// no more than one would. While Redis is away each process keeps to its own.
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { OPENS_AFTER, pauseMs } from '#domain/polling/breaker.ts';
import {
	FASTER,
	SLOWER,
	SLOWEST_SHARE,
	createLocalManners,
	waitForPlace,
	type HostManners,
	type HostOutcome,
	type HostRequest,
	type HostTurn,
	type MannersOptions
} from './host-manners.ts';
import { waitFor } from './rate-limit.ts';

/** A place whose process died is free again after this; longer than any exchange. */
const PLACE_MS = 120_000;
const PROBE_MS = 60_000;
/** A host nobody asked for so long is forgotten. */
const FORGET_MS = 3_600_000;

// Replies {state, wait ms}: 0 = go after the wait, 1 = no place, 2 = the host rests, 3 = no token
// within the time given.
const ENTER = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local place, polls, most = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
local rate, burst, longest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'share', 'failures', 'sources', 'shut', 'probe')
if polls then
	redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
	if redis.call('ZCARD', KEYS[2]) >= most then return {1, 0} end
end
local rests = polls and tonumber(kept[5] or '0') >= 2
local until_ = math.max(tonumber(kept[6] or '0'), tonumber(kept[7] or '0'))
if rests and now < until_ then return {2, until_ - now} end
rate = rate * tonumber(kept[3] or '1')
local tokens = tonumber(kept[1] or burst)
tokens = math.min(burst, tokens + (now - tonumber(kept[2] or now)) / 1000 * rate)
local wait = 0
if tokens < 1 then wait = math.ceil((1 - tokens) / rate * 1000) end
if wait > longest then return {3, wait} end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - 1), 'at', now)
if rests and tonumber(kept[4] or '0') >= ${OPENS_AFTER} then
	redis.call('HSET', KEYS[1], 'probe', now + ${PROBE_MS})
end
redis.call('PEXPIRE', KEYS[1], ${FORGET_MS})
if polls then
	redis.call('ZADD', KEYS[2], now + ${PLACE_MS}, place)
	redis.call('PEXPIRE', KEYS[2], ${PLACE_MS})
end
return {0, wait}
`;

// Replies how many failures there were in a row, this one included; 0 after a good one.
const LEAVE = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREM', KEYS[2], ARGV[1])
local state, source = ARGV[2], ARGV[3]
if state == 'none' then return 0 end
local share = tonumber(redis.call('HGET', KEYS[1], 'share') or '1')
if state == 'well' then
	redis.call('HDEL', KEYS[1], 'failures', 'sources', 'last', 'shut', 'probe')
	redis.call('HSET', KEYS[1], 'share', tostring(math.min(1, share * ${FASTER})))
	return 0
end
if state == 'slow_down' then
	redis.call('HSET', KEYS[1], 'share', tostring(math.max(${SLOWEST_SHARE}, share * ${SLOWER})))
end
if redis.call('HGET', KEYS[1], 'last') ~= source then
	redis.call('HSET', KEYS[1], 'last', source)
	redis.call('HINCRBY', KEYS[1], 'sources', 1)
end
redis.call('HDEL', KEYS[1], 'probe')
redis.call('PEXPIRE', KEYS[1], ${FORGET_MS})
return redis.call('HINCRBY', KEYS[1], 'failures', 1)
`;

const SHUT = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local shut = math.max(tonumber(redis.call('HGET', KEYS[1], 'shut') or '0'), now + ARGV[1])
redis.call('HSET', KEYS[1], 'shut', string.format('%.0f', shut))
redis.call('PEXPIRE', KEYS[1], ${FORGET_MS} + ARGV[1])
return 0
`;

const EnterReply = z.tuple([z.int().min(0).max(3), z.number().min(0)]);

export type SharedParts = {
	/** A connection with role `publisher`: it fails at once while Redis is away. */
	readonly redis: Redis;
	readonly prefix: string;
};

/** What the places of all processes cost: two short calls per exchange. */
export const createSharedManners = (
	{ redis, prefix }: SharedParts,
	options: MannersOptions
): HostManners => {
	const local = createLocalManners(options);
	const now = options.now ?? (() => performance.now());
	const chance = options.chance ?? Math.random;
	const keysOf = (host: string): [string, string] => {
		const key = `${prefix}:host:{${host}}`;
		return [key, `${key}:places`];
	};

	const ask = async (request: HostRequest, place: string, leftMs: number) => {
		const { perSecond, burst, concurrency } = options;
		const reply: unknown = await redis.eval(
			ENTER,
			2,
			...keysOf(request.host),
			place,
			request.isPoll ? 1 : 0,
			concurrency,
			perSecond,
			burst,
			Math.floor(leftMs)
		);
		const [state, waitMs] = EnterReply.parse(reply);
		return { state, waitMs };
	};

	const leave = async (request: HostRequest, place: string, outcome: HostOutcome) => {
		const keys = keysOf(request.host);
		const failures = Number(
			await redis.eval(LEAVE, 2, ...keys, place, outcome.state, request.source)
		);
		if (outcome.state !== 'fault' && outcome.state !== 'slow_down') return;
		const own = failures < OPENS_AFTER ? 0 : pauseMs(failures, chance());
		const pause = Math.ceil(Math.max(own, outcome.retryAfterMs ?? 0));
		if (pause > 0) await redis.eval(SHUT, 1, keys[0], pause);
	};

	const enter = async (request: HostRequest): Promise<HostTurn> => {
		const place = randomUUID();
		const startedAt = now();
		for (;;) {
			const leftMs = Math.max(0, request.longestMs - (now() - startedAt));
			const reply = await ask(request, place, leftMs).catch(() => null);
			if (reply === null) return await local.enter({ ...request, longestMs: leftMs });
			if (reply.state === 2) return { state: 'rest', waitMs: reply.waitMs };
			if (reply.state === 3) return { state: 'full' };
			if (reply.state === 1) {
				if (await waitForPlace(startedAt, request, { now, chance })) continue;
				return { state: 'full' };
			}
			const quit = (outcome: HostOutcome): Promise<void> =>
				// A place that could not be given back runs out by itself.
				leave(request, place, outcome).catch(() => {});
			if (reply.waitMs > 0) await waitFor(reply.waitMs, request.signal);
			if (!request.signal.aborted) return { state: 'go', leave: quit };
			await quit({ state: 'none' });
			return { state: 'full' };
		}
	};
	return { enter };
};
