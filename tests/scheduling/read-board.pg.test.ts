import { afterEach, beforeEach, expect, test } from 'vitest';
import { SLOTS_PER_BOARD, SLOTS_PER_SCHEDULE } from '#domain/board.ts';
import { ScheduleId, SlotId } from '#domain/ids.ts';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { raiseAlerts } from '#server/scheduling/raise-alerts.ts';
import { createWorld, makeQuery, type World } from './world.ts';

let world: World;
beforeEach(async () => {
	world = await createWorld({}, 5);
});
afterEach(async () => {
	await world.close();
});

const minuteIn = (ms: number): number => Math.floor(Date.now() / MINUTE_MS) + ms / MINUTE_MS;

test('[B3] open and held times come soonest first, each with its provider', async () => {
	const { scheduleId: a } = world;
	const b = await world.addSchedule(world.sourceId, { name: 'Dr. Bo' });
	const late = await world.addSlot(a, { inMs: 5 * HOUR_MS });
	const soon = await world.addSlot(b, { inMs: 2 * HOUR_MS });
	const held = await world.addSlot(a, { inMs: 3 * HOUR_MS });
	await world.addSlot(a, { inMs: 4 * HOUR_MS, status: 'busy' });
	await world.addSlot(a, { inMs: -HOUR_MS });
	await world.addSlot(a, { inMs: 15 * 24 * HOUR_MS });
	const removed = await world.addSlot(a, { inMs: HOUR_MS });
	await world.sql`update slots set removed_at = now() where id = ${removed}`;
	await world.hold(held);
	const board = await world.api.readBoard(makeQuery());
	expect(board.slots).toEqual([
		[soon, b, expect.closeTo(minuteIn(2 * HOUR_MS), -0.5), 20, 1, 1],
		[held, a, expect.closeTo(minuteIn(3 * HOUR_MS), -0.5), 20, 2, 0],
		[late, a, expect.closeTo(minuteIn(5 * HOUR_MS), -0.5), 20, 1, 1]
	]);
	expect(board.schedules.map((card) => card.id)).toEqual([b, a]);
	expect(board).toMatchObject({ openCount: 2, providerCount: 2, unknownCount: 0 });
	expect(board.epoch).toBe('epoch-1');
	expect(board.heads).toEqual({ 'dermatology:us-mt': 1, 'dermatology:us': 0 });
});

test('[B3] the first few of every provider, a page in all, and an honest count of the rest', async () => {
	for (let p = 0; p < 9; p += 1) {
		const schedule = await world.addSchedule(world.sourceId, { name: `Dr. ${p}` });
		for (let s = 0; s < 9; s += 1)
			await world.addSlot(schedule, { inMs: (p * 10 + s + 1) * HOUR_MS });
	}
	const board = await world.api.readBoard(makeQuery());
	expect(board.slots).toHaveLength(SLOTS_PER_BOARD);
	expect(board.openCount).toBe(81);
	const more = board.schedules.reduce((sum, card) => sum + card.moreOpen, 0);
	expect(more).toBe(81 - SLOTS_PER_BOARD);
	const perSchedule = new Map<number, number>();
	for (const slot of board.slots) perSchedule.set(slot[1], (perSchedule.get(slot[1]) ?? 0) + 1);
	expect(Math.max(...perSchedule.values())).toBe(SLOTS_PER_SCHEDULE);
	const first = ScheduleId.parse(board.schedules[0]?.id);
	const one = await world.api.readBoard(makeQuery({ scheduleId: first }));
	expect(one.slots).toHaveLength(9);
	expect(one.schedules).toHaveLength(1);
	expect(one.schedules[0]?.moreOpen).toBe(0);
});

