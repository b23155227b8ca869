import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#server/platform/clock.ts';
import { createPostgres } from '#server/platform/postgres.ts';
import { readStatus } from '#server/scheduling/read-status.ts';
import { createWorld, makeConfirm, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const parts = {
	clock: systemClock,
	queueStatus: async () => [],
	socketCounts: () => ({ patients: 3, providers: 1, rooms: 2 }),
	feedLagMs: () => 12
};

test('[B8] the operator sees every source with its age, and what is under way', async () => {
	const silent = await world.addSource({ checkedAgoMs: null, outcome: 'timeout' });
	await world.addSlot(world.scheduleId);
	await world.addSlot(world.scheduleId, { status: 'busy' });
	await world.hold(await world.addSlot(world.scheduleId));
	const hold = await world.hold(await world.addSlot(world.scheduleId));
	await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	const status = await readStatus({ sql: world.sql, ...parts })();
	expect(status).toMatchObject({
		epoch: 'epoch-1',
		postgres: 'up',
		redis: 'up',
		feedLagMs: 12,
		liveHolds: 1,
		bookingsToday: 1,
		unsettledBookings: 1,
		sockets: { patients: 3, providers: 1, rooms: 2 }
	});
	const sources = new Map(status.sources.map((source) => [source.id, source]));
	expect(sources.get(world.sourceId)).toMatchObject({
		name: 'Big Sky Clinic',
		kind: 'fhir-slots',
		freshness: 'fresh',
		schedules: 1,
		openSlots: 1,
		suspect: false,
		emptied: null,
		recentChanges: [],
		push: null,
		refused: [],
		flags: null
	});
	expect(sources.get(silent)).toMatchObject({
		freshness: 'silent',
		lastGoodAt: null,
		lastOutcome: 'timeout',
		schedules: 0,
		openSlots: 0
	});
});

test('[B8] with Redis or Postgres away the page says so and still answers', async () => {
	const broken = () => Promise.reject(new Error('away'));
	const withoutRedis = await readStatus({ sql: world.sql, ...parts, queueStatus: broken })();
	expect(withoutRedis).toMatchObject({ postgres: 'up', redis: 'down', queues: null });
	const nowhere = createPostgres('postgres://127.0.0.1:1/none', {
		applicationName: 'test',
		max: 1
	});
	const status = await readStatus({ sql: nowhere, ...parts })();
	expect(status).toMatchObject({ postgres: 'down', redis: 'up', sources: [] });
	await nowhere.end({ timeout: 1 });
});
