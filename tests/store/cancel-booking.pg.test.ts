// Cancelling in the tables: who may, when, what is freed and when, and what the console learns.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BookingId, DeviceKey } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { HOUR_MS } from '#domain/time.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { keepBooking, readCancel } from '#server/store/cancel-booking.ts';
import { claimBooking, claimBookings } from '#server/store/claim-bookings.ts';
import { readCounts } from '#server/store/status.ts';
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

const confirmed = async (
	over: Parameters<World['addSlot']>[1] = {},
	device: DeviceKey = makeDevice()
) => {
	const slotId = await world.addSlot(world.scheduleId, over);
	const hold = await world.hold(slotId, device);
	const reply = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!reply.ok) throw new Error(reply.reason);
	return { ...hold, slotId, bookingId: reply.value.id };
};
const booked = async (
	over: Parameters<World['addSlot']>[1] = {},
	device: DeviceKey = makeDevice()
) => {
	const one = await confirmed(over, device);
	await settleBooking(world.sql, one.bookingId, {
		state: 'booked',
		appointmentId: 'a-1',
		joinUrl: null
	});
	return one;
};
type Made = Awaited<ReturnType<typeof booked>>;
const cancel = ({ device, bookingId }: Made, requestId = makeRequest()) =>
	world.api.cancelBooking(device, { bookingId, requestId });
const lookOf = async ({ device, bookingId }: Made) => {
	const found = await world.api.readBooking(device, bookingId);
	return found.ok ? found.value : null;
};
const isHoldable = async (slotId: Made['slotId']): Promise<string> => {
	const command = { slotId, requestId: makeRequest() };
	const held = await world.api.placeHold(makeDevice(), command);
	return held.ok ? 'held' : held.reason;
};
const everything = { limit: 100, perSource: 100, busy: new Map(), leaseMs: 60_000 };
const isDue = async (bookingId: BookingId): Promise<boolean> => {
	const claimed = await claimBookings(world.sql, everything);
	return claimed.some((one) => one.bookingId === bookingId);
};

test('[J1] a wish to cancel is committed, queued, and due at once', async () => {
	const one = await booked();
	world.queued.length = 0;
	expect(await cancel(one)).toMatchObject({ ok: true, value: { state: 'cancelling' } });
	expect(world.queued).toEqual([one.bookingId]);
	expect((await readCounts(world.sql)).unsettledBookings).toBeGreaterThan(0);
	expect(await isDue(one.bookingId)).toBe(true);
	expect(await readCancel(world.sql, one.bookingId)).toMatchObject({
		attempts: 1,
		round: 1,
		order: { bookingId: one.bookingId, appointmentId: 'a-1' }
	});
});

test('[J1] a queue that is away loses nothing', async () => {
	await using other = await createWorld({
		enqueueBooking: () => Promise.reject(new Error('no Redis'))
	});
	const slotId = await other.addSlot(other.scheduleId);
	const hold = await other.hold(slotId);
	const made = await other.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!made.ok) throw new Error(made.reason);
	const bookingId = made.value.id;
	await settleBooking(other.sql, bookingId, {
		state: 'booked',
		appointmentId: null,
		joinUrl: null
	});
	const asked = await other.api.cancelBooking(hold.device, {
		bookingId,
		requestId: makeRequest()
	});
	expect(asked).toMatchObject({ ok: true, value: { state: 'cancelling' } });
	expect(await claimBookings(other.sql, everything)).toMatchObject([{ bookingId }]);
});

test('[J1] asked twice, under the same request or another, the clinic is asked once', async () => {
	const one = await booked();
	const requestId = makeRequest();
	const replies = await Promise.all([cancel(one, requestId), cancel(one, requestId), cancel(one)]);
	for (const reply of replies) expect(reply).toMatchObject({ value: { state: 'cancelling' } });
	expect(await readCancel(world.sql, one.bookingId)).toMatchObject({ round: 1 });
	await keepBooking(world.sql, one.bookingId, 'clinic_refused');
	// The same tap, heard late, is no new wish.
	expect(await cancel(one, requestId)).toMatchObject({ value: { state: 'booked' } });
	const other = await booked({}, one.device);
	expect(await cancel(other, requestId)).toEqual({ ok: false, reason: 'request_reused' });
});