test('[B1] the day part is meant in the zone of who looks', async () => {
	for (let hour = 0; hour < 24; hour += 1) {
		await world.addSlot(world.scheduleId, { inMs: (24 + hour) * HOUR_MS });
	}
	const counts = [];
	for (const dayPart of ['morning', 'afternoon', 'evening'] as const) {
		counts.push(
			(await world.api.readBoard(makeQuery({ dayPart, zone: 'America/Phoenix' }))).openCount
		);
	}
	expect(counts).toEqual([12, 5, 7]);
	const board = await world.api.readBoard(makeQuery({ dayPart: 'evening', zone: 'Asia/Tokyo' }));
	for (const slot of board.slots) {
		const hour = new Intl.DateTimeFormat('en-US', {
			timeZone: 'Asia/Tokyo',
			hour: 'numeric',
			hourCycle: 'h23'
		}).format(slot[2] * MINUTE_MS);
		expect(Number(hour)).toBeGreaterThanOrEqual(17);
	}
});

test('[B2] what a calendar does not say does not exclude its provider', async () => {
	const add = async (over: Parameters<World['addSchedule']>[1]) => {
		const id = await world.addSchedule(world.sourceId, over);
		await world.addSlot(id);
		return id;
	};
	const silent = await add({ name: 'A', kinds: [], languages: [] });
	const spanish = await add({ name: 'B', kinds: ['phone'], languages: ['es'] });
	await add({ name: 'C', kinds: ['video'], languages: ['en'] });
	const ask = makeQuery({ kinds: ['phone'], language: 'es' });
	const board = await world.api.readBoard(ask);
	expect(board.schedules.map((card) => card.id).toSorted()).toEqual([silent, spanish].toSorted());
	expect(board.providerCount).toBe(4);
});

test('[B2] a national provider is shown only where it is licensed', async () => {
	const regions = ['US-AL', 'US-AK', 'US-AZ', 'US-AR', 'US-CA', 'US-CO', 'US-CT', 'US-DE', 'US-MT'];
	const id = await world.addSchedule(world.sourceId, { regions, rooms: ['dermatology:us'] });
	await world.addSlot(id);
	const ids = async (region: string) =>
		(await world.api.readBoard(makeQuery({ region }))).slots.map((slot) => slot[1]);
	expect(await ids('US-MT')).toEqual([id]);
	expect(await ids('US-CA')).toEqual([id]);
	expect(await ids('US-NY')).toEqual([]);
});

test('[I1] every provider is told to take the plan, not to, or not to say', async () => {
	const taking = await world.addSchedule(world.sourceId, { name: 'A', planIds: ['hmo', 'ppo'] });
	const other = await world.addSchedule(world.sourceId, { name: 'B', planIds: ['ppo'] });
	await world.addSlot(taking);
	await world.addSlot(other);
	await world.addSlot(world.scheduleId);
	const answers = async (over: Parameters<typeof makeQuery>[0]) => {
		const board = await world.api.readBoard(makeQuery(over));
		return new Map(board.schedules.map((card) => [card.id, card.insurance]));
	};
	expect(await answers({ plan: 'hmo' })).toEqual(
		new Map([
			[taking, 'yes'],
			[other, 'no'],
			[world.scheduleId, 'unknown']
		])
	);
	expect([...(await answers({})).values()]).toEqual(['not_asked', 'not_asked', 'not_asked']);
});

test('[I2] asked for my plan only, a provider that says no is left out and counted', async () => {
	const taking = await world.addSchedule(world.sourceId, { planIds: ['hmo'] });
	await world.addSchedule(world.sourceId, { planIds: ['ppo'] });
	for (const id of [taking, world.scheduleId]) await world.addSlot(id);
	const board = await world.api.readBoard(makeQuery({ plan: 'hmo', planOnly: true }));
	expect(new Set(board.schedules.map((card) => card.id))).toEqual(
		new Set([taking, world.scheduleId])
	);
	expect(board).toMatchObject({ outOfPlanCount: 1, providerCount: 3 });
});

