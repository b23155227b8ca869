// A hub tells how many people look at each room, so that polls go where they are.
import { expect, test } from 'vitest';
import { readViewerCounts } from '#server/feed/viewer-counts.ts';
import { makeQuery } from '../scheduling/world.ts';
import { until } from '../support/until.ts';
import { ROOM, connectPatient, connected, createHubWorld } from './hub-world.ts';

test('[Q16] two people in a room are told as two, with nothing else about them', async () => {
	await using world = await createHubWorld();
	await using hub = await world.startHub();
	await using one = connectPatient(hub);
	await using two = connectPatient(hub);
	for (const { socket } of [one, two]) {
		await connected(socket);
		const reply = await socket.emitWithAck('room:join', { room: ROOM, query: makeQuery() });
		expect(reply.ok).toBe(true);
	}
	const { client, prefix } = world.redis;
	const viewers = async () => (await readViewerCounts(client, prefix)).get(ROOM);
	// Counts are told every quarter minute.
	await until(async () => (await viewers()) === 2, { timeoutMs: 50_000 });
	const [id = ''] = await client.smembers(`${prefix}:viewers`);
	expect(await client.hgetall(`${prefix}:viewers:${id}`)).toEqual({ [ROOM]: '2' });
});