test('[H40] that a visit is kept counts only from the asking that is the newest', async () => {
	const one = await booked();
	const takeUp = async () => {
		await world.sql`
			update bookings set next_attempt_at = clock_timestamp() where id = ${one.bookingId}`;
		expect(await claimBooking(world.sql, one.bookingId, 60_000)).not.toBeNull();
		return must(await readCancel(world.sql, one.bookingId));
	};
	await cancel(one);
	const first = await takeUp();
	expect(await keepBooking(world.sql, one.bookingId, 'too_late', first)).not.toBeNull();
	// The patient asks once more; the first worker's word comes late.
	await cancel(one);
	const second = await takeUp();
	expect([first.attempts, second.attempts]).toEqual([1, 1]);
	expect(await keepBooking(world.sql, one.bookingId, 'too_late', first)).toBeNull();
	const third = await takeUp();
	const word = (asking: typeof first) =>
		settleBooking(world.sql, one.bookingId, { state: 'cancelled' }, { sendsMail: false, asking });
	expect(await word(second)).toBeNull();
	expect(await word(third)).toMatchObject({ state: 'cancelled' });
});

test('[J1] only the own device, only what is booked, only before it begins', async () => {
	const one = await booked();
	expect(await cancel({ ...one, device: makeDevice() })).toEqual({
		ok: false,
		reason: 'booking_unknown'
	});
	expect(await cancel(await confirmed())).toEqual({ ok: false, reason: 'booking_unsettled' });
	const lost = await confirmed();
	await settleBooking(world.sql, lost.bookingId, { state: 'unconfirmed' });
	expect(await cancel(lost)).toEqual({ ok: false, reason: 'booking_unsettled' });
	const refused = await confirmed();
	await settleBooking(world.sql, refused.bookingId, {
		state: 'rejected',
		because: 'clinic_refused'
	});
	expect(await cancel(refused)).toEqual({ ok: false, reason: 'too_late' });
	const begun = await booked({ inMs: HOUR_MS });
	await world.sql`
		update bookings set starts_at = clock_timestamp() - interval '1 second'
		where id = ${begun.bookingId}`;
	expect(await cancel(begun)).toEqual({ ok: false, reason: 'too_late' });
});

test('[J1] what the publisher books itself is answered with the telephone number', async () => {
	const sourceId = await world.addSource({ booking: 'phone' });
	const scheduleId = await world.addSchedule(sourceId);
	const slotId = await world.addSlot(scheduleId, { bookPhone: '+1 406 555 0177' });
	const hold = await world.hold(slotId);
	const made = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!made.ok) throw new Error(made.reason);
	expect(await cancel({ ...hold, slotId, bookingId: made.value.id })).toEqual({
		ok: false,
		reason: 'call_clinic',
		details: { phone: '+1 406 555 0177', linkUrl: null }
	});
});

test('[J2] while the clinic is asked the place is nobody else’s; then the source decides', async () => {
	const one = await booked();
	// Its source lags and lists the time as free.
	await world.sql`update slots set status = 'free', remaining = 1 where id = ${one.slotId}`;
	await cancel(one);
	expect(await isHoldable(one.slotId)).toBe('slot_taken');
	const settled = await settleBooking(world.sql, one.bookingId, { state: 'cancelled' });
	expect(settled).toMatchObject({ state: 'cancelled', deviceKey: one.device });
	expect(await lookOf(one)).toMatchObject({ state: 'cancelled', sequence: 2 });
	expect(await isHoldable(one.slotId)).toBe('held');
	// Settled once: nothing can be freed, kept or cancelled a second time.
	expect(await settleBooking(world.sql, one.bookingId, { state: 'cancelled' })).toBeNull();
	expect(await keepBooking(world.sql, one.bookingId, 'too_late')).toBeNull();
	expect(await isDue(one.bookingId)).toBe(false);
	expect(await cancel(one)).toMatchObject({ ok: true, value: { state: 'cancelled' } });
	expect(await readCancel(world.sql, one.bookingId)).toBeNull();
});

