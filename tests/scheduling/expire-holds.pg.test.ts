import { afterAll, beforeAll, expect, test } from 'vitest';
import { expireHolds } from '#server/scheduling/expire-holds.ts';
import { createWorld, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

test('[H10] an expired hold is grantable at once, before anybody swept', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const held = await world.hold(slotId);
	await world.ageHold(held.id);
	const next = await world.hold(slotId);
	expect(next.fence).toBe(held.fence + 1);
	const { ended } = await expireHolds(world)(100);
	expect(ended.map((one) => one.holdId)).toEqual([held.id]);
	// The sweep of the old hold does not touch the new claim.
	const again = await world.api.placeHold(makeDevice(), { slotId, requestId: makeRequest() });
	expect(again).toEqual({ ok: false, reason: 'slot_taken' });
	await world.api.releaseHold(next.device, next.id);
});

test('[H11] the sweep ends each hold once, tells its device and shows the time free', async () => {
	const slots = [];
	const devices = new Set<string>();
	for (let i = 0; i < 30; i += 1) {
		const slotId = await world.addSlot(world.scheduleId);
		const held = await world.hold(slotId);
		await world.ageHold(held.id);
		slots.push(slotId);
		devices.add(held.device);
	}
	const live = await world.hold(await world.addSlot(world.scheduleId));
	const before = world.published.length;
	const reports = await Promise.all(Array.from({ length: 6 }, () => expireHolds(world)(10)));
	expect(reports.reduce((sum, report) => sum + report.count, 0)).toBe(30);
	const told = reports.flatMap((report) => report.ended);
	expect(new Set(told.map((one) => one.holdId)).size).toBe(30);
	expect(new Set(told.map((one) => one.deviceKey))).toEqual(devices);
	const opened = world.published
		.slice(before)
		.filter((entry) => entry.room === 'dermatology:us-mt')
		.flatMap((entry) => entry.changes as [number, number, number, number, number, number][]);
	expect(new Set(opened.map(([id]) => id))).toEqual(new Set<number>(slots));
	expect(opened.every((change) => change[4] === 1 && change[5] === 1)).toBe(true);
	expect((await expireHolds(world)(100)).count).toBe(0);
	expect(await world.api.readHold(live.device, live.id)).toMatchObject({
		value: { state: 'held' }
	});
});

test('[H11] what a confirmation has locked is left to it', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const held = await world.hold(slotId);
	await world.ageHold(held.id);
	await world.sql.begin(async (tx) => {
		await tx`select 1 from holds where id = ${held.id} for update`;
		expect((await expireHolds(world)(100)).count).toBe(0);
	});
	expect((await expireHolds(world)(100)).count).toBe(1);
});
