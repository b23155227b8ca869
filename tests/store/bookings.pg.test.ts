import { afterAll, beforeAll, expect, test } from 'vitest';
import { bookingStates, canMove, SOURCE_LAG_MS } from '#domain/booking.ts';
import { must } from '#domain/result.ts';
import { readBookingOrder } from '#server/store/booking-order.ts';
import { settleBooking, type BookingOutcome } from '#server/store/bookings.ts';
import { claimBooking, postponeBooking } from '#server/store/claim-bookings.ts';
import { expireHolds } from '#server/scheduling/expire-holds.ts';
import {
	createWorld,
	makeConfirm,
	makePatient,
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

const confirmed = async (capacity = 1) => {
	const slotId = await world.addSlot(world.scheduleId, { capacity });
	const hold = await world.hold(slotId);
	const reply = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!reply.ok) throw new Error(reply.reason);
	return { ...hold, bookingId: reply.value.id };
};

const rowsOf = async (slotId: number, bookingId: string) => {
	const [row] = await world.sql<
		{
			slot: number;
			status: string;
			remaining: number;
			claims: number[];
			hold: string;
			own: boolean;
		}[]
	>`
		select slot_state(s.status, s.remaining, live_claims(s.claim_untils, clock_timestamp()),
				false) as slot,
			s.status, s.remaining, s.claim_fences as claims, h.state as hold,
			s.own_changed_at > b.created_at as own
		from bookings b join slots s on s.id = b.slot_id join holds h on h.id = b.hold_id
		where b.id = ${bookingId} and s.id = ${slotId}`;
	return must(row);
};

const booked: BookingOutcome = { state: 'booked', appointmentId: 'a-1', joinUrl: null };

test('[K5] booked: the slot is taken, and stays claimed whatever its source says later', async () => {
	const one = await confirmed();
	const settled = await settleBooking(world.sql, one.bookingId, booked);
	expect(settled).toMatchObject({ state: 'booked', deviceKey: one.device });
	expect(settled?.entries).toEqual([
		{ room: 'dermatology:us-mt', seq: expect.any(Number), changes: [[one.slotId, 3]] },
		{
			room: `clinic:${world.sourceId}`,
			seq: expect.any(Number),
			changes: [expect.objectContaining({ kind: 'booking', state: 'booked' })]
		}
	]);
	expect(await rowsOf(one.slotId, one.bookingId)).toEqual({
		slot: 3,
		status: 'busy',
		remaining: 0,
		claims: [one.fence],
		hold: 'booked',
		own: true
	});
	// A source that lags behind its own calendar says "free" once more.
	await world.sql`update slots set status = 'free', remaining = 1 where id = ${one.slotId}`;
	const again = { slotId: one.slotId, requestId: makeRequest() };
	expect(await world.api.placeHold(one.device, again)).toEqual({
		ok: false,
		reason: 'slot_taken'
	});
});

test('[K21] a time its source still lists as free opens again, and everybody is told', async () => {
	const one = await confirmed();
	await settleBooking(world.sql, one.bookingId, booked);
	await world.sql`update slots set status = 'free', remaining = 1 where id = ${one.slotId}`;
	expect((await expireHolds(world)(100)).entries).toEqual([]);
	const [claim] = await world.sql<{ hold: number; slot: number }[]>`
		select extract(epoch from h.expires_at - b.settled_at)::float8 as hold,
			extract(epoch from s.claim_untils[1] - b.settled_at)::float8 as slot
		from bookings b join holds h on h.id = b.hold_id join slots s on s.id = b.slot_id
		where b.id = ${one.bookingId}`;
	expect(must(claim).hold).toBeCloseTo(SOURCE_LAG_MS / 1_000, 0);
	expect(must(claim).slot).toBe(must(claim).hold);

	await world.ageHold(one.id, SOURCE_LAG_MS + 1_000);
	const swept = await expireHolds(world)(100);
	expect(swept.ended).toEqual([]);
	expect(swept.entries[0]?.changes).toEqual([expect.arrayContaining([one.slotId, 1])]);
	expect(await rowsOf(one.slotId, one.bookingId)).toMatchObject({
		slot: 1,
		claims: [],
		hold: 'booked'
	});
	expect((await expireHolds(world)(100)).count).toBe(0);
	expect(await world.api.readBooking(one.device, one.bookingId)).toMatchObject({
		value: { state: 'booked' }
	});
	const next = await world.hold(one.slotId);
	expect(next.fence).toBe(one.fence + 1);
});

test('[K21] a time its source has shown as taken is not opened by the clock', async () => {
	const one = await confirmed();
	await settleBooking(world.sql, one.bookingId, booked);
	await world.ageHold(one.id, SOURCE_LAG_MS + 1_000);
	expect((await expireHolds(world)(100)).count).toBe(1);
	expect(await rowsOf(one.slotId, one.bookingId)).toMatchObject({ slot: 3, hold: 'booked' });
	const again = { slotId: one.slotId, requestId: makeRequest() };
	expect(await world.api.placeHold(one.device, again)).toEqual({
		ok: false,
		reason: 'slot_taken'
	});
});

test('[S10] a source that called the slot busy before we heard from it knows of the booking', async () => {
	const one = await confirmed();
	await world.sql`update slots set status = 'busy', remaining = 0 where id = ${one.slotId}`;
	await settleBooking(world.sql, one.bookingId, booked);
	expect(await rowsOf(one.slotId, one.bookingId)).toMatchObject({ slot: 3, claims: [] });
});

test('[K5] one of several places is counted off', async () => {
	const one = await confirmed(3);
	const settled = await settleBooking(world.sql, one.bookingId, booked);
	expect(settled?.entries[0]?.changes).toEqual([
		[one.slotId, world.scheduleId, expect.any(Number), 20, 1, 2]
	]);
	expect(await rowsOf(one.slotId, one.bookingId)).toMatchObject({
		slot: 1,
		status: 'free',
		remaining: 2,
		claims: []
	});
});

