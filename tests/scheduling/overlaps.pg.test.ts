// What a device has already at the time of a hold: told, and nothing forbidden.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import type { BookingId, DeviceKey, SlotId } from '#domain/ids.ts';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { createWorld, makeConfirm, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld({ config: { holdTtlMs: 300_000, maxHoldsPerDevice: 10 } });
});
afterAll(async () => {
	await world.close();
});

const noon = 48 * HOUR_MS;
const hold = async (device: DeviceKey, slotId: SlotId) => {
	const placed = await world.api.placeHold(device, { slotId, requestId: makeRequest() });
	if (!placed.ok) throw new Error(placed.reason);
	return placed.value.id;
};
/** The kinds of what overlaps a new hold at `noon`, 20 minutes long. */
const overlapsAtNoon = async (device: DeviceKey): Promise<string[]> => {
	const holdId = await hold(device, await world.addSlot(world.scheduleId, { inMs: noon }));
	return (await world.api.listOverlaps(device, holdId)).map(({ kind }) => kind);
};

test.each([
	['ends as it begins', -20, []],
	['ends a minute into it', -19, ['held']],
	['is at the same time', 0, ['held']],
	['begins in its last minute', 19, ['held']],
	['begins as it ends', 20, []]
])('[H17] an own hold that %s', async (_, minutes, expected) => {
	const device = makeDevice();
	const inMs = noon + minutes * MINUTE_MS;
	await hold(device, await world.addSlot(await world.addSchedule(world.sourceId), { inMs }));
	expect(await overlapsAtNoon(device)).toEqual(expected);
});

test('[H17] a confirmed visit counts, with who it is with; what was let go or is another person’s does not', async () => {
	const device = makeDevice();
	const other = await world.addSchedule(world.sourceId, { name: 'Dr. Lee' });
	const booked = await hold(device, await world.addSlot(other, { inMs: noon }));
	const made = await world.api.confirmBooking(device, makeConfirm(booked));
	expect(made.ok).toBe(true);
	const left = await hold(device, await world.addSlot(other, { inMs: noon }));
	await world.api.releaseHold(device, left);
	await hold(makeDevice(), await world.addSlot(other, { inMs: noon }));
	const holdId = await hold(device, await world.addSlot(world.scheduleId, { inMs: noon }));
	const overlaps = await world.api.listOverlaps(device, holdId);
	const [row] = await world.sql<{ name: string; startsAt: number }[]>`
		select c.practitioner_name as name, (extract(epoch from b.starts_at) * 1000)::bigint
			as "startsAt"
		from bookings b join schedules c on c.id = b.schedule_id where b.hold_id = ${booked}`;
	const { name, startsAt } = must(row, 'booking');
	expect(overlaps).toEqual([{ kind: 'booked', startsAt, practitionerName: name }]);
	expect(await world.api.listOverlaps(makeDevice(), holdId)).toEqual([]);
});

test('[U41] a device finds its visits to come, soonest first: none that is over, off or another’s', async () => {
	const device = makeDevice();
	const book = async (inMs: number): Promise<BookingId> => {
		const schedule = await world.addSchedule(world.sourceId);
		const holdId = await hold(device, await world.addSlot(schedule, { inMs }));
		const made = await world.api.confirmBooking(device, makeConfirm(holdId));
		if (!made.ok) throw new Error(made.reason);
		return made.value.id;
	};
	const [late, soon, over, off] = [
		await book(72 * HOUR_MS),
		await book(70 * HOUR_MS),
		await book(68 * HOUR_MS),
		await book(66 * HOUR_MS)
	];
	await world.sql`
		update bookings set starts_at = clock_timestamp() - interval '1 hour',
			ends_at = clock_timestamp() - interval '40 minutes' where id = ${over}`;
	await world.sql`update bookings set state = 'rejected' where id = ${off}`;
	const visits = await world.api.listVisits(device);
	expect(visits.map(({ id, state }) => [id, state])).toEqual([
		[soon, 'confirming'],
		[late, 'confirming']
	]);
	expect(await world.api.listVisits(makeDevice())).toEqual([]);
});
