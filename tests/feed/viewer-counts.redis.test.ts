// Viewers per room, told by hubs to whoever plans polls.
import { expect, onTestFinished, test } from 'vitest';
import { createViewerCounts, readViewerCounts } from '#server/feed/viewer-counts.ts';
import { createTestRedis } from '../support/redis.ts';

test('[Q16] counts of all hubs are added; what is told again replaces what was told', async () => {
	await using redis = await createTestRedis();
	const rooms = {
		one: new Map([['a:us-mt', 3]]),
		two: new Map([
			['a:us-mt', 2],
			['b:us-mt', 1]
		])
	};
	const hubs = (['one', 'two'] as const).map((id) =>
		createViewerCounts({ redis: redis.client, prefix: redis.prefix, id, read: () => rooms[id] })
	);
	onTestFinished(() => hubs.forEach((hub) => hub.close()));
	await Promise.all(hubs.map((hub) => hub.tell()));
	const read = async () => Object.fromEntries(await readViewerCounts(redis.client, redis.prefix));
	expect(await read()).toEqual({ 'a:us-mt': 5, 'b:us-mt': 1 });
	rooms.two = new Map([['a:us-mt', 4]]);
	await hubs[1]?.tell();
	expect(await read()).toEqual({ 'a:us-mt': 7 });
});

test('[Q16] counts run out by themselves, and a Redis that is away means that nobody is known', async () => {
	await using redis = await createTestRedis();
	const { client, prefix } = redis;
	const hub = createViewerCounts({
		redis: client,
		prefix,
		id: 'one',
		read: () => new Map([['a', 1]])
	});
	onTestFinished(() => hub.close());
	await hub.tell();
	const left = await client.pttl(`${prefix}:viewers:one`);
	expect(left).toBeGreaterThan(0);
	expect(left).toBeLessThanOrEqual(60_000);
	await client.del(`${prefix}:viewers:one`);
	expect((await readViewerCounts(client, prefix)).size).toBe(0);
	expect(await client.smembers(`${prefix}:viewers`)).toEqual([]);
	const away = client.duplicate({ lazyConnect: true, enableOfflineQueue: false });
	expect((await readViewerCounts(away, prefix)).size).toBe(0);
	away.disconnect();
});