test('[J2] a late word about the booking itself changes nothing while it is being cancelled', async () => {
	const one = await booked({ capacity: 3 });
	await cancel(one);
	const again = { state: 'booked', appointmentId: 'a-1', joinUrl: null } as const;
	expect(await settleBooking(world.sql, one.bookingId, again)).toBeNull();
	const [slot] = await world.sql`select remaining from slots where id = ${one.slotId}`;
	expect(slot).toEqual({ remaining: 2 });
});

test.each(['clinic_refused', 'too_late', 'call_clinic'] as const)(
	'[J3] %s: the visit is booked as before and says why; it may be asked again',
	async (because) => {
		const one = await booked();
		await cancel(one);
		const kept = await keepBooking(world.sql, one.bookingId, because);
		expect(kept).toMatchObject({ state: 'booked', deviceKey: one.device });
		expect(await lookOf(one)).toMatchObject({ state: 'booked', changeRefused: because });
		expect(await isHoldable(one.slotId)).toBe('slot_taken');
		expect(await cancel(one)).toMatchObject({
			value: { state: 'cancelling', changeRefused: null }
		});
		expect(await readCancel(world.sql, one.bookingId)).toMatchObject({ round: 2 });
	}
);

test('[J4] the console is told of each step, and a cancelled visit is news until it was seen', async () => {
	const one = await booked();
	await world.api.acknowledgeBooking(world.sourceId, one.bookingId);
	world.published.length = 0;
	await cancel(one);
	const told = world.published.flatMap((entry) => entry.changes);
	expect(told).toEqual([
		expect.objectContaining({ kind: 'booking', bookingId: one.bookingId, state: 'cancelling' })
	]);
	const shown = async () => {
		const clinic = await world.api.readClinic(world.sourceId);
		if (!clinic.ok) throw new Error(clinic.reason);
		return clinic.value.bookings.find(({ bookingId }) => bookingId === one.bookingId);
	};
	expect(await shown()).toMatchObject({ state: 'cancelling' });
	const settled = await settleBooking(world.sql, one.bookingId, { state: 'cancelled' });
	expect(settled?.entries.flatMap(({ changes }) => changes)).toContainEqual(
		expect.objectContaining({ kind: 'booking', state: 'cancelled' })
	);
	expect(await shown()).toMatchObject({ state: 'cancelled', acknowledgedAt: null });
	await world.api.acknowledgeBooking(world.sourceId, one.bookingId);
	expect(await shown()).toBeUndefined();
});

test('[J29] a clinic declines its own visit only, and its place is free when its system says so', async () => {
	const one = await booked();
	const other = await world.addSource();
	expect(await world.api.declineBooking(other, one.bookingId)).toEqual({
		ok: false,
		reason: 'booking_unknown'
	});
	expect(await world.api.declineBooking(world.sourceId, one.bookingId)).toEqual({
		ok: true,
		value: null
	});
	expect(await lookOf(one)).toMatchObject({ state: 'cancelling' });
	expect(await isDue(one.bookingId)).toBe(true);
	expect(await isHoldable(one.slotId)).toBe('slot_taken');
	// Pressed twice: one wish.
	const [before] = await world.sql`select cancel_round from bookings where id = ${one.bookingId}`;
	expect(await world.api.declineBooking(world.sourceId, one.bookingId)).toMatchObject({ ok: true });
	expect(await world.sql`select cancel_round from bookings where id = ${one.bookingId}`).toEqual([
		before
	]);
	await settleBooking(world.sql, one.bookingId, { state: 'cancelled' });
	expect(await lookOf(one)).toMatchObject({ state: 'cancelled' });
});

test('[J29] a visit that is not settled, or has begun, is not declined', async () => {
	const asked = await confirmed();
	expect(await world.api.declineBooking(world.sourceId, asked.bookingId)).toEqual({
		ok: false,
		reason: 'booking_unsettled'
	});
	const begun = await booked();
	await world.sql`
		update bookings set starts_at = clock_timestamp() - interval '50 days',
			ends_at = clock_timestamp() - interval '50 days' + interval '20 minutes'
		where id = ${begun.bookingId}`;
	expect(await world.api.declineBooking(world.sourceId, begun.bookingId)).toEqual({
		ok: false,
		reason: 'too_late'
	});
});
