import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BookingId, HoldId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { createPostgres, HUB_ROLE } from '#server/platform/postgres.ts';
import { systemClock } from '#server/platform/clock.ts';
import { createHubApi } from '#server/scheduling/hub-api.ts';
import { expireHolds } from '#server/scheduling/expire-holds.ts';
import { HAND_OVER_MS } from '#server/scheduling/confirm-booking.ts';
import { settleBooking } from '#server/store/bookings.ts';
import {
	linkKey,
	createWorld,
	makeConfirm,
	makeDevice,
	makePatient,
	makeRequest,
	type World,
	makeDesk
} from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const held = async () => await world.hold(await world.addSlot(world.scheduleId));

const stateOf = async (slotId: number) => {
	const [row] = await world.sql<{ state: number; claims: number[] }[]>`
		select slot_state(status, remaining, live_claims(claim_untils, clock_timestamp()),
			removed_at is not null) as state, claim_fences as claims
		from slots where id = ${slotId}`;
	return must(row);
};

const DATE_WANTED =
	'Must be a date after 1900-01-01 that is not in the future, such as 1961-05-23.';

test('[K20] a date of birth that is still to come is refused by name, and the hold stays', async () => {
	const hold = await held();
	const command = makeConfirm(hold.id);
	const early = { ...command, patient: { ...command.patient, bornOn: '2999-01-01' } };
	expect(await world.api.confirmBooking(hold.device, early)).toEqual({
		ok: false,
		reason: 'bad_request',
		details: { errors: [{ detail: DATE_WANTED, pointer: '#/patient/bornOn' }] }
	});
	expect((await world.api.confirmBooking(hold.device, command)).ok).toBe(true);
});

test('[K2] a confirmed hold is a booking at once, claimed for good, and queued', async () => {
	const hold = await held();
	const before = world.published.length;
	const reply = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!reply.ok) throw new Error(reply.reason);
	expect(reply.value).toMatchObject({
		holdId: hold.id,
		slotId: hold.slotId,
		state: 'confirming',
		kind: 'video',
		practitionerName: 'Dr. Ana Reyes',
		joinUrl: null,
		linkUrl: null,
		rejectedBecause: null,
		sequence: 0
	});
	expect(world.queued).toContain(reply.value.id);
	expect(world.published.slice(before)).toEqual([
		{
			room: `clinic:${world.sourceId}`,
			seq: expect.any(Number),
			changes: [
				expect.objectContaining({ kind: 'hold', slotId: hold.slotId, held: false }),
				expect.objectContaining({
					kind: 'booking',
					bookingId: reply.value.id,
					state: 'confirming',
					slotId: hold.slotId
				})
			]
		}
	]);
	await world.ageHold(hold.id, 0);
	expect((await expireHolds(world)(100)).count).toBe(0);
	expect(await stateOf(hold.slotId)).toEqual({ state: 2, claims: [hold.fence] });
	expect(await world.api.readHold(hold.device, hold.id)).toMatchObject({
		value: { state: 'confirming', ttlMs: 0 }
	});
});

test('[K2] only a live hold of the same device can be confirmed', async () => {
	const hold = await held();
	const unknown = { ok: false, reason: 'hold_unknown' };
	expect(await world.api.confirmBooking(makeDevice(), makeConfirm(hold.id))).toEqual(unknown);
	const nobody = makeConfirm(HoldId.parse(randomUUID()));
	expect(await world.api.confirmBooking(hold.device, nobody)).toEqual(unknown);
	await world.ageHold(hold.id);
	const expired = { ok: false, reason: 'hold_expired' };
	expect(await world.api.confirmBooking(hold.device, makeConfirm(hold.id))).toEqual(expired);
	await expireHolds(world)(100);
	expect(await world.api.confirmBooking(hold.device, makeConfirm(hold.id))).toEqual(expired);
	const let_go = await held();
	await world.api.releaseHold(let_go.device, let_go.id);
	expect(await world.api.confirmBooking(let_go.device, makeConfirm(let_go.id))).toEqual(unknown);
	const [row] = await world.sql<{ count: number }[]>`
		select count(*) from bookings where hold_id in (${hold.id}, ${let_go.id})`;
	expect(row?.count).toBe(0);
});

