// A test file's own part of the run's Redis: a logical database and a name prefix.
import { inject } from 'vitest';
import { Redis } from 'ioredis';
import { mustClose } from './leaks.ts';

export type TestRedis = {
	/** Address with the number of a logical database that nobody else uses. */
	url: string;
	/** For HUB_REDIS_PREFIX: channels are not kept apart by logical databases. E.g. `t12`. */
	prefix: string;
	/** A connection to look and to disturb with. */
	client: Redis;
	close: () => Promise<void>;
};

/** An empty Redis of one's own; close it in the test or in `afterAll`. */
export const createTestRedis = async (): Promise<TestRedis & AsyncDisposable> => {
	const counter = new Redis(inject('redisUrl'), { maxRetriesPerRequest: 3 });
	const number = await counter.incr('slotcast:test-databases');
	await counter.quit();
	const url = new URL(`/${number}`, inject('redisUrl')).href;
	const client = new Redis(url, { maxRetriesPerRequest: 3 });
	return mustClose(`redis database ${number}`, {
		url,
		prefix: `t${number}`,
		client,
		close: async () => {
			await client.flushdb();
			await client.quit();
		}
	});
};

/** A connection to look into a Redis and to disturb it; close it in the test. */
export const connectRedis = (url: string): { client: Redis } & AsyncDisposable => {
	const client = new Redis(url, { maxRetriesPerRequest: 3 });
	return mustClose('redis connection', {
		client,
		close: async () => {
			client.disconnect();
			await Promise.resolve();
		}
	});
};
