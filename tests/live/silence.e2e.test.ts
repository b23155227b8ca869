// A Postgres that stands still under a running hub: nobody is kept waiting, and nobody is told
// anything that is not known.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadPages } from '#server/http/pages.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';
import { openMuteDoor } from '../support/mute-door.ts';
import { until } from '../support/until.ts';
import { connected, connectPatient, createHubWorld, makeCookie } from './hub-world.ts';

const BOARD = '?specialty=dermatology&region=US-MT';

test('[X28] while Postgres is silent everybody is told to come back, at once, and then served', async () => {
	await using world = await createHubWorld();
	await using door = await openMuteDoor(world.database.url);
	const slot = await world.addSlot(world.scheduleId);
	await using hub = await world.startHub({
		env: { DATABASE_URL: door.url },
		pages: await loadPages(join(projectRoot, 'build/handler.js'))
	});
	await using client = connectPatient(hub);
	await connected(client.socket);
	const headers = { cookie: makeCookie(), accept: 'text/html' };
	const get = (path: string) => fetch(`${hub.url}${path}`, { headers });
	expect((await get(`/board${BOARD}`)).status).toBe(200);

	door.mute();
	// Who was already waiting is answered as well.
	const waiting = await Promise.all([get(`/board${BOARD}`), get(`/api/v1/slots/${slot}`)]);
	expect(waiting.map(({ status }) => status)).toEqual([503, 503]);
	await until(() => hub.lines.some((line) => line.includes('"event":"postgres_silent"')));

	const [board, api, home, alive, ready] = await Promise.all(
		[`/board${BOARD}`, `/api/v1/slots/${slot}`, '/', '/healthz', '/readyz'].map(get)
	);
	expect([board, api, home, alive, ready].map((reply) => reply?.status)).toEqual([
		503, 503, 200, 200, 503
	]);
	expect(await board?.text()).toContain('We are busy for a moment');
	expect(await api?.json()).toMatchObject({ reason: 'busy_try_again' });
	const hold = { slotId: slot, requestId: crypto.randomUUID() };
	expect(await client.socket.emitWithAck('hold:place', hold)).toMatchObject({
		ok: false,
		reason: 'busy_try_again'
	});

	door.open();
	await until(async () => (await get('/readyz')).status === 200);
	expect((await get(`/board${BOARD}`)).status).toBe(200);
	expect(hub.lines.filter((line) => line.includes('"event":"postgres_silent"'))).toHaveLength(1);
	expect(hub.lines.filter((line) => line.includes('"event":"postgres_answers"'))).toHaveLength(1);
});
