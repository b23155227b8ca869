import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { startProcess } from '../support/processes.ts';
import { createTestRedis } from '../support/redis.ts';
import { connected, connectPatient } from './hub-world.ts';

const open = async (env: Record<string, string> = {}) => {
	const database = await createTestDatabase();
	const redis = await createTestRedis();
	const hub = await startProcess('server/main.ts', {
		env: {
			HUB_MODE: 'development',
			DATABASE_URL: database.url,
			REDIS_URL: redis.url,
			HUB_REDIS_PREFIX: redis.prefix,
			PORT: '0',
			HUB_DRAIN_MS: '1000',
			...env
		},
		ready: /"port":(\d+).*"event":"hub_ready"/
	});
	const close = async () => {
		await hub.close();
		await redis.close();
		await database.close();
	};
	return { hub, url: `http://127.0.0.1:${hub.ready[1]}`, close };
};

test('[V15] SIGTERM ends the process with exit code 0 after its viewers were told', async () => {
	const { hub, url, close } = await open();
	await using client = connectPatient({ url });
	await connected(client.socket);
	const told = new Promise<number>((resolve) =>
		client.socket.once('server:draining', ({ withinMs }) => resolve(withinMs))
	);
	const exit = hub.kill('SIGTERM');
	expect(await told).toBe(600);
	expect(await exit).toEqual({ code: 0, signal: null });
	expect(hub.output()).toMatch(/"event":"hub_closed"/);
	await close();
});

test('[X16] a page is served with the hub and the visitor on the request', async () => {
	const { url, close } = await open();
	const page = await fetch(`${url}/`, { headers: { 'accept-encoding': 'br' } });
	expect(page.status).toBe(200);
	expect(page.headers.get('content-encoding')).toBe('br');
	expect(page.headers.get('content-security-policy')).toMatch(/frame-ancestors 'none'/);
	expect(await page.text()).toMatch(/<html lang="en"/);
	await close();
});