test('[K2] a hold whose fence was overtaken cannot be confirmed', async () => {
	const hold = await held();
	// As if its claim had lapsed and another one had been granted, with the hold row left behind.
	await world.sql`
		update slots set claim_fences = array[fence + 1], fence = fence + 1 where id = ${hold.slotId}`;
	expect(await world.api.confirmBooking(hold.device, makeConfirm(hold.id))).toEqual({
		ok: false,
		reason: 'hold_expired'
	});
});

test('[K2] against the end of its hold a confirmation wins or loses, never half of each', async () => {
	const ends = { booked: 0, expired: 0 };
	for (let round = 0; round < 30; round += 1) {
		const hold = await held();
		// Ends within a few milliseconds of the confirmation, on either side.
		await world.sql`
			with soon as (
				update holds set expires_at = clock_timestamp() + ${round} * interval '0.4 ms'
				where id = ${hold.id} returning slot_id, expires_at
			)
			update slots s set claim_untils = array[soon.expires_at] from soon where s.id = soon.slot_id`;
		const [reply] = await Promise.all([
			world.api.confirmBooking(hold.device, makeConfirm(hold.id)),
			expireHolds(world)(10),
			expireHolds(world)(10)
		]);
		await expireHolds(world)(10);
		const { state, claims } = await stateOf(hold.slotId);
		if (reply.ok) ends.booked += 1;
		else ends.expired += 1;
		expect([state, claims]).toEqual(reply.ok ? [2, [hold.fence]] : [1, []]);
		expect(reply.ok ? reply.value.state : reply.reason).toBe(
			reply.ok ? 'confirming' : 'hold_expired'
		);
	}
	expect(ends.booked + ends.expired).toBe(30);
});

test('[K3] confirming many times at once is one booking, one patient, one effect', async () => {
	const hold = await held();
	const command = makeConfirm(hold.id);
	const replies = await Promise.all(
		Array.from({ length: 12 }, () => world.api.confirmBooking(hold.device, command))
	);
	expect(new Set(replies.map((r) => (r.ok ? r.value.id : r.reason))).size).toBe(1);
	const twoTabs = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	expect(twoTabs.ok && replies[0]?.ok && twoTabs.value.id === replies[0].value.id).toBe(true);
	const [row] = await world.sql<{ bookings: number; patients: number }[]>`
		select (select count(*) from bookings where hold_id = ${hold.id}) as bookings,
			(select count(*) from patients where device_key = ${hold.device}) as patients`;
	expect(row).toEqual({ bookings: 1, patients: 1 });
});

test('[K3] the same request id with other words is refused, and the words are not kept', async () => {
	const hold = await held();
	const command = makeConfirm(hold.id);
	await world.api.confirmBooking(hold.device, command);
	const other = { ...command, patient: makePatient({ familyName: 'Someone' }) };
	expect(await world.api.confirmBooking(hold.device, other)).toEqual({
		ok: false,
		reason: 'request_reused'
	});
	const rows = await world.sql<{ text: string }[]>`
		select fingerprint || reply::text as text from requests where device_key = ${hold.device}`;
	for (const row of rows) expect(row.text).not.toMatch(/Rosa|Mart|406 555|mole/);
});

