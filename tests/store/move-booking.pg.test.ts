// Moving a visit in the tables: the old one is not touched before the new one is booked, and in the
// same transaction it is then to be cancelled; the calendar event passes over.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BookingId, DeviceKey, HoldId, SlotId } from '#domain/ids.ts';
import { MINUTE_MS } from '#domain/time.ts';
import { readBookingOrder } from '#server/store/booking-order.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { keepBooking, readCancel } from '#server/store/cancel-booking.ts';
import {
	createWorld,
	makeConfirm,
	makeDevice,
	makeRequest,
	type World
} from '../scheduling/world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const yes = { state: 'booked', appointmentId: 'a-1', joinUrl: null } as const;

const viewOf = async (device: DeviceKey, bookingId: BookingId) => {
	const found = await world.api.readBooking(device, bookingId);
	if (!found.ok) throw new Error(found.reason);
	return found.value;
};

type Visit = { device: DeviceKey; bookingId: BookingId; slotId: SlotId };

const booked = async (scheduleId = world.scheduleId): Promise<Visit> => {
	const slotId = await world.addSlot(scheduleId);
	const hold = await world.hold(slotId);
	const made = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!made.ok) throw new Error(made.reason);
	await settleBooking(world.sql, made.value.id, yes);
	return { device: hold.device, bookingId: made.value.id, slotId };
};

const holdFor = async ({ device }: Visit, scheduleId = world.scheduleId) => {
	const slotId = await world.addSlot(scheduleId);
	return { ...(await world.hold(slotId, device)), slotId };
};

const move = ({ device, bookingId }: Visit, holdId: HoldId, requestId = makeRequest()) =>
	world.api.moveBooking(device, { bookingId, holdId, requestId });

/** A visit and the new booking that is to take its place. */
const moving = async () => {
	const old = await booked();
	const hold = await holdFor(old);
	const moved = await move(old, hold.id);
	if (!moved.ok) throw new Error(moved.reason);
	return { old, hold, newId: moved.value.id };
};

const isHoldable = async (slotId: SlotId): Promise<string> => {
	const held = await world.api.placeHold(makeDevice(), { slotId, requestId: makeRequest() });
	return held.ok ? 'held' : held.reason;
};

test('[J10] the new time is asked for, with the same patient, and the old visit stands', async () => {
	const { old, newId, hold } = await moving();
	expect(await viewOf(old.device, newId)).toMatchObject({
		state: 'confirming',
		slotId: hold.slotId,
		kind: 'video',
		replaces: { id: old.bookingId, state: 'booked' }
	});
	expect(await viewOf(old.device, old.bookingId)).toMatchObject({
		state: 'booked',
		movedTo: { id: newId, state: 'confirming' }
	});
	expect(world.queued.at(-1)).toBe(newId);
	const order = await readBookingOrder(world.sql, world.phi, newId, 'worker:test');
	expect(order?.order.patient).toMatchObject({ givenName: 'Rosa', bornOn: '1961-05-23' });
	expect(await readCancel(world.sql, old.bookingId)).toBeNull();
});

test('[J10] booked: in one step the clinic is to cancel the old visit; its place waits for that', async () => {
	const { old, newId } = await moving();
	const settled = await settleBooking(world.sql, newId, yes);
	expect(settled?.left).toEqual({ bookingId: old.bookingId, round: 1 });
	const told = settled?.entries.filter(({ room }) => room.startsWith('clinic:'));
	expect(told).toHaveLength(1);
	expect(told?.[0]?.changes).toEqual([
		expect.objectContaining({ bookingId: expect.any(String), kind: 'booking' }),
		expect.objectContaining({ bookingId: expect.any(String), kind: 'booking' })
	]);
	expect(await viewOf(old.device, newId)).toMatchObject({
		state: 'booked',
		replaces: { state: 'cancelling' }
	});
	await world.sql`update slots set status = 'free', remaining = 1 where id = ${old.slotId}`;
	expect(await isHoldable(old.slotId)).toBe('slot_taken');
	await settleBooking(world.sql, old.bookingId, { state: 'cancelled' });
	expect(await isHoldable(old.slotId)).toBe('held');
});

test.each(['slot_taken', 'clinic_refused'] as const)(
	'[J11] the new time refused as %s: the old visit stands untouched and may be moved again',
	async (because) => {
		const { old, newId } = await moving();
		const before = await viewOf(old.device, old.bookingId);
		const settled = await settleBooking(world.sql, newId, { state: 'rejected', because });
		expect(settled?.left).toBeNull();
		expect(await viewOf(old.device, old.bookingId)).toEqual({
			...before,
			movedTo: expect.objectContaining({ state: 'rejected' })
		});
		expect(await readCancel(world.sql, old.bookingId)).toBeNull();
		const again = await holdFor(old);
		expect(await move(old, again.id)).toMatchObject({ ok: true, value: { state: 'confirming' } });
	}
);

