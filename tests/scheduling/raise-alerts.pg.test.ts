import { afterAll, beforeEach, afterEach, beforeAll, expect, test } from 'vitest';
import type { SubscribeAlert } from '#domain/commands.ts';
import type { DeviceKey, ScheduleId, SlotId } from '#domain/ids.ts';
import { HOUR_MS } from '#domain/time.ts';
import { raiseAlerts } from '#server/scheduling/raise-alerts.ts';
import { listIdleEpisodes } from '#server/store/alerts.ts';
import { createWorld, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

let scheduleId: ScheduleId;
let slots: SlotId[];
const raise = () => raiseAlerts(world)([scheduleId]);

const makeSubscription = (over: Partial<SubscribeAlert> = {}): SubscribeAlert => ({
	requestId: makeRequest(),
	specialty: 'dermatology',
	region: 'US-MT',
	scheduleId: null,
	kinds: [],
	plan: null,
	language: null,
	dayPart: 'any',
	zone: 'America/Phoenix',
	...over
});

const subscribe = async (over: Partial<SubscribeAlert> = {}, device = makeDevice()) => {
	const reply = await world.api.subscribeAlert(device, makeSubscription(over));
	if (!reply.ok) throw new Error(reply.reason);
	return { device, id: reply.value.id };
};

const setTaken = async (ids: readonly SlotId[]) => {
	await world.sql`
		update slots set status = 'busy', remaining = 0, taken_at = clock_timestamp(),
			changed_at = clock_timestamp()
		where id = any (${[...ids]})`;
};
const setFree = async (ids: readonly SlotId[]) => {
	await world.sql`
		update slots set status = 'free', remaining = 1, taken_at = null,
			changed_at = clock_timestamp()
		where id = any (${[...ids]})`;
};
const addSlots = async (count: number) => {
	for (let i = 0; i < count; i += 1) {
		slots.push(await world.addSlot(scheduleId, { inMs: (24 + i) * HOUR_MS }));
	}
};
/** As if the hour of the pace had passed. */
const letAnHourPass = async () => {
	await world.sql`update slots set taken_at = taken_at - interval '61 minutes'`;
};

beforeEach(async () => {
	slots = [];
	scheduleId = await world.addSchedule(world.sourceId, { name: 'Dr. Reyes', planIds: ['hmo'] });
});
afterEach(async () => {
	await world.sql`delete from alert_subscriptions`;
	await world.sql`delete from episodes`;
});

test('[L4] the first look at a schedule tells nobody anything', async () => {
	await subscribe();
	await addSlots(10);
	expect(await raise()).toEqual([]);
});

test('[L2] times that open where there were none are told once, with the facts', async () => {
	const one = await subscribe();
	await raise();
	await addSlots(2);
	const raised = await raise();
	expect(raised).toEqual([
		{
			device: one.device,
			notice: {
				subscriptionId: one.id,
				episodeId: expect.any(Number),
				kind: 'opened',
				scheduleId,
				practitionerName: 'Dr. Reyes',
				specialty: 'dermatology',
				region: 'US-MT',
				left: 2,
				of: 2,
				perHour: 0,
				soonestAt: expect.any(Number),
				raisedAt: expect.any(Number)
			}
		}
	]);
	expect(await world.api.listNotices(one.device)).toEqual([raised[0]?.notice]);
	expect(await world.api.listNotices(makeDevice())).toEqual([]);
	await addSlots(5);
	expect(await raise()).toEqual([]);
	await setTaken(slots);
	expect(await raise()).toEqual([]);
	await world.sql`update alert_notices set raised_at = raised_at - interval '11 minutes'`;
	await setFree(slots.slice(0, 1));
	expect((await raise()).map((r) => r.notice.kind)).toEqual(['opened']);
});

test('[L2] three new times at once are news also where some were open', async () => {
	await subscribe();
	await addSlots(1);
	await raise();
	await addSlots(2);
	expect(await raise()).toEqual([]);
	await addSlots(3);
	expect(await raise()).toHaveLength(1);
});

test('[L2] a hold that ran out, and a window that moved on, open nothing', async () => {
	await subscribe();
	await addSlots(1);
	const [slotId] = slots;
	if (slotId === undefined) throw new Error('no slot');
	const held = await world.hold(slotId);
	await raise();
	await raise();
	await world.api.releaseHold(held.device, held.id);
	expect(await raise()).toEqual([]);
	// Times that were always there, a week ahead, and come within the window.
	await world.sql`
		update slots set changed_at = now() - interval '1 day' where schedule_id = ${scheduleId}`;
	await setTaken(slots);
	await raise();
	for (let i = 0; i < 5; i += 1) {
		const id = await world.addSlot(scheduleId);
		await world.sql`update slots set changed_at = now() - interval '1 day' where id = ${id}`;
	}
	expect(await raise()).toEqual([]);
});

test('[L1] a calendar that fills up is told once, and ends when nothing went for an hour', async () => {
	const one = await subscribe();
	await addSlots(12);
	await raise();
	await setTaken(slots.slice(0, 9));
	const raised = await raise();
	expect(raised.map((r) => [r.device, r.notice.kind, r.notice.left, r.notice.of])).toEqual([
		[one.device, 'filling_up', 3, 12]
	]);
	expect(raised[0]?.notice.perHour).toBe(9);
	await setTaken(slots.slice(0, 10));
	expect(await raise()).toEqual([]);
	const running = () => world.sql`select 1 from episodes where ended_at is null`;
	expect(await running()).toHaveLength(1);
	await letAnHourPass();
	expect(await raise()).toEqual([]);
	expect(await running()).toHaveLength(0);
});

test('[L1] a publisher that removes what was booked fills up as well', async () => {
	await subscribe();
	await addSlots(12);
	await raise();
	await world.sql`
		update slots set removed_at = clock_timestamp(), taken_at = clock_timestamp()
		where id = any (${slots.slice(0, 10)})`;
	expect((await raise()).map((r) => [r.notice.kind, r.notice.left, r.notice.of])).toEqual([
		['filling_up', 2, 12]
	]);
});

test('[L4] partial, silent and suspect answers decide nothing', async () => {
	await subscribe();
	await addSlots(12);
	await raise();
	await setTaken(slots.slice(0, 10));
	for (const outcome of ['partial', 'timeout']) {
		await world.sql`update sources set outcome = ${outcome} where id = ${world.sourceId}`;
		expect(await raise()).toEqual([]);
	}
	await world.sql`
		update sources set outcome = 'complete', suspect = '{"gen": 1}' where id = ${world.sourceId}`;
	expect(await raise()).toEqual([]);
	await world.sql`update sources set suspect = null where id = ${world.sourceId}`;
	expect(await raise()).toHaveLength(1);
});

test('[L3] one person hears of one provider and kind at most once in ten minutes', async () => {
	const one = await subscribe();
	await addSlots(1);
	await raise();
	for (let flap = 0; flap < 20; flap += 1) {
		await setTaken(slots);
		await raise();
		await setFree(slots);
		await raise();
	}
	expect(await world.api.listNotices(one.device)).toHaveLength(1);
	await world.sql`update alert_notices set raised_at = raised_at - interval '10 minutes'`;
	await setTaken(slots);
	await raise();
	await setFree(slots);
	expect(await raise()).toHaveLength(1);
});

test('[L3] two subscriptions of one device that match are one notice', async () => {
	const device: DeviceKey = makeDevice();
	await subscribe({}, device);
	await subscribe({ kinds: ['video'] }, device);
	await raise();
	await addSlots(1);
	expect(await raise()).toHaveLength(1);
});

test('[L5] only what was asked for is told; what a calendar does not say does not exclude', async () => {
	const wanted = [
		await subscribe(),
		await subscribe({ scheduleId }),
		await subscribe({ kinds: ['video'], language: 'en', plan: 'hmo' })
	];
	await subscribe({ kinds: ['phone'] });
	await subscribe({ language: 'es' });
	await subscribe({ plan: 'ppo' });
	await subscribe({ region: 'US-NY' });
	await subscribe({ specialty: 'cardiology' });
	await subscribe({ scheduleId: world.scheduleId });
	const morning = await subscribe({ dayPart: 'morning' });
	await raise();
	await world.addSlot(scheduleId, { inMs: nextHour(20) });
	const raised = await raise();
	expect(new Set(raised.map((r) => r.device))).toEqual(new Set(wanted.map((w) => w.device)));
	await world.sql`update slots set status = 'busy', remaining = 0 where schedule_id = ${scheduleId}`;
	await raise();
	await world.sql`delete from alert_notices`;
	await world.addSlot(scheduleId, { inMs: nextHour(9) });
	expect((await raise()).map((r) => r.device)).toContain(morning.device);
});

/** Ms until it is `hour` in Phoenix (no summer time) tomorrow. */
const nextHour = (hour: number): number => {
	const local = Date.now() - 7 * HOUR_MS;
	const day = Math.floor(local / (24 * HOUR_MS)) + 1;
	return day * 24 * HOUR_MS + hour * HOUR_MS - local;
};

test('[L7] many workers looking at once begin one episode and tell each person once', async () => {
	for (let i = 0; i < 10; i += 1) await subscribe();
	await raise();
	await addSlots(3);
	const raised = (await Promise.all(Array.from({ length: 8 }, raise))).flat();
	expect(raised).toHaveLength(10);
	const [row] = await world.sql<{ count: number }[]>`select count(*) from episodes`;
	expect(row?.count).toBe(1);
});

test('[L8] running episodes nobody looked at for a while are listed, to be ended in time', async () => {
	await addSlots(12);
	await raise();
	await setTaken(slots.slice(0, 10));
	await raise();
	const idle = () => listIdleEpisodes(world.sql, { idleMs: 60_000, limit: 100 });
	expect(await idle()).toEqual([]);
	await world.sql`update supplies set looked_at = looked_at - interval '2 minutes'`;
	expect(await idle()).toEqual([scheduleId]);
});

test('[L6] asking twice is one subscription; twenty are enough; others cannot end mine', async () => {
	const device = makeDevice();
	const command = makeSubscription();
	const replies = await Promise.all(
		Array.from({ length: 6 }, () => world.api.subscribeAlert(device, command))
	);
	const again = await world.api.subscribeAlert(device, { ...command, requestId: makeRequest() });
	expect(new Set([...replies, again].map((r) => r.ok && r.value.id)).size).toBe(1);
	expect(await world.api.listAlerts(device)).toHaveLength(1);
	const regions = ['US-AL', 'US-AK', 'US-AZ', 'US-AR', 'US-CA', 'US-CO', 'US-CT', 'US-DE', 'US-FL'];
	for (const region of regions) {
		await subscribe({ region }, device);
		await subscribe({ region, specialty: 'cardiology' }, device);
	}
	await subscribe({ region: 'US-NY' }, device);
	expect(await world.api.subscribeAlert(device, makeSubscription({ region: 'US-OR' }))).toEqual({
		ok: false,
		reason: 'subscription_limit'
	});
	const mine = await world.api.listAlerts(device);
	expect(mine).toHaveLength(20);
	const [first] = mine;
	if (first === undefined) throw new Error('no subscription');
	const unknown = { ok: false, reason: 'subscription_unknown' };
	expect(await world.api.unsubscribeAlert(makeDevice(), first.id)).toEqual(unknown);
	expect(await world.api.unsubscribeAlert(device, first.id)).toEqual({ ok: true, value: null });
	expect(await world.api.unsubscribeAlert(device, first.id)).toEqual(unknown);
	const nobody = makeSubscription({ scheduleId: 99_999 as ScheduleId });
	expect(await world.api.subscribeAlert(device, nobody)).toEqual({
		ok: false,
		reason: 'schedule_unknown'
	});
});