test('[K4] a time that overlaps a live booking of the same schedule is refused at once', async () => {
	const at = 90 * 3_600_000;
	const long = await world.addSlot(world.scheduleId, { inMs: at, minutes: 60, service: 'long' });
	const short = await world.addSlot(world.scheduleId, { inMs: at + 1_200_000, minutes: 20 });
	const first = await world.hold(long);
	const second = await world.hold(short);
	expect(await world.api.confirmBooking(first.device, makeConfirm(first.id))).toMatchObject({
		value: { state: 'confirming' }
	});
	const before = world.published.length;
	const lost = await world.api.confirmBooking(second.device, makeConfirm(second.id));
	expect(lost).toMatchObject({ value: { state: 'rejected', rejectedBecause: 'slot_taken' } });
	expect(await stateOf(short)).toEqual({ state: 3, claims: [] });
	expect(
		world.published.slice(before).map((entry) => [entry.room, entry.changes[0]])
	).toContainEqual(['dermatology:us-mt', [short, 3]]);
	expect(lost.ok && world.queued.includes(lost.value.id)).toBe(false);
});

test('[K13] a time its clinic showed as taken and then free again can be booked again', async () => {
	const first = await held();
	const made = await world.api.confirmBooking(first.device, makeConfirm(first.id));
	if (!made.ok) throw new Error(made.reason);
	await settleBooking(world.sql, made.value.id, {
		state: 'booked',
		appointmentId: null,
		joinUrl: null
	});
	// The poll after it saw "busy", so the claim was dropped; a later one sees "free".
	await world.sql`
		update slots set claim_fences = '{}', claim_untils = '{}', status = 'free', remaining = 1
		where id = ${first.slotId}`;
	const next = await world.hold(first.slotId);
	expect(await world.api.confirmBooking(next.device, makeConfirm(next.id))).toMatchObject({
		value: { state: 'confirming' }
	});
	expect(await world.api.readBooking(first.device, made.value.id)).toMatchObject({
		value: { state: 'booked' }
	});
});

test('[K6] a publisher that only lists gets the patient sent to its page, with our referral', async () => {
	const source = await world.addSource({ booking: 'link' });
	const schedule = await world.addSchedule(source);
	const slot = await world.addSlot(schedule, {
		bookUrl: 'https://portal.example/book?slot=7&a=b#x'
	});
	const hold = await world.hold(slot);
	const reply = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!reply.ok) throw new Error(reply.reason);
	expect(reply.value.state).toBe('handed_over');
	expect(reply.value.linkUrl).toBe(
		`https://portal.example/book?slot=7&a=b&source=slotcast&booking-referral=${reply.value.id}#x`
	);
	expect(world.queued).not.toContain(reply.value.id);
	expect((await stateOf(slot)).state).toBe(2);
	const [claim] = await world.sql<{ leftMs: number }[]>`
		select extract(epoch from claim_untils[1] - clock_timestamp()) * 1000 as "leftMs"
		from slots where id = ${slot}`;
	expect(Number(claim?.leftMs)).toBeGreaterThan(HAND_OVER_MS - 60_000);
	expect(Number(claim?.leftMs)).toBeLessThanOrEqual(HAND_OVER_MS);
});

test('[K6] when the publisher still lists it after its time, the slot is open again', async () => {
	const source = await world.addSource({ booking: 'link' });
	const schedule = await world.addSchedule(source);
	const slot = await world.addSlot(schedule, { bookUrl: 'ftp://portal.example/' });
	const hold = await world.hold(slot);
	const reply = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!reply.ok) throw new Error(reply.reason);
	expect(reply.value.linkUrl).toBeNull();
	await world.ageHold(hold.id);
	const swept = await expireHolds(world)(100);
	expect(swept.ended).toEqual([]);
	expect(swept.count).toBe(1);
	expect(await stateOf(slot)).toEqual({ state: 1, claims: [] });
	// The next patient is handed over as well: the publisher decides between them.
	const next = await world.hold(slot);
	expect(await world.api.confirmBooking(next.device, makeConfirm(next.id))).toMatchObject({
		value: { state: 'handed_over' }
	});
	expect(await world.api.readBooking(hold.device, reply.value.id)).toMatchObject({
		value: { state: 'handed_over' }
	});
});

