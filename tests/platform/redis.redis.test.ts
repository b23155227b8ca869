import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRedis } from '#server/platform/redis.ts';
import { createTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

let shared: TestRedis;

beforeAll(async () => {
	shared = await createTestRedis();
});
afterAll(() => shared.close());

describe('a Redis that is away', () => {
	test('[S27] fails a publisher at once', async () => {
		const faults: Error[] = [];
		const redis = createRedis('redis://127.0.0.1:1', {
			role: 'publisher',
			onFault: (error) => faults.push(error)
		});
		await expect(redis.publish('a', 'b')).rejects.toThrow(/writeable|closed/);
		await until(() => faults.length > 1);
		redis.disconnect();
	});

	test.each(['subscriber', 'queue'] as const)('[S27] lets a %s wait', async (role) => {
		const redis = createRedis('redis://127.0.0.1:1', { role });
		let settled = 0;
		void redis.ping().then(
			() => (settled += 1),
			() => (settled += 1)
		);
		await until(() => redis.status === 'reconnecting');
		expect(settled).toBe(0);
		redis.disconnect();
	});
});

test('[S27] connections come back by themselves and can be told apart', async () => {
	const redis = createRedis(shared.url, { role: 'queue', name: `back-${shared.prefix}` });
	expect(await redis.set('key', 'value')).toBe('OK');
	const list = String(await shared.client.client('LIST'));
	const line = list.split('\n').find((one) => one.includes(`name=back-${shared.prefix}`));
	await shared.client.client('KILL', 'ID', Number(/^id=(\d+)/.exec(line ?? '')?.[1]));
	expect(await redis.get('key')).toBe('value');
	redis.disconnect();
});
