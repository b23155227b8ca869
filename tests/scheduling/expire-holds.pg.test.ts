import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotId } from '#domain/ids.ts';
import { expireHolds } from '#server/scheduling/expire-holds.ts';
import { createWorld, makeConfirm, makeDevice, makeRequest, type World } from './world.ts';

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

const setSlot = (
	slotId: SlotId,
	change: { status?: string; remaining?: number; isGone?: boolean }
) =>
	world.sql`
		update slots set status = coalesce(${change.status ?? null}, status),
			remaining = coalesce(${change.remaining ?? null}, remaining),
			removed_at = case when ${change.isGone ?? false} then clock_timestamp() end
		where id = ${slotId}`;

test.each([
	['taken', { status: 'busy', remaining: 0 }, true],
	['blocked', { status: 'busy-unavailable', remaining: 0 }, true],
	['full', { remaining: 0 }, true],
	['no longer listed', { isGone: true }, true],
	['tentative', { status: 'busy-tentative', remaining: 0 }, false],
	['as before', {}, false]
])('[H43] a held time that its source calls %s', async (_name, change, isTaken) => {
	const slotId = await world.addSlot(world.scheduleId);
	const held = await world.hold(slotId);
	await setSlot(slotId, change);
	const { ended } = await expireHolds(world)(100);
	const { id: holdId, device: deviceKey } = held;
	expect(ended).toEqual(isTaken ? [{ holdId, deviceKey, isTaken: true }] : []);
	expect(await world.api.readHold(held.device, held.id)).toMatchObject({
		value: { state: isTaken ? 'expired' : 'held', isTaken }
	});
	const confirmed = await world.api.confirmBooking(held.device, makeConfirm(held.id));
	expect(confirmed.ok ? 'ok' : confirmed.reason).toBe(isTaken ? 'hold_expired' : 'ok');
	expect((await expireHolds(world)(100)).count).toBe(0);
});

test('[H43] a booking under way is left to its clinic, and a hold that ran out did just that', async () => {
	const [first, second] = [
		await world.addSlot(world.scheduleId),
		await world.addSlot(world.scheduleId)
	];
	const booking = await world.hold(first);
	await world.api.confirmBooking(booking.device, makeConfirm(booking.id));
	const old = await world.hold(second);
	await world.ageHold(old.id);
	for (const slotId of [first, second]) await setSlot(slotId, { status: 'busy', remaining: 0 });
	const { ended } = await expireHolds(world)(100);
	expect(ended).toMatchObject([{ holdId: old.id, isTaken: false }]);
	expect(await world.api.readHold(booking.device, booking.id)).toMatchObject({
		value: { state: 'confirming' }
	});
});
