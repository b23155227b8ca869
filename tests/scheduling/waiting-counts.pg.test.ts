// How many wait for a clinic: counted like its console counts, and told to it when that changes.
import { afterAll, beforeEach, beforeAll, expect, test } from 'vitest';
import type { JoinWaiting } from '#domain/commands.ts';
import type { SourceId } from '#domain/ids.ts';
import { clinicRoom } from '#domain/room.ts';
import { countWaiting } from '#server/scheduling/count-waiting.ts';
import { countWaiting as countNow } from '#server/store/waiting-counts.ts';
import { createWorld, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
beforeEach(async () => {
	await world.sql`truncate waiting_entries cascade`;
	await round();
	world.published.length = 0;
});
afterAll(() => world.close());

const round = () => countWaiting(world)();
const join = async (over: Partial<JoinWaiting> = {}) => {
	const device = makeDevice();
	const joined = await world.api.joinWaiting(device, {
		requestId: makeRequest(),
		specialty: 'dermatology',
		region: 'US-MT',
		scheduleId: null,
		kinds: [],
		plan: null,
		language: null,
		dayPart: 'any',
		zone: 'America/Denver',
		...over
	});
	if (!joined.ok) throw new Error(joined.reason);
	return { device, id: joined.value.id };
};
const toldTo = (source: SourceId) =>
	world.published
		.filter(({ room }) => room === clinicRoom(source))
		.flatMap(({ changes }) => changes);

test('[G15] a console is told when the number changes, once, and again when it is 0', async () => {
	const first = await join();
	await join({ kinds: ['phone'] });
	expect(await round()).toBe(1);
	expect(toldTo(world.sourceId)).toEqual([{ kind: 'waiting', count: 2 }]);
	expect(await round()).toBe(0);
	await world.api.leaveWaiting(first.device, first.id);
	await round();
	await world.sql`update waiting_entries set state = 'paused'`;
	await round();
	const counts = [2, 1, 0].map((count) => ({ kind: 'waiting', count }));
	expect(toldTo(world.sourceId)).toEqual(counts);
});

test('[G13][G15] told is what the console itself counts, at every clinic', async () => {
	const specialties = ['dermatology', 'cardiology'];
	const regions = ['US-MT', 'US-ID', 'US-WY'];
	const sources = [world.sourceId];
	for (let nr = 0; nr < 6; nr += 1) {
		const sourceId = await world.addSource();
		sources.push(sourceId);
		const some = regions.slice(nr % 3);
		await world.addSchedule(sourceId, { specialtyIds: specialties, regions: some });
		await world.addSchedule(sourceId, { specialtyIds: ['cardiology'], regions: [] });
	}
	for (const specialty of specialties) {
		for (const region of regions)
			for (let nr = 0; nr < 3; nr += 1) await join({ specialty, region });
	}
	await join({ scheduleId: world.scheduleId });
	await round();
	for (const source of sources) {
		const count = await countNow(world.sql, source);
		expect(count).toBeGreaterThan(0);
		expect(toldTo(source)).toEqual([{ kind: 'waiting', count }]);
		const clinic = await world.api.readClinic(source);
		expect(clinic.ok && clinic.value.waiting).toBe(count);
	}
});

test('[G15] many processes at once tell once', async () => {
	await join();
	await Promise.all(Array.from({ length: 6 }, round));
	expect(toldTo(world.sourceId)).toHaveLength(1);
});
