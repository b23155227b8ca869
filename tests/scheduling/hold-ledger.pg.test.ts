// Checker C1 in small: many devices fight for few slots, and the ledger that is left behind must
// show that no two claims ever overlapped.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotId } from '#domain/ids.ts';
import { expireHolds } from '#server/scheduling/expire-holds.ts';
import { placeHold } from '#server/store/holds.ts';
import { seededRandom } from '../support/random.ts';
import { createWorld, makeConfirm, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

type Grant = { slotId: number; fence: number; from: number; to: number; requests: number };

const readLedger = () =>
	world.sql<Grant[]>`
		select h.slot_id as "slotId", h.fence,
			extract(epoch from h.placed_at) * 1e6 as "from",
			extract(epoch from least(h.expires_at, coalesce(h.ended_at, 'infinity'))) * 1e6 as "to",
			(select count(*) from requests r where r.reply ->> 'id' = h.id::text) as requests
		from holds h order by h.slot_id, h.fence`;

test('[H5] over 50 hot slots fences rise, claims never overlap, every grant has one cause', async () => {
	const random = seededRandom();
	const slots: SlotId[] = [];
	for (let i = 0; i < 50; i += 1) slots.push(await world.addSlot(world.scheduleId));
	const granted: { slotId: SlotId; fence: number }[] = [];
	const patient = async () => {
		for (let step = 0; step < 40; step += 1) {
			const device = makeDevice();
			const slotId = random.pick(slots);
			const asked = { device, slotId, requestId: makeRequest() };
			// Short enough to run out while others ask: expiry races with everything else.
			const limits = { ttlMs: random.int(1, 20), maxLive: 2, maxPerHour: 20 };
			const placed = await placeHold(world.sql, asked, limits);
			if (placed.outcome !== 'granted') continue;
			granted.push({ slotId, fence: placed.hold.fence });
			const next = random.int(0, 9);
			if (next < 4) await world.api.releaseHold(device, placed.hold.id);
			if (next === 4) await placeHold(world.sql, asked, limits);
			if (next === 5 && step > 30) {
				await world.api.confirmBooking(device, makeConfirm(placed.hold.id));
			}
		}
	};
	const sweeper = async () => {
		for (let i = 0; i < 60; i += 1) await expireHolds(world)(50);
	};
	await Promise.all([...Array.from({ length: 24 }, patient), sweeper()]);

	const ledger = await readLedger();
	expect(ledger).toHaveLength(granted.length);
	expect(ledger.length).toBeGreaterThan(200);
	expect(new Set(granted.map((g) => `${g.slotId}|${g.fence}`)).size).toBe(granted.length);
	let before: Grant | undefined;
	for (const grant of ledger) {
		expect(grant.requests).toBe(1);
		if (before?.slotId === grant.slotId) {
			expect(grant.fence).toBe(before.fence + 1);
			expect(Number(grant.from)).toBeGreaterThanOrEqual(Number(before.to));
		} else expect(grant.fence).toBe(1);
		before = grant;
	}
});

test('[H12] every entry of every room is there once, in order, without a hole', async () => {
	const rooms = await world.sql<{ name: string; seq: number; rows: number; top: number }[]>`
		select r.name, r.seq, count(l.seq) as rows, max(l.seq) as top
		from rooms r left join change_log l on l.room_id = r.id group by r.id`;
	expect(rooms.length).toBeGreaterThan(1);
	for (const room of rooms) expect([room.rows, room.top]).toEqual([room.seq, room.seq]);
});
