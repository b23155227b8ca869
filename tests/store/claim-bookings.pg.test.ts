// Lending bookings to workers: one at a time, fairly between clinics, until they are too old to ask.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ScheduleId, SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { settleBooking, type BookingOutcome } from '#server/store/bookings.ts';
import {
	claimBooking,
	claimBookings,
	postponeBooking,
	returnBooking,
	type ClaimLimits
} from '#server/store/claim-bookings.ts';
import { readCounts } from '#server/store/status.ts';
import { createWorld, makeConfirm, type World } from '../scheduling/world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
	await world.sql`update bookings set next_attempt_at = 'infinity'`;
});

const booked: BookingOutcome = { state: 'booked', appointmentId: 'a-1', joinUrl: null };

const confirmed = async (scheduleId: ScheduleId = world.scheduleId) => {
	const slotId = await world.addSlot(scheduleId);
	const hold = await world.hold(slotId);
	const reply = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!reply.ok) throw new Error(reply.reason);
	return { ...hold, bookingId: reply.value.id };
};

const claimDue = (over: Partial<ClaimLimits> = {}) =>
	claimBookings(world.sql, {
		limit: 10,
		perSource: 10,
		busy: new Map(),
		leaseMs: 60_000,
		...over
	});

test('[K11] a due booking is lent to one worker at a time, and again after its lease', async () => {
	await world.sql`update bookings set next_attempt_at = 'infinity'`;
	const one = await confirmed();
	const lent = await Promise.all(Array.from({ length: 5 }, () => claimDue()));
	expect(lent.flat().map(({ bookingId }) => bookingId)).toEqual([one.bookingId]);
	expect(await claimBooking(world.sql, one.bookingId, 60_000)).toBeNull();
	await postponeBooking(world.sql, one.bookingId, -1);
	expect(await claimBooking(world.sql, one.bookingId, 60_000)).not.toBeNull();
	await postponeBooking(world.sql, one.bookingId, -1);
	await settleBooking(world.sql, one.bookingId, booked);
	expect(await claimDue()).toEqual([]);
	expect(await claimBooking(world.sql, one.bookingId, 60_000)).toBeNull();
});

test('[K19] an hour after its visit ended a booking is asked about no more, and stays visible', async () => {
	await world.sql`update bookings set next_attempt_at = 'infinity'`;
	const one = await confirmed();
	await settleBooking(world.sql, one.bookingId, { state: 'unconfirmed' });
	const endedAgo = async (minutes: number): Promise<void> => {
		await world.sql`
			update bookings set next_attempt_at = clock_timestamp(),
				starts_at = clock_timestamp() - ${minutes + 20} * interval '1 minute',
				ends_at = clock_timestamp() - ${minutes} * interval '1 minute'
			where id = ${one.bookingId}`;
	};
	await endedAgo(59);
	expect(await claimDue()).toMatchObject([{ bookingId: one.bookingId }]);
	await endedAgo(59);
	expect(await claimBooking(world.sql, one.bookingId, 60_000)).not.toBeNull();
	const before = await readCounts(world.sql);
	await endedAgo(61);
	expect(await claimDue()).toEqual([]);
	expect(await claimBooking(world.sql, one.bookingId, 60_000)).toBeNull();
	const [row] = await world.sql`select state from bookings where id = ${one.bookingId}`;
	expect(row?.['state']).toBe('unconfirmed');
	const { unsettledBookings } = await readCounts(world.sql);
	expect([unsettledBookings, unsettledBookings > 0]).toEqual([before.unsettledBookings, true]);
});

/** `counts[n]` due bookings at the n-th of as many new clinics, those of the first due the longest. */
const queueAt = async (counts: readonly number[]): Promise<SourceId[]> => {
	const sources: SourceId[] = [];
	for (const [index, count] of counts.entries()) {
		const sourceId = await world.addSource();
		sources.push(sourceId);
		const scheduleId = await world.addSchedule(sourceId);
		for (let nr = 0; nr < count; nr += 1) {
			const { bookingId } = await confirmed(scheduleId);
			await postponeBooking(world.sql, bookingId, -100_000 + 1_000 * index);
		}
	}
	return sources;
};

const countOf = (claimed: readonly { readonly sourceId: SourceId }[], sourceId: SourceId): number =>
	claimed.filter((one) => one.sourceId === sourceId).length;

test('[W49] a clinic with many due bookings leaves room for those of others', async () => {
	const [crowded, quiet] = await queueAt([6, 2]);
	const claimed = await claimDue({ perSource: 4 });
	expect(countOf(claimed, must(crowded))).toBe(4);
	expect(countOf(claimed, must(quiet))).toBe(2);
});

test('[W49] what a clinic has under way counts, and the longest due come first', async () => {
	const [hanging, slow, quiet] = await queueAt([3, 3, 3]);
	const busy = new Map([
		[must(hanging), 4],
		[must(slow), 3]
	]);
	const claimed = await claimDue({ perSource: 4, limit: 2, busy });
	expect(countOf(claimed, must(hanging))).toBe(0);
	expect(countOf(claimed, must(slow))).toBe(1);
	expect(countOf(claimed, must(quiet))).toBe(1);
});

test('[W49] a booking that was given back is as if it had never been lent', async () => {
	const one = await confirmed();
	const first = must(await claimBooking(world.sql, one.bookingId, 60_000));
	expect(first).toMatchObject({ sourceId: world.sourceId, attempts: 1 });
	await returnBooking(world.sql, first, 60_000);
	expect(await claimBooking(world.sql, one.bookingId, 60_000)).toBeNull();
	await postponeBooking(world.sql, one.bookingId, -1);
	const second = must(await claimBooking(world.sql, one.bookingId, 60_000));
	expect(second.attempts).toBe(1);
	// One that was taken up by another meanwhile is not given back by the first.
	await postponeBooking(world.sql, one.bookingId, -1);
	const other = must(await claimBooking(world.sql, one.bookingId, 60_000));
	await returnBooking(world.sql, second, -1);
	expect(await claimBooking(world.sql, one.bookingId, 60_000)).toBeNull();
	expect(other.attempts).toBe(2);
});
