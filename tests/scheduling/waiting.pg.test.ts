// The waiting list on a real database: one place for each in line, one offer for each place.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { JoinWaiting } from '#domain/commands.ts';
import type { DeviceKey, ScheduleId, SlotId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { MINUTE_MS } from '#domain/time.ts';
import { MAX_LAPSES, MAX_WAITING_PER_DEVICE, OFFER_TTL_MS } from '#domain/waiting.ts';
import { expireHolds } from '#server/scheduling/expire-holds.ts';
import { offerTimes } from '#server/scheduling/offer-times.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { readFreeTimes } from '#server/store/waiting.ts';
import { createWorld, makeConfirm, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterEach(async () => {
	await world.sql`truncate waiting_entries cascade`;
	await world.sql`update slots set removed_at = clock_timestamp()`;
});
afterAll(() => world.close());

const wish = (over: Partial<JoinWaiting> = {}): JoinWaiting => ({
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

const join = async (over: Partial<JoinWaiting> = {}, device: DeviceKey = makeDevice()) => {
	const joined = await world.api.joinWaiting(device, wish(over));
	if (!joined.ok) throw new Error(joined.reason);
	return { device, id: joined.value.id };
};

const mine = async (device: DeviceKey) => must((await world.api.listWaiting(device))[0]);
const round = () => offerTimes(world)();
const takeBack = (slotId: SlotId) =>
	world.sql`update slots set status = 'busy', remaining = 0 where id = ${slotId}`;

test('[G2] joining twice is one place in line, also from two tabs at once', async () => {
	const device = makeDevice();
	const both = await Promise.all([
		world.api.joinWaiting(device, wish()),
		world.api.joinWaiting(device, wish())
	]);
	expect(both[0]).toMatchObject({ ok: true });
	expect(new Set(both.map((one) => one.ok && one.value.id)).size).toBe(1);
	const later = await join();
	expect(await world.api.joinWaiting(device, wish())).toMatchObject({ value: { ahead: 0 } });
	expect(await mine(later.device)).toMatchObject({ ahead: 1, state: 'waiting', offer: null });
});

test('[G3] a device stands in five lists at most, and sees and leaves only its own', async () => {
	const device = makeDevice();
	const regions = ['US-MT', 'US-ID', 'US-WY', 'US-ND', 'US-SD', 'US-WA'];
	const joined = [];
	for (const region of regions) joined.push(await world.api.joinWaiting(device, wish({ region })));
	expect(joined.filter((one) => one.ok)).toHaveLength(MAX_WAITING_PER_DEVICE);
	expect(joined.at(-1)).toEqual({ ok: false, reason: 'waiting_limit' });
	const { id } = await mine(device);
	expect(await world.api.listWaiting(makeDevice())).toEqual([]);
	const unknown = { ok: false, reason: 'waiting_unknown' };
	expect(await world.api.leaveWaiting(makeDevice(), id)).toEqual(unknown);
	expect(await world.api.resumeWaiting(makeDevice(), id)).toEqual(unknown);
	expect(await world.api.leaveWaiting(device, id)).toEqual({ ok: true, value: null });
	expect(await world.api.leaveWaiting(device, id)).toEqual(unknown);
	const missing = wish({ scheduleId: 999_999 as ScheduleId });
	expect(await world.api.joinWaiting(device, missing)).toEqual({
		ok: false,
		reason: 'schedule_unknown'
	});
});

test('[G6] a time that comes free is kept for who waited longest, and told', async () => {
	const first = await join();
	const second = await join();
	expect(await round()).toEqual([]);
	const slotId = await world.addSlot(world.scheduleId);
	const before = world.published.length;
	const [made, ...others] = await round();
	expect(others).toEqual([]);
	expect(made).toMatchObject({ device: first.device, waitingId: first.id });
	expect(await mine(first.device)).toMatchObject({
		state: 'offered',
		offer: { holdId: must(made).holdId, slotId, practitionerName: 'Dr. Ana Reyes' }
	});
	expect(await mine(second.device)).toMatchObject({ state: 'waiting', ahead: 1, offer: null });
	// Everybody else sees it held, and nobody else gets it.
	expect(world.published.slice(before)).toContainEqual(
		expect.objectContaining({ room: 'dermatology:us-mt', changes: [[slotId, 2]] })
	);
	const asked = await world.api.placeHold(makeDevice(), { slotId, requestId: makeRequest() });
	expect(asked).toEqual({ ok: false, reason: 'slot_taken' });
	expect(await round()).toEqual([]);
});

test('[G6] what begins too soon, or was not heard of lately, is offered to nobody', async () => {
	await join();
	await world.addSlot(world.scheduleId, { inMs: 29 * MINUTE_MS });
	expect(await readFreeTimes(world.sql, { leadMs: 0, limit: 10 })).toHaveLength(1);
	expect(await round()).toEqual([]);
	const silent = await world.addSource({ checkedAgoMs: 3_600_000 });
	await world.addSlot(await world.addSchedule(silent));
	expect(await round()).toEqual([]);
	// A clinic that wants two hours' notice would not give it.
	const slow = await world.addSource();
	await world.sql`update sources set notes = '{"minNoticeMinutes": 120}' where id = ${slow}`;
	await world.addSlot(await world.addSchedule(slow), { inMs: 90 * MINUTE_MS });
	expect(await round()).toEqual([]);
	await world.addSlot(await world.addSchedule(slow), { inMs: 150 * MINUTE_MS });
	expect(await round()).toHaveLength(1);
});

test('[G4] a plan or a region that does not fit is passed over; an unknown one is said', async () => {
	const [medicare, unsure, elsewhere] = [
		await join({ plan: 'medicare' }),
		await join({ plan: 'medicaid' }),
		await join({ region: 'US-ID' })
	];
	const takes = await world.addSchedule(world.sourceId, { planIds: ['medicaid'] });
	const slot = await world.addSlot(takes);
	expect((await round()).map(({ device }) => device)).toEqual([unsure.device]);
	expect(await mine(unsure.device)).toMatchObject({ offer: { slotId: slot, insurance: 'yes' } });
	await world.addSlot(world.scheduleId);
	expect((await round()).map(({ device }) => device)).toEqual([medicare.device]);
	expect(await mine(medicare.device)).toMatchObject({ offer: { insurance: 'unknown' } });
	expect(await mine(elsewhere.device)).toMatchObject({ state: 'waiting' });
});

test('[G7] an offer ends at its very millisecond, and then goes to the next in line', async () => {
	const first = await join();
	const second = await join();
	const slotId = await world.addSlot(world.scheduleId);
	const [made] = await round();
	const { holdId } = must(made);
	const { offer } = await mine(first.device);
	expect(must(offer).ttlMs).toBeGreaterThan(OFFER_TTL_MS - 60_000);
	expect(must(offer).ttlMs).toBeLessThanOrEqual(OFFER_TTL_MS);
	const [row] = await world.sql<{ until: number }[]>`
		select extract(epoch from expires_at) * 1000 as until from holds where id = ${holdId}`;
	const until = Math.floor(must(row).until);
	const placeAt = async (at: number) => {
		const [placed] = await world.sql<{ outcome: string }[]>`
			select outcome from place_hold(${makeDevice()}, ${makeRequest()}, ${slotId}, 1, 9, 9,
				to_timestamp(${at} / 1000.0))`;
		return must(placed).outcome;
	};
	expect(await placeAt(until - 1)).toBe('slot_taken');
	await world.ageHold(holdId, OFFER_TTL_MS);
	expect(await mine(first.device)).toMatchObject({ state: 'waiting', offer: null });
	await expireHolds(world)(100);
	expect((await round()).map(({ device }) => device)).toEqual([second.device]);
	expect(await mine(first.device)).toMatchObject({ state: 'waiting', ahead: 0, offer: null });
	expect(await placeAt(until + 1)).toBe('slot_taken');
});

test('[G8] a time let pass is not offered again, and after two unanswered ones we ask', async () => {
	const { device, id } = await join();
	const one = await world.addSlot(world.scheduleId);
	const offered = must((await round())[0]);
	await world.api.releaseHold(device, offered.holdId);
	expect(await round()).toEqual([]);
	expect(await mine(device)).toMatchObject({ state: 'waiting', offer: null });
	await takeBack(one);
	for (let lapse = 0; lapse < MAX_LAPSES; lapse += 1) {
		const slotId = await world.addSlot(world.scheduleId);
		const { holdId } = must((await round())[0]);
		await world.ageHold(holdId);
		await expireHolds(world)(100);
		await round();
		await takeBack(slotId);
	}
	expect(await mine(device)).toMatchObject({ state: 'paused', offer: null });
	await world.addSlot(world.scheduleId);
	expect(await round()).toEqual([]);
	const later = await join();
	expect(await world.api.resumeWaiting(device, id)).toEqual({ ok: true, value: null });
	// Back in the old place: before whoever came later.
	expect((await round()).map((made) => made.device)).toEqual([device]);
	expect(await mine(later.device)).toMatchObject({ ahead: 1 });
});

test('[G9] who books leaves the list; a refusal of the clinic puts them back in their place', async () => {
	const first = await join();
	await world.addSlot(world.scheduleId);
	const one = must((await round())[0]);
	const asked = await world.api.confirmBooking(first.device, makeConfirm(one.holdId));
	if (!asked.ok) throw new Error(asked.reason);
	await round();
	expect(await mine(first.device)).toMatchObject({ id: first.id });
	await settleBooking(world.sql, asked.value.id, { state: 'rejected', because: 'slot_taken' });
	await round();
	expect(await mine(first.device)).toMatchObject({ state: 'waiting', offer: null });
	await world.addSlot(world.scheduleId);
	const two = must((await round())[0]);
	const again = await world.api.confirmBooking(first.device, makeConfirm(two.holdId));
	if (!again.ok) throw new Error(again.reason);
	const booked = { state: 'booked', appointmentId: 'a-1', joinUrl: null } as const;
	await settleBooking(world.sql, again.value.id, booked);
	await round();
	expect(await world.api.listWaiting(first.device)).toEqual([]);
});

test('[G9] who leaves gives the kept time to the next in line', async () => {
	const first = await join();
	const second = await join();
	await world.addSlot(world.scheduleId);
	await round();
	await world.api.leaveWaiting(first.device, first.id);
	expect(await world.api.listWaiting(first.device)).toEqual([]);
	expect((await round()).map(({ device }) => device)).toEqual([second.device]);
});

test('[G5] fifty in line, ten places, six processes at once: ten offers, to the first ten', async () => {
	const line = [];
	for (let nr = 0; nr < 50; nr += 1) line.push(await join());
	for (let nr = 0; nr < 4; nr += 1) await world.addSlot(world.scheduleId);
	for (let nr = 0; nr < 2; nr += 1) await world.addSlot(world.scheduleId, { capacity: 3 });
	const made = (await Promise.all(Array.from({ length: 6 }, round))).flat();
	made.push(...(await round()));
	expect(made.map(({ device }) => device)).toEqual(line.slice(0, 10).map(({ device }) => device));
	expect(new Set(made.map(({ holdId }) => holdId)).size).toBe(10);
	const [row] = await world.sql<{ worst: number; offered: number }[]>`
		select max(live_claims(claim_untils, clock_timestamp()) - remaining) as worst,
			(select count(*)::int from waiting_entries where state = 'offered') as offered
		from slots where removed_at is null`;
	expect(row).toEqual({ worst: 0, offered: 10 });
});

test('[G10] never fewer are ahead than are asked before', async () => {
	const provider = await world.addSchedule(world.sourceId);
	await join({ scheduleId: provider });
	await join();
	const all = await join();
	const other = await join({ scheduleId: world.scheduleId });
	await join({ specialty: 'neurology' });
	expect((await mine(all.device)).ahead).toBe(2);
	// Whoever waits for another provider only is not before me.
	expect((await mine(other.device)).ahead).toBe(2);
	// Somebody of another region is before me when a provider serves both.
	await world.addSchedule(await world.addSource(), { regions: ['US-MT', 'US-ID'] });
	const neighbour = await join({ region: 'US-ID' });
	expect((await mine(neighbour.device)).ahead).toBe(2);
});

test('[G1] a long line that nothing fits, and many times that fit nobody, hide nobody', async () => {
	await world.sql`
		insert into waiting_entries (id, device_key, specialty, region, kinds, day_part, zone, plan)
		select gen_random_uuid(), md5(i::text) || md5(i::text), 'dermatology', 'US-MT', '{}', 'any',
			'America/Denver', 'medicare'
		from generate_series(1, 1500) i`;
	const takes = await world.addSchedule(world.sourceId, { planIds: ['medicaid'] });
	await world.sql`
		insert into slots (source_id, schedule_id, key, starts_at, ends_at, status, capacity, remaining,
			source_slot_id)
		select ${world.sourceId}, ${takes}, 'many-' || i,
			now() + i * interval '1 minute' + interval '1 hour',
			now() + i * interval '1 minute' + interval '65 minutes', 'free', 1, 1, 'many-' || i
		from generate_series(1, 1200) i`;
	const last = await join({ language: 'es', plan: 'medicaid' });
	expect(await round()).toEqual([]);
	const speaks = await world.addSchedule(world.sourceId, {
		planIds: ['medicaid'],
		languages: ['es']
	});
	const slotId = await world.addSlot(speaks, { inMs: 40 * 24 * 60 * MINUTE_MS });
	expect((await round()).map(({ device }) => device)).toEqual([last.device]);
	expect(await mine(last.device)).toMatchObject({ offer: { slotId } });
});

test('[G9] a hold that is just being confirmed is not taken for one that ran out', async () => {
	await join();
	await world.addSlot(world.scheduleId);
	const { holdId } = must((await round())[0]);
	const standing = { state: 'offered', lapses: 0 };
	const read = () => world.sql`select state, lapses from waiting_entries`;
	await world.ageHold(holdId);
	await world.sql.begin(async (tx) => {
		await tx`update holds set state = 'confirming', expires_at = 'infinity' where id = ${holdId}`;
		await round();
		expect(await read()).toEqual([standing]);
	});
	await round();
	expect(await read()).toEqual([standing]);
});

test('[G14] one person in two lists is kept one time at a time', async () => {
	const device = makeDevice();
	await join({}, device);
	await join({ kinds: ['video'] }, device);
	await world.addSlot(world.scheduleId);
	await world.addSlot(world.scheduleId);
	expect(await round()).toHaveLength(1);
	expect(await round()).toEqual([]);
});

test('[G2] a request id that was used for another wish is refused', async () => {
	const device = makeDevice();
	const first = wish();
	await world.api.joinWaiting(device, first);
	expect(await world.api.joinWaiting(device, { ...first, plan: 'medicaid' })).toEqual({
		ok: false,
		reason: 'request_reused'
	});
});

test('[G11] an offer that breaks off in the middle leaves neither offer nor hold', async () => {
	const { device } = await join();
	const slotId = await world.addSlot(world.scheduleId);
	await world.sql`
		create function break_off() returns trigger language plpgsql as $$
		begin raise exception 'broken off'; end $$`;
	await world.sql`
		create trigger break_off before update on waiting_entries
		for each row when (new.state = 'offered') execute function break_off()`;
	await expect(round()).rejects.toThrow('broken off');
	expect(await mine(device)).toMatchObject({ state: 'waiting', offer: null });
	const [row] = await world.sql<{ claims: number }[]>`
		select cardinality(claim_fences) as claims from slots where id = ${slotId}`;
	expect(row).toEqual({ claims: 0 });
	await world.sql`drop trigger break_off on waiting_entries`;
	expect((await round()).map((made) => made.device)).toEqual([device]);
});

test('[G13] a clinic sees how many wait for its providers, and not who wait elsewhere', async () => {
	await join();
	await join({ scheduleId: world.scheduleId });
	await join({ region: 'US-ID' });
	await join({ specialty: 'neurology' });
	const clinic = await world.api.readClinic(world.sourceId);
	expect(clinic).toMatchObject({ ok: true, value: { waiting: 2 } });
});

test('[H43][G8] an offered time that the clinic gave away counts against nobody, and may be offered again', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const first = await join();
	await round();
	expect(await mine(first.device)).toMatchObject({ state: 'offered' });
	await takeBack(slotId);
	await expireHolds(world)(100);
	await round();
	expect(await mine(first.device)).toMatchObject({ state: 'waiting', offer: null });
	const [entry] = await world.sql`select lapses from waiting_entries where id = ${first.id}`;
	expect(entry).toEqual({ lapses: 0 });
	await world.sql`update slots set status = 'free', remaining = 1 where id = ${slotId}`;
	await round();
	expect(await mine(first.device)).toMatchObject({ state: 'offered', offer: { slotId } });
});
