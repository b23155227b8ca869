import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { HoldId, SlotId } from '#domain/ids.ts';
import { HOLD_TTL_MS, isLive } from '#domain/hold.ts';
import { must } from '#domain/result.ts';
import { HOUR_MS, toInstant } from '#domain/time.ts';
import { placeHold } from '#server/store/holds.ts';
import { until } from '../support/until.ts';
import { createWorld, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const limits = { ttlMs: 1_000, maxLive: 100, maxPerHour: 1_000 };

test('[H5] of 200 people who want one time at the same moment exactly one gets it', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const replies = await Promise.all(
		Array.from({ length: 200 }, () =>
			world.api.placeHold(makeDevice(), { slotId, requestId: makeRequest() })
		)
	);
	const granted = replies.filter((reply) => reply.ok);
	expect(granted).toHaveLength(1);
	expect(new Set(replies.map((reply) => (reply.ok ? 'granted' : reply.reason)))).toEqual(
		new Set(['granted', 'slot_taken'])
	);
});

test('[H6] a slot of three places is held three times, and its last place makes it held', async () => {
	const slotId = await world.addSlot(world.scheduleId, { capacity: 3 });
	const before = world.published.length;
	const replies = await Promise.all(
		Array.from({ length: 40 }, () =>
			world.api.placeHold(makeDevice(), { slotId, requestId: makeRequest() })
		)
	);
	const fences = replies.flatMap((reply) => (reply.ok ? [reply.value.fence] : []));
	expect(fences.toSorted()).toEqual([1, 2, 3]);
	const changes = world.published
		.slice(before)
		.filter((entry) => entry.room === 'dermatology:us-mt')
		.toSorted((a, b) => a.seq - b.seq)
		.map((entry) => entry.changes[0]);
	expect(changes).toEqual([
		[slotId, world.scheduleId, expect.any(Number), 20, 1, 2],
		[slotId, world.scheduleId, expect.any(Number), 20, 1, 1],
		[slotId, 2]
	]);
});

test.each([
	[-1, false],
	[0, true],
	[1, true]
])('[H1] %i ms after its end a hold lets the next one in: %s', async (afterMs, free) => {
	const slotId = await world.addSlot(world.scheduleId);
	const at = 1_700_000_000_000;
	const ask = (when: number) =>
		placeHold(world.sql, { device: makeDevice(), slotId, requestId: makeRequest() }, limits, when);
	expect(await ask(at)).toMatchObject({ outcome: 'granted', hold: { ttlMs: 1_000, fence: 1 } });
	const next = await ask(at + 1_000 + afterMs);
	expect(next.outcome).toBe(free ? 'granted' : 'slot_taken');
	expect(isLive({ expiresAt: toInstant(at + 1_000) }, toInstant(at + 1_000 + afterMs))).toBe(!free);
});

test('[H2] the reply tells an interval that shrinks, never a time of day', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const held = await world.hold(slotId);
	expect(held.ttlMs).toBeGreaterThan(290_000);
	expect(held.ttlMs).toBeLessThanOrEqual(300_000);
	const read = await world.api.readHold(held.device, held.id);
	expect(read).toMatchObject({ ok: true, value: { id: held.id, state: 'held', slotId } });
	expect(read.ok && read.value.ttlMs <= held.ttlMs).toBe(true);
	expect(await world.api.listHolds(held.device)).toHaveLength(1);
	expect(await world.api.readHold(makeDevice(), held.id)).toEqual({
		ok: false,
		reason: 'hold_unknown'
	});
});

test('[H3] fifty requests of one device at once leave it with two live holds', async () => {
	const device = makeDevice();
	const slots: SlotId[] = [];
	for (let i = 0; i < 50; i += 1) slots.push(await world.addSlot(world.scheduleId));
	const replies = await Promise.all(
		slots.map((slotId) => world.api.placeHold(device, { slotId, requestId: makeRequest() }))
	);
	expect(replies.filter((reply) => reply.ok)).toHaveLength(2);
	const refused = replies.flatMap((reply) => (reply.ok ? [] : [reply]));
	expect(refused.every((reply) => reply.reason === 'hold_limit')).toBe(true);
	expect(refused[0]?.details).toEqual({ limit: 'live', of: 2 });
	const [first] = await world.api.listHolds(device);
	await world.api.releaseHold(device, HoldId.parse(first?.id));
	const slotId = await world.addSlot(world.scheduleId);
	expect((await world.api.placeHold(device, { slotId, requestId: makeRequest() })).ok).toBe(true);
});

test('[H3] requests that all asked before the first of them committed count each other', async () => {
	const device = makeDevice();
	const slots: SlotId[] = [];
	for (let i = 0; i < 6; i += 1) slots.push(await world.addSlot(world.scheduleId));
	const waiting = async (): Promise<number> => {
		const [row] = await world.sql<{ count: number }[]>`
			select count(*) as count from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'`;
		return row?.count ?? 0;
	};
	let asked: ReturnType<World['api']['placeHold']>[] = [];
	await world.sql.begin(async (tx) => {
		// Whoever may hold stands here with its hold placed and not yet committed.
		await tx`select 1 from rooms for update`;
		asked = slots.map((slotId) =>
			world.api.placeHold(device, { slotId, requestId: makeRequest() })
		);
		await until(async () => (await waiting()) === slots.length);
	});
	const replies = await Promise.all(asked);
	expect(replies.filter((reply) => reply.ok)).toHaveLength(2);
});

