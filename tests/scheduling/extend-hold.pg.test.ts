// More time for somebody who is still typing: once, in time, and unseen by everybody else.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HoldId } from '#domain/ids.ts';
import { expireHolds, extendHold, placeHold, readHolds } from '#server/store/holds.ts';
import { until } from '../support/until.ts';
import { createWorld, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const limitsOf = (ttlMs: number) => ({ ttlMs, maxLive: 100, maxPerHour: 1_000 });

/** A hold placed at the instant `at` for `ttlMs`. */
const placeAt = async (at: number, ttlMs: number) => {
	const slotId = await world.addSlot(world.scheduleId);
	const device = makeDevice();
	const asked = { device, slotId, requestId: makeRequest() };
	const placed = await placeHold(world.sql, asked, limitsOf(ttlMs), at);
	if (placed.outcome !== 'granted') throw new Error(placed.outcome);
	return { device, slotId, holdId: placed.hold.id, fence: placed.hold.fence };
};

test.each([
	[-1, 'extended'],
	[0, 'hold_expired'],
	[1, 'hold_expired']
])('[H15] asked %i ms from the end: %s', async (offsetMs, expected) => {
	const at = Date.now();
	const { device, holdId } = await placeAt(at, 60_000);
	const asked = { device, holdId, ttlMs: 60_000 };
	expect(await extendHold(world.sql, asked, at + 60_000 + offsetMs)).toBe(expected);
});

test('[H15] the new end counts for the hold and for its claim on the slot', async () => {
	const at = Date.now();
	const { device, holdId, slotId } = await placeAt(at, 60_000);
	await extendHold(world.sql, { device, holdId, ttlMs: 60_000 }, at + 50_000);
	const [row] = await world.sql<{ holdMs: number; claimsMs: number[] }[]>`
		select extract(epoch from h.expires_at)::float8 * 1000 as "holdMs",
			array(select extract(epoch from u)::float8 * 1000 from unnest(s.claim_untils) u) as "claimsMs"
		from holds h join slots s on s.id = h.slot_id where h.id = ${holdId} and s.id = ${slotId}`;
	expect(row?.holdMs).toBeCloseTo(at + 110_000, 0);
	expect(row?.claimsMs).toEqual([row?.holdMs]);
});

test('[H15] a hold is extended once, and asking again changes nothing', async () => {
	const held = await world.hold(await world.addSlot(world.scheduleId));
	const published = world.published.length;
	expect(await world.api.extendHold(held.device, held.id)).toMatchObject({
		ok: true,
		value: { id: held.id, state: 'held', fence: held.fence }
	});
	const [before] = await world.sql`select expires_at from holds where id = ${held.id}`;
	expect(await world.api.extendHold(held.device, held.id)).toEqual({
		ok: false,
		reason: 'hold_extended'
	});
	const [after] = await world.sql`select expires_at from holds where id = ${held.id}`;
	expect(after).toEqual(before);
	expect(world.published).toHaveLength(published);
});

test('[H15] a hold tells whether it may be extended: live, and not extended yet', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const device = makeDevice();
	const command = { slotId, requestId: makeRequest() };
	const placed = await world.api.placeHold(device, command);
	if (!placed.ok) throw new Error(placed.reason);
	const { id } = placed.value;
	const mayExtend = async () => {
		const [read, repeated] = [
			await world.api.readHold(device, id),
			await world.api.placeHold(device, command)
		];
		return [read, repeated].map((reply) => reply.ok && reply.value.canExtend);
	};
	expect(placed.value.canExtend).toBe(true);
	expect(await mayExtend()).toEqual([true, true]);
	const extended = await world.api.extendHold(device, id);
	expect(extended).toMatchObject({ ok: true, value: { canExtend: false } });
	expect(await mayExtend()).toEqual([false, false]);
	await world.api.releaseHold(device, id);
	expect(await mayExtend()).toEqual([false, false]);
});

test('[H15] ten requests at once extend it once', async () => {
	const held = await world.hold(await world.addSlot(world.scheduleId));
	const replies = await Promise.all(
		Array.from({ length: 10 }, () => world.api.extendHold(held.device, held.id))
	);
	expect(replies.filter((reply) => reply.ok)).toHaveLength(1);
});

test('[H15] only its own device, and only a hold that is still held', async () => {
	const held = await world.hold(await world.addSlot(world.scheduleId));
	const unknown = { ok: false, reason: 'hold_unknown' };
	expect(await world.api.extendHold(makeDevice(), held.id)).toEqual(unknown);
	expect(await world.api.extendHold(held.device, HoldId.parse(randomUUID()))).toEqual(unknown);
	await world.api.releaseHold(held.device, held.id);
	expect(await world.api.extendHold(held.device, held.id)).toEqual(unknown);
});

test('[H15] past the old end nobody gets the place and the sweep leaves it alone', async () => {
	const at = Date.now();
	const { device, holdId, slotId } = await placeAt(at, 100);
	const asked = { device, holdId, ttlMs: 600_000 };
	expect(await extendHold(world.sql, asked, at + 99)).toBe('extended');
	await until(() => Date.now() > at + 150);
	const swept = await expireHolds(world.sql, 500);
	expect(swept.ended.map((ended) => ended.holdId)).not.toContain(holdId);
	const other = { device: makeDevice(), slotId, requestId: makeRequest() };
	expect(await placeHold(world.sql, other, limitsOf(1_000))).toEqual({ outcome: 'slot_taken' });
	expect(await readHolds(world.sql, device, holdId)).toMatchObject([{ state: 'held' }]);
});

test('[H15] of two holds on a slot for two only its own is extended', async () => {
	const slotId = await world.addSlot(world.scheduleId, { capacity: 2 });
	const [first, second] = [await world.hold(slotId), await world.hold(slotId)];
	const untils = async () => {
		const [row] = await world.sql<{ untils: number[] }[]>`
			select array(select extract(epoch from u)::float8 from unnest(claim_untils) u) as untils
			from slots where id = ${slotId}`;
		return row?.untils ?? [];
	};
	const before = await untils();
	expect((await world.api.extendHold(second.device, second.id)).ok).toBe(true);
	const after = await untils();
	expect(after[0]).toBe(before[0]);
	expect(after[1]).toBeGreaterThan(before[1] ?? Infinity);
	expect((await world.api.extendHold(first.device, first.id)).ok).toBe(true);
});