test('[J11] while the new time’s outcome is unknown nothing of the old visit changes', async () => {
	const { old, newId } = await moving();
	await settleBooking(world.sql, newId, { state: 'unconfirmed' });
	expect(await viewOf(old.device, old.bookingId)).toMatchObject({ state: 'booked' });
	const requestId = makeRequest();
	const { device, bookingId } = old;
	expect(await world.api.cancelBooking(device, { bookingId, requestId })).toEqual({
		ok: false,
		reason: 'booking_unsettled'
	});
	const other = await holdFor(old);
	expect(await move(old, other.id)).toEqual({ ok: false, reason: 'booking_unsettled' });
	await settleBooking(world.sql, newId, yes);
	expect(await viewOf(device, bookingId)).toMatchObject({ state: 'cancelling' });
});

test('[J12] the old visit not freed: both stand, both pages and the console say so', async () => {
	const { old, newId } = await moving();
	await settleBooking(world.sql, newId, yes);
	await world.api.acknowledgeBooking(world.sourceId, old.bookingId);
	await keepBooking(world.sql, old.bookingId, 'clinic_refused');
	expect(await viewOf(old.device, newId)).toMatchObject({
		state: 'booked',
		replaces: { state: 'booked', changeRefused: 'clinic_refused' }
	});
	expect(await viewOf(old.device, old.bookingId)).toMatchObject({
		state: 'booked',
		movedTo: { state: 'booked' }
	});
	const clinic = await world.api.readClinic(world.sourceId);
	const shown = clinic.ok ? clinic.value.bookings : [];
	expect(shown.find(({ bookingId }) => bookingId === old.bookingId)).toMatchObject({
		isMoved: true,
		acknowledgedAt: null
	});
	const another = await holdFor(old);
	expect(await move(old, another.id)).toEqual({ ok: false, reason: 'too_late' });
	// The person may ask for the old one to be cancelled once more.
	const requestId = makeRequest();
	const { device, bookingId } = old;
	expect(await world.api.cancelBooking(device, { bookingId, requestId })).toMatchObject({
		value: { state: 'cancelling' }
	});
});

test('[J13] one calendar event all along: its UID passes on and its SEQUENCE only rises', async () => {
	const { old, newId } = await moving();
	const before = await viewOf(old.device, old.bookingId);
	expect((await viewOf(old.device, newId)).calendarUid).not.toBe(before.calendarUid);
	await settleBooking(world.sql, newId, yes);
	const after = await viewOf(old.device, newId);
	expect(after.calendarUid).toBe(before.calendarUid);
	expect(after.sequence).toBeGreaterThan(before.sequence);
	await settleBooking(world.sql, old.bookingId, { state: 'cancelled' });
	const left = await viewOf(old.device, old.bookingId);
	expect([before.calendarUid, newId, old.bookingId]).not.toContain(left.calendarUid);
	// Moved once more: still the same event.
	const hold = await holdFor(old);
	const next = await move({ ...old, bookingId: newId }, hold.id);
	if (!next.ok) throw new Error(next.reason);
	await settleBooking(world.sql, next.value.id, yes);
	const last = await viewOf(old.device, next.value.id);
	expect(last.calendarUid).toBe(before.calendarUid);
	expect(last.sequence).toBeGreaterThan(after.sequence);
});

test('[J10] the same request, a second tap, or the same hold: one new booking', async () => {
	const old = await booked();
	const hold = await holdFor(old);
	const requestId = makeRequest();
	const replies = await Promise.all([
		move(old, hold.id, requestId),
		move(old, hold.id, requestId),
		move(old, hold.id)
	]);
	const ids = replies.map((reply) => (reply.ok ? reply.value.id : reply.reason));
	expect(new Set(ids).size).toBe(1);
	const other = await holdFor(old);
	expect(await move(old, other.id, requestId)).toEqual({ ok: false, reason: 'request_reused' });
});

test('[J10] only the own visit, a live hold of the same device, and the same clinic', async () => {
	const old = await booked();
	const hold = await holdFor(old);
	const stranger = { ...old, device: makeDevice() };
	expect(await move(stranger, hold.id)).toEqual({ ok: false, reason: 'booking_unknown' });
	const theirs = await holdFor(stranger);
	expect(await move(old, theirs.id)).toEqual({ ok: false, reason: 'hold_unknown' });
	const elsewhere = await world.addSchedule(await world.addSource());
	const far = await holdFor(old, elsewhere);
	expect(await move(old, far.id)).toEqual({ ok: false, reason: 'other_clinic' });
	await world.ageHold(hold.id);
	expect(await move(old, hold.id)).toEqual({ ok: false, reason: 'hold_expired' });
	expect(await viewOf(old.device, old.bookingId)).toMatchObject({ state: 'booked', movedTo: null });
});

test('[J11] a new time that overlaps the old one at the same provider is refused; nothing is lost', async () => {
	const old = await booked();
	const [row] = await world.sql<{ inMs: number }[]>`
		select (extract(epoch from starts_at - date_trunc('minute', clock_timestamp())) * 1000)::bigint
			as "inMs" from slots where id = ${old.slotId}`;
	const slotId = await world.addSlot(world.scheduleId, {
		inMs: (row?.inMs ?? 0) + 10 * MINUTE_MS,
		service: 'other'
	});
	const hold = await world.hold(slotId, old.device);
	expect(await move(old, hold.id)).toMatchObject({
		value: { state: 'rejected', rejectedBecause: 'slot_taken' }
	});
	expect(await viewOf(old.device, old.bookingId)).toMatchObject({ state: 'booked' });
});
