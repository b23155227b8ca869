import { expect, test } from 'vitest';
import { createTestRedis } from '../support/redis.ts';

test('[O5] two test parts of Redis do not see each other', async () => {
	await using one = await createTestRedis();
	await using two = await createTestRedis();
	await one.client.set('key', 'value');
	expect(await two.client.get('key')).toBeNull();
	expect(one.prefix).not.toBe(two.prefix);
});