test('[K9] refused by the clinic: the slot is open again; taken by another: it is taken', async () => {
	const one = await confirmed();
	await settleBooking(world.sql, one.bookingId, { state: 'rejected', because: 'clinic_refused' });
	expect(await rowsOf(one.slotId, one.bookingId)).toMatchObject({
		slot: 1,
		claims: [],
		hold: 'rejected'
	});
	const two = await confirmed();
	await settleBooking(world.sql, two.bookingId, { state: 'rejected', because: 'slot_taken' });
	expect(await rowsOf(two.slotId, two.bookingId)).toMatchObject({
		slot: 3,
		status: 'busy',
		claims: [],
		own: true
	});
	expect(await world.api.readBooking(two.device, two.bookingId)).toMatchObject({
		value: { state: 'rejected', rejectedBecause: 'slot_taken', sequence: 1 }
	});
});

test('[K9] an answer that was lost releases nothing and is settled later', async () => {
	const one = await confirmed();
	const lost = await settleBooking(world.sql, one.bookingId, { state: 'unconfirmed' });
	expect(lost?.entries.map((entry) => entry.room)).toEqual([`clinic:${world.sourceId}`]);
	expect(await rowsOf(one.slotId, one.bookingId)).toMatchObject({ slot: 2, hold: 'confirming' });
	expect(await settleBooking(world.sql, one.bookingId, booked)).toMatchObject({ state: 'booked' });
});

test('[K1] a booking moves only along the state machine', async () => {
	const outcomes: BookingOutcome[] = [
		booked,
		{ state: 'rejected', because: 'clinic_refused' },
		{ state: 'unconfirmed' },
		{ state: 'cancelled' }
	];
	const one = await confirmed();
	// Cancelling is booked with a wish (J2); a late "booked" must not count its place off again.
	for (const from of bookingStates.filter((state) => state !== 'cancelling')) {
		for (const outcome of outcomes) {
			await world.sql`
				update bookings set state = ${from},
					rejected_because = ${from === 'rejected' ? 'slot_taken' : null}
				where id = ${one.bookingId}`;
			const settled = await settleBooking(world.sql, one.bookingId, outcome);
			expect(settled !== null).toBe(canMove(from, outcome.state));
		}
	}
});

test('[K1] two workers that settle one booking leave one outcome', async () => {
	const one = await confirmed();
	const settled = await Promise.all([
		settleBooking(world.sql, one.bookingId, booked),
		settleBooking(world.sql, one.bookingId, booked),
		settleBooking(world.sql, one.bookingId, { state: 'rejected', because: 'slot_taken' })
	]);
	expect(settled.filter((outcome) => outcome !== null)).toHaveLength(1);
});

test('[K10] a cancelled booking frees its slot once the source lists it free', async () => {
	const one = await confirmed();
	await settleBooking(world.sql, one.bookingId, booked);
	await settleBooking(world.sql, one.bookingId, { state: 'cancelled' });
	expect(await rowsOf(one.slotId, one.bookingId)).toMatchObject({
		slot: 3,
		claims: [],
		hold: 'released'
	});
});

test('[H40] a worker that was overtaken while it asked the clinic settles nothing', async () => {
	await world.sql`update bookings set next_attempt_at = 'infinity'`;
	const one = await confirmed();
	const takeUp = async () => {
		await postponeBooking(world.sql, one.bookingId, -1);
		expect(await claimBooking(world.sql, one.bookingId, 60_000)).not.toBeNull();
		const order = await readBookingOrder(world.sql, world.phi, one.bookingId, 'worker:test');
		return { sendsMail: false, asking: { attempts: must(order).attempts } };
	};
	const stopped = await takeUp();
	const awake = await takeUp();
	const refused: BookingOutcome = { state: 'rejected', because: 'clinic_refused' };
	const word = (outcome: BookingOutcome, by: typeof stopped) =>
		settleBooking(world.sql, one.bookingId, outcome, by);
	// It heard no; then the other one asked, and the clinic booked.
	expect(await word(refused, stopped)).toBeNull();
	expect(await rowsOf(one.slotId, one.bookingId)).toMatchObject({ hold: 'confirming' });
	expect(await word({ state: 'unconfirmed' }, stopped)).toBeNull();
	expect(await word(booked, awake)).toMatchObject({ state: 'booked' });
});

test('[K12] the order for the clinic holds what it needs, and its reading is in the audit', async () => {
	const one = await confirmed();
	const stored = await readBookingOrder(
		world.sql,
		world.phi,
		one.bookingId,
		'worker:write-booking'
	);
	expect(stored).toMatchObject({
		state: 'confirming',
		order: {
			bookingId: one.bookingId,
			source: { kind: 'fhir-slots', booking: 'fhir', minIntervalMs: 60_000 },
			kind: 'video',
			patient: makePatient()
		}
	});
	expect(stored?.order.sourceSlotId).toMatch(/^s-/);
	expect(stored?.order.scheduleKey).toMatch(/^schedule-/);
	const [read] = await world.sql<{ count: number }[]>`
		select count(*) from audit a
		where action = 'patient_read' and actor = 'worker:write-booking'
			and objects @> (select array[patient_id::text] from bookings where id = ${one.bookingId})`;
	expect(read?.count).toBe(1);
	await settleBooking(world.sql, one.bookingId, booked);
	// Settled: the worker has no business with this patient any more.
	expect(
		await readBookingOrder(world.sql, world.phi, one.bookingId, 'worker:write-booking')
	).toBeNull();
});
