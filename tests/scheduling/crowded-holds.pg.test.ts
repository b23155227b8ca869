// What the look at a crowd refuses is exactly what deciding would refuse as taken; and whatever two
// hubs remember, a time has one holder and comes back at once.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SlotId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { HOUR_MS } from '#domain/time.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { createHubApi } from '#server/scheduling/hub-api.ts';
import { placeHold, readTaken, type HoldWish } from '#server/store/holds.ts';
import { createWorld, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
let sql: Sql;
beforeAll(async () => {
	world = await createWorld();
	sql = createPostgres(world.database.url, { applicationName: 'second-hub', max: 10 });
});
afterAll(async () => {
	await sql.end({ timeout: 5 });
	await world.close();
});

const limits = { ttlMs: 1_000, maxLive: 2, maxPerHour: 4 };
const wishFor = (slotId: SlotId): HoldWish => ({
	device: makeDevice(),
	slotId,
	requestId: makeRequest()
});

/** The database's clock, ms. */
const readNow = async (): Promise<number> => {
	const [row] = await world.sql<{ at: number }[]>`
		select (extract(epoch from clock_timestamp()) * 1000)::bigint as at`;
	return must(row).at;
};

/** Wishes for slots in every state, each at its own moment, with what the decision must be. */
const makeCases = async () => {
	const at = await readNow();
	const { scheduleId } = world;
	const slot = (over = {}) => world.addSlot(scheduleId, over);
	const held = async (atMs: number, over = {}): Promise<SlotId> => {
		const slotId = await slot(over);
		await placeHold(world.sql, wishFor(slotId), limits, atMs);
		return slotId;
	};
	const removed = await slot();
	await world.sql`update slots set removed_at = now() where id = ${removed}`;
	const strict = await world.addSource();
	await world.sql`update sources set notes = '{"minNoticeMinutes": 180}' where id = ${strict}`;
	const late = await world.addSchedule(strict);
	const hidden = await world.addSchedule(world.sourceId);
	await world.sql`update schedules set closed = '(,)' where id = ${hidden}`;
	const mine = wishFor(await slot());
	await placeHold(world.sql, mine, limits, at);
	const full = makeDevice();
	for (let n = 0; n < 2; n += 1) {
		await placeHold(world.sql, { ...wishFor(await slot()), device: full }, limits, at);
	}
	const tired = makeDevice();
	for (let n = 0; n < 4; n += 1) {
		const then = at - 20_000 + n * 2_000;
		await placeHold(world.sql, { ...wishFor(await slot()), device: tired }, limits, then);
	}
	return [
		['free', wishFor(await slot()), at, 'granted'],
		['held', wishFor(await held(at)), at, 'slot_taken'],
		['held, a millisecond before its end', wishFor(await held(at)), at + 999, 'slot_taken'],
		['held, at its end', wishFor(await held(at)), at + 1_000, 'granted'],
		['one of two places held', wishFor(await held(at, { capacity: 2 })), at, 'granted'],
		['busy', wishFor(await slot({ status: 'busy' })), at, 'slot_taken'],
		['tentative', wishFor(await slot({ status: 'busy-tentative' })), at, 'slot_taken'],
		['no place left', wishFor(await slot({ remaining: 0 })), at, 'slot_taken'],
		['in error', wishFor(await slot({ status: 'entered-in-error' })), at, 'slot_gone'],
		['no longer listed', wishFor(removed), at, 'slot_gone'],
		['never heard of', wishFor(SlotId.parse(999_999)), at, 'slot_gone'],
		['begun', wishFor(await slot({ inMs: -HOUR_MS, status: 'busy' })), at, 'slot_past'],
		['too soon', wishFor(await world.addSlot(late, { inMs: HOUR_MS })), at, 'too_soon'],
		['hidden', wishFor(await world.addSlot(hidden, { status: 'busy' })), at, 'slot_gone'],
		['held by this very request', mine, at, 'granted'],
		['reused request', { ...mine, slotId: await held(at) }, at, 'request_reused'],
		['device at its limit', { ...wishFor(await held(at)), device: full }, at, 'hold_limit'],
		['tired device', { ...wishFor(await held(at)), device: tired }, at, 'hour_limit']
	] as const;
};

test('[H45] a look refuses what deciding refuses as taken, and nothing else', async () => {
	const cases = await makeCases();
	const looked: unknown[] = [];
	const decided: unknown[] = [];
	for (const [name, wish, at, expected] of cases) {
		const [isTaken] = await readTaken(world.sql, [wish], limits, at);
		const { outcome } = await placeHold(world.sql, wish, limits, at);
		looked.push([name, isTaken]);
		decided.push([name, outcome]);
		expect([name, outcome]).toEqual([name, expected]);
	}
	expect(looked).toEqual(cases.map(([name, , , expected]) => [name, expected === 'slot_taken']));
	expect(decided).toHaveLength(cases.length);
});

test('[H45] many wishes looked at together are answered in their order', async () => {
	const [free, busy] = [
		await world.addSlot(world.scheduleId),
		await world.addSlot(world.scheduleId, { status: 'busy' })
	];
	const wishes = Array.from({ length: 40 }, (_, n) => wishFor(n % 3 === 0 ? busy : free));
	expect(await readTaken(world.sql, wishes, limits)).toEqual(wishes.map((_, n) => n % 3 === 0));
});

test('[H5] of 200 who reach the database at once exactly one gets the time', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const long = { ...limits, ttlMs: 300_000 };
	const placed = await Promise.all(
		Array.from({ length: 200 }, () => placeHold(world.sql, wishFor(slotId), long))
	);
	expect(placed.filter(({ outcome }) => outcome === 'granted')).toHaveLength(1);
	expect(placed.filter(({ outcome }) => outcome === 'slot_taken')).toHaveLength(199);
});

test('[H45] two hubs and 200 people: one holder, and whoever lets go lets the next one in at either', async () => {
	const second = createHubApi({ ...world.deps, sql });
	const hubs = [world.api, second];
	const slotId = await world.addSlot(world.scheduleId);
	const race = async () => {
		const asked = Array.from({ length: 200 }, (_, n) => ({ device: makeDevice(), at: n % 2 }));
		const replies = await Promise.all(
			asked.map(({ device, at }) =>
				must(hubs[at]).placeHold(device, { slotId, requestId: makeRequest() })
			)
		);
		return replies.flatMap((reply, n) =>
			reply.ok ? [{ hold: reply.value, device: must(asked[n]).device }] : []
		);
	};
	for (let round = 1; round <= 6; round += 1) {
		const [winner, ...others] = await race();
		expect(others).toEqual([]);
		const { hold, device } = must(winner);
		expect(hold.fence).toBe(round);
		const again = must(hubs[round % 2]);
		// Both hubs have seen the time taken; only one of them hears of its end, the other asks.
		if (round % 3 === 0) await world.ageHold(hold.id);
		else await again.releaseHold(device, hold.id);
	}
	const [first] = await race();
	expect(first?.hold.fence).toBe(7);
});

test('[H45] a lost answer is asked for again at the other hub: the same hold, though the crowd is refused', async () => {
	const second = createHubApi({ ...world.deps, sql });
	const slotId = await world.addSlot(world.scheduleId);
	const wish = { slotId, requestId: makeRequest() };
	const device = makeDevice();
	const first = await world.api.placeHold(device, wish);
	const refused = await second.placeHold(makeDevice(), { slotId, requestId: makeRequest() });
	expect(refused).toEqual({ ok: false, reason: 'slot_taken' });
	const again = await second.placeHold(device, wish);
	expect(again.ok && first.ok && again.value.id === first.value.id).toBe(true);
});
