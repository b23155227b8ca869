import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadPages } from '#server/http/pages.ts';
import { DEVICE_COOKIE, deviceKeyOf } from '#server/http/session.ts';
import { startHub } from '#server/hub.ts';
import { parseConfig } from '#server/platform/config.ts';
import { createLog } from '#server/platform/log.ts';
import { makeConfirm } from '../scheduling/world.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';
import { until } from '../support/until.ts';
import { connected, connectPatient, createHubWorld } from './hub-world.ts';
import type { HubWorld } from './hub-world.ts';

let world: HubWorld;

beforeAll(async () => {
	world = await createHubWorld();
});
afterAll(() => world.close());

test('[V15] a hub that drains tells everybody, closes in waves and finishes requests', async () => {
	await using hub = await world.startHub({ env: { HUB_DRAIN_MS: '1500' } });
	const clients = [];
	const told: number[] = [];
	for (let i = 0; i < 20; i += 1) {
		const client = connectPatient(hub);
		await connected(client.socket);
		client.socket.on('server:draining', ({ withinMs }) => told.push(withinMs));
		clients.push(client);
	}
	const secret = crypto.randomUUID();
	const device = deviceKeyOf(secret);
	const hold = await world.hold(await world.addSlot(world.scheduleId), device);
	const booking = await hub.hub.confirmBooking(device, makeConfirm(hold.id));
	if (!booking.ok) throw new Error(booking.reason);
	const underWay = fetch(`${hub.url}/api/v1/bookings/${booking.value.id}?waitMs=600`, {
		headers: { cookie: `${DEVICE_COOKIE}=${secret}` }
	});
	// Connections are taken in order: once this is answered, the one before it is under way.
	await fetch(`${hub.url}/healthz`);
	const reasons: string[] = [];
	for (const { socket } of clients) socket.on('disconnect', (reason) => reasons.push(reason));
	const draining = hub.drain();
	await until(() => told.length === 20);
	expect(new Set(told)).toEqual(new Set([900]));
	await expect(fetch(`${hub.url}/healthz`)).rejects.toThrow('fetch failed');
	const reply = await underWay;
	expect([reply.status, (await reply.json()).state]).toEqual([200, 'confirming']);
	await draining;
	// `transport close`, not `io server disconnect`: after the latter a client does not come back.
	await until(() => reasons.length === 20);
	expect(new Set(reasons)).toEqual(new Set(['transport close']));
	for (const client of clients) await client.close();
});

test('[V15] a hub with nobody in it drains at once', async () => {
	await using hub = await world.startHub({ env: { HUB_DRAIN_MS: '60000' } });
	await hub.drain();
	await expect(fetch(`${hub.url}/healthz`)).rejects.toThrow('fetch failed');
});

const silent = createLog({ name: 'test', level: 'silent' });
const start = (env: Record<string, string>) =>
	startHub({
		config: parseConfig({ HUB_MODE: 'development', ...world.env, ...env }),
		log: silent,
		pages: null,
		version: '0'
	});

test('[X15] a port that is taken, and a database that is not there, refuse the start', async () => {
	const other = createServer().listen(0, '127.0.0.1');
	await once(other, 'listening');
	const { port } = other.address() as AddressInfo;
	await expect(start({ PORT: String(port) })).rejects.toMatchObject({ code: 'EADDRINUSE' });
	other.close();
	await expect(start({ DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c' })).rejects.toMatchObject({
		code: 'ECONNREFUSED'
	});
});

test('[X15] pages that are not built are told in one sentence', async () => {
	await expect(loadPages(join(projectRoot, 'no-such-folder/handler.js'))).rejects.toThrow(
		'The pages are not built: run `npm run build` first.'
	);
});

test('[X15] a wrong environment is told line by line, with exit code 1', async () => {
	const run = promisify(execFile)(process.execPath, ['server/main.ts'], {
		cwd: projectRoot,
		env: { PORT: 'many', HUB_MODE: 'production' }
	});
	const failed: unknown = await run.catch((error: unknown) => error);
	expect(failed).toMatchObject({ code: 1, stdout: '' });
	const text = String(Reflect.get(Object(failed), 'stderr'));
	expect(text).toMatch(/PORT/);
	expect(text).toMatch(/DATABASE_URL/);
	expect(text).not.toMatch(/\bat .*\.ts/);
});