test('[B4] a stale calendar is shown with its age; one that is silent too long is only counted', async () => {
	const minute = MINUTE_MS;
	const make = async (checkedAgoMs: number | null) => {
		const source = await world.addSource({ checkedAgoMs, freshForMs: minute });
		const id = await world.addSchedule(source);
		await world.addSlot(id);
		return id;
	};
	const stale = await make(5 * minute);
	const lost = await make(7 * minute);
	const never = await make(null);
	const board = await world.api.readBoard(makeQuery());
	expect(board.slots.map((slot) => slot[1])).toEqual([stale]);
	const cards = new Map(board.schedules.map((card) => [card.id, card]));
	expect(cards.get(stale)).toMatchObject({ freshness: 'stale', freshForMs: minute });
	expect(cards.get(lost)).toMatchObject({ freshness: 'stale', moreOpen: 0 });
	expect(cards.get(never)).toMatchObject({ freshness: 'silent', checkedAt: null });
	expect(cards.get(world.scheduleId)?.freshness).toBe('fresh');
	expect(board).toMatchObject({ unknownCount: 2, openCount: 1, providerCount: 4 });
});

test('[B6] the nearest times: the same provider first, then the others of the search', async () => {
	const other = await world.addSchedule(world.sourceId, { name: 'Dr. Other' });
	const wanted = await world.addSlot(world.scheduleId, { inMs: 50 * HOUR_MS });
	await world.hold(wanted);
	const far = await world.addSlot(world.scheduleId, { inMs: 90 * HOUR_MS });
	const near = await world.addSlot(world.scheduleId, { inMs: 45 * HOUR_MS });
	const close = await world.addSlot(other, { inMs: 50 * HOUR_MS });
	await world.addSlot(await world.addSchedule(world.sourceId, { rooms: ['cardiology:us-mt'] }));
	const found = await world.api.nearestOpen(wanted, null, 3);
	expect(found.map((view) => view.slot[0])).toEqual([near, far, close]);
	expect(found[2]?.schedule.practitionerName).toBe('Dr. Other');
	const strict = await world.api.nearestOpen(wanted, makeQuery({ kinds: ['chat'] }), 3);
	expect(strict).toEqual([]);
	expect(await world.api.nearestOpen(SlotId.parse(9_999), null, 3)).toEqual([]);
});

test('[B7] one time can be read in any state, and an unknown one is refused', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	expect(await world.api.readSlot(slotId, makeQuery({ plan: 'hmo' }))).toMatchObject({
		ok: true,
		value: {
			slot: [slotId, world.scheduleId, expect.any(Number), 20, 1, 1],
			schedule: { insurance: 'unknown' }
		}
	});
	await world.sql`update slots set removed_at = now() where id = ${slotId}`;
	const gone = await world.api.readSlot(slotId, null);
	expect(gone.ok && gone.value.slot.slice(4)).toEqual([0, 0]);
	expect(await world.api.readSlot(SlotId.parse(9_999), null)).toEqual({
		ok: false,
		reason: 'slot_unknown'
	});
});

test('[B7] cards of providers met in a change count only what goes beyond the first times', async () => {
	for (let s = 0; s < 8; s += 1) await world.addSlot(world.scheduleId);
	const [card] = await world.api.readSchedules([world.scheduleId], null);
	expect(card).toMatchObject({ id: world.scheduleId, moreOpen: 2, insurance: 'not_asked' });
	expect(await world.api.readSchedules([ScheduleId.parse(9_999)], null)).toEqual([]);
});

test('[B5] "filling up" is shown with its numbers counted now, and only while they say so', async () => {
	const slots = [];
	for (let s = 0; s < 12; s += 1) slots.push(await world.addSlot(world.scheduleId));
	await raiseAlerts(world)([world.scheduleId]);
	await world.sql`
		update slots set status = 'busy', remaining = 0, taken_at = clock_timestamp()
		where id = any (${slots.slice(0, 9)})`;
	await raiseAlerts(world)([world.scheduleId]);
	const board = await world.api.readBoard(makeQuery());
	expect(board.filling).toEqual([
		{
			scheduleId: world.scheduleId,
			episodeId: expect.any(Number),
			left: 3,
			of: 12,
			perHour: 9,
			since: expect.any(Number)
		}
	]);
	await world.sql`
		update slots set status = 'busy', remaining = 0, taken_at = clock_timestamp()
		where id = any (${slots})`;
	expect((await world.api.readBoard(makeQuery())).filling).toEqual([]);
});