test('[H4] a device that holds and lets go again and again is stopped after twenty', async () => {
	const device = makeDevice();
	const slotId = await world.addSlot(world.scheduleId);
	for (let i = 0; i < 20; i += 1) {
		const held = await world.hold(slotId, device);
		await world.api.releaseHold(device, held.id);
	}
	const reply = await world.api.placeHold(device, { slotId, requestId: makeRequest() });
	expect(reply).toEqual({ ok: false, reason: 'hold_limit', details: { limit: 'hour', of: 20 } });
});

test('[H7] the same request sent many times at once is one hold and one answer', async () => {
	const device = makeDevice();
	const slotId = await world.addSlot(world.scheduleId);
	const command = { slotId, requestId: makeRequest() };
	const replies = await Promise.all(
		Array.from({ length: 30 }, () => world.api.placeHold(device, command))
	);
	const ids = new Set(replies.map((reply) => (reply.ok ? reply.value.id : reply.reason)));
	expect(ids.size).toBe(1);
	expect(replies.every((reply) => reply.ok && reply.value.fence === 1)).toBe(true);
	const [log] = await world.sql<{ count: number }[]>`
		select count(*) from holds where slot_id = ${slotId}`;
	expect(log?.count).toBe(1);
});

test('[H7] a request id used for another time is refused', async () => {
	const device = makeDevice();
	const requestId = makeRequest();
	const slotId = await world.addSlot(world.scheduleId);
	const other = await world.addSlot(world.scheduleId);
	expect((await world.api.placeHold(device, { slotId, requestId })).ok).toBe(true);
	expect(await world.api.placeHold(device, { slotId: other, requestId })).toEqual({
		ok: false,
		reason: 'request_reused'
	});
	// Another device may by chance use the same id.
	const someone = await world.api.placeHold(makeDevice(), { slotId: other, requestId });
	expect(someone.ok).toBe(true);
});

test('[H7] a refused request may be tried again under its id', async () => {
	const device = makeDevice();
	const slotId = await world.addSlot(world.scheduleId);
	const held = await world.hold(slotId);
	const command = { slotId, requestId: makeRequest() };
	expect(await world.api.placeHold(device, command)).toEqual({ ok: false, reason: 'slot_taken' });
	await world.api.releaseHold(held.device, held.id);
	expect((await world.api.placeHold(device, command)).ok).toBe(true);
});

test('[H8] the refusal says why: taken, gone or past', async () => {
	const ask = (slotId: SlotId) =>
		world.api.placeHold(makeDevice(), { slotId, requestId: makeRequest() });
	const busy = await world.addSlot(world.scheduleId, { status: 'busy' });
	expect(await ask(busy)).toEqual({ ok: false, reason: 'slot_taken' });
	const wrong = await world.addSlot(world.scheduleId, { status: 'entered-in-error' });
	expect(await ask(wrong)).toEqual({ ok: false, reason: 'slot_gone' });
	const past = await world.addSlot(world.scheduleId, { inMs: -120_000 });
	expect(await ask(past)).toEqual({ ok: false, reason: 'slot_past' });
	const removed = await world.addSlot(world.scheduleId);
	await world.sql`update slots set removed_at = now() where id = ${removed}`;
	expect(await ask(removed)).toEqual({ ok: false, reason: 'slot_gone' });
	expect(await ask(SlotId.parse(999_999))).toEqual({ ok: false, reason: 'slot_gone' });
});

test('[H9] a hold can be let go once by its own device, and repeating that is harmless', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const held = await world.hold(slotId);
	const unknown = { ok: false, reason: 'hold_unknown' };
	expect(await world.api.releaseHold(makeDevice(), held.id)).toEqual(unknown);
	expect(await world.api.releaseHold(held.device, HoldId.parse(randomUUID()))).toEqual(unknown);
	const before = world.published.length;
	expect(await world.api.releaseHold(held.device, held.id)).toEqual({ ok: true, value: null });
	expect(world.published.slice(before)).toEqual([
		{
			room: 'dermatology:us-mt',
			seq: expect.any(Number),
			changes: [[slotId, world.scheduleId, expect.any(Number), 20, 1, 1]]
		},
		{
			room: `clinic:${world.sourceId}`,
			seq: expect.any(Number),
			changes: [expect.objectContaining({ kind: 'hold', slotId, held: false })]
		}
	]);
	const after = world.published.length;
	expect(await world.api.releaseHold(held.device, held.id)).toEqual({ ok: true, value: null });
	expect(world.published).toHaveLength(after);
});

test('[H9] letting go of a hold that ran out says so', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const held = await world.hold(slotId);
	await world.ageHold(held.id);
	expect(await world.api.releaseHold(held.device, held.id)).toEqual({
		ok: false,
		reason: 'hold_expired'
	});
	const read = await world.api.readHold(held.device, held.id);
	expect(read).toMatchObject({ value: { state: 'expired', ttlMs: 0 } });
});

test.each([-1, 1])(
	'[H16] a hub whose clock is %d day wrong grants the same minutes',
	async (days) => {
		const slotId = await world.addSlot(world.scheduleId);
		vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * 24 * HOUR_MS });
		try {
			const held = await world.hold(slotId);
			expect(held.ttlMs).toBeGreaterThan(HOLD_TTL_MS - 60_000);
			expect(held.ttlMs).toBeLessThanOrEqual(HOLD_TTL_MS);
			const [row] = await world.sql<{ leftMs: number }[]>`
			select extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as "leftMs"
			from holds where id = ${held.id}`;
			expect(must(row).leftMs).toBeGreaterThan(HOLD_TTL_MS - 60_000);
			expect(must(row).leftMs).toBeLessThanOrEqual(HOLD_TTL_MS);
			const again = { slotId, requestId: makeRequest() };
			expect(await world.api.placeHold(makeDevice(), again)).toEqual({
				ok: false,
				reason: 'slot_taken'
			});
		} finally {
			vi.useRealTimers();
		}
	}
);