test('[K6] a clinic that books by phone gives the number of the slot', async () => {
	const source = await world.addSource({ booking: 'phone' });
	const schedule = await world.addSchedule(source);
	const slot = await world.addSlot(schedule, { bookPhone: '+1 406 555 0155' });
	const hold = await world.hold(slot);
	expect(await world.api.confirmBooking(hold.device, makeConfirm(hold.id))).toMatchObject({
		value: { state: 'handed_over', linkUrl: null, phone: '+1 406 555 0155' }
	});
});

test('[K7] nobody is refused because the queue is down', async () => {
	const broken = await createWorld({
		enqueueBooking: () => Promise.reject(new Error('Redis is away'))
	});
	try {
		const hold = await broken.hold(await broken.addSlot(broken.scheduleId));
		const reply = await broken.api.confirmBooking(hold.device, makeConfirm(hold.id));
		expect(reply).toMatchObject({ ok: true, value: { state: 'confirming' } });
	} finally {
		await broken.close();
	}
});

test('[K8] waiting for the clinic ends with its answer, or after a while without one', async () => {
	const hold = await held();
	const made = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!made.ok) throw new Error(made.reason);
	const id = made.value.id;
	expect(await world.api.awaitBooking(hold.device, id, 0)).toMatchObject({
		value: { state: 'confirming' }
	});
	const waiting = world.api.awaitBooking(hold.device, id, 8_000);
	await settleBooking(world.sql, id, {
		state: 'booked',
		appointmentId: 'a-1',
		joinUrl: 'https://visit.example/1'
	});
	expect(await waiting).toMatchObject({
		value: { state: 'booked', joinUrl: 'https://visit.example/1', sequence: 1 }
	});
	const unknown = { ok: false, reason: 'booking_unknown' };
	expect(await world.api.awaitBooking(makeDevice(), id, 8_000)).toEqual(unknown);
	expect(await world.api.readBooking(makeDevice(), id)).toEqual(unknown);
	const nobody = BookingId.parse(randomUUID());
	expect(await world.api.readBooking(hold.device, nobody)).toEqual(unknown);
});

test('[P5] everything a person or clinic does works with no more rights than the hub role has', async () => {
	const sql = createPostgres(world.database.url, {
		applicationName: 'role',
		role: HUB_ROLE,
		max: 2
	});
	try {
		const api = createHubApi({
			sql,
			publish: world.publish,
			clock: systemClock,
			phi: world.phi,
			linkKey,
			publicUrl: 'https://hub.example',
			enqueueBooking: async () => undefined,
			addAlerts: async () => true,
			queueStatus: async () => [],
			socketCounts: () => ({ patients: 0, providers: 0, rooms: 0 }),
			feedLagMs: () => null,
			sources: makeDesk(sql),
			config: { holdTtlMs: 60_000, maxHoldsPerDevice: 2, maxVisitsPerPerson: 1_000 }
		});
		const [who] = await sql<{ name: string }[]>`select current_user as name`;
		expect(who?.name).toBe(HUB_ROLE);
		const source = await world.addSource();
		const slotId = await world.addSlot(await world.addSchedule(source));
		const device = makeDevice();
		const hold = await api.placeHold(device, { slotId, requestId: makeRequest() });
		if (!hold.ok) throw new Error(hold.reason);
		const made = await api.confirmBooking(device, makeConfirm(hold.value.id));
		if (!made.ok) throw new Error(made.reason);
		const settled = { state: 'booked', appointmentId: 'a', joinUrl: null } as const;
		expect(await settleBooking(sql, made.value.id, settled)).toMatchObject({ state: 'booked' });
		expect(await api.readClinic(source)).toMatchObject({ ok: true });
		expect((await expireHolds({ sql, publish: world.publish })(10)).count).toBe(0);
		expect(await sql`select 1 from patients`).toHaveLength(0);
		await expect(sql`update audit set actor = 'x:y'`).rejects.toThrow(/permission denied/);
	} finally {
		await sql.end({ timeout: 5 });
	}
});
