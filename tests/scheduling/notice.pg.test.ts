// Minimum notice: a time that has come too near is neither offered nor held; and whom a visit is for.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OperatorNotes } from '#domain/source.ts';
import { HOUR_MS } from '#domain/time.ts';
import { placeHold } from '#server/store/holds.ts';
import {
	createWorld,
	makeConfirm,
	makeDevice,
	makePatient,
	makeQuery,
	makeRequest
} from './world.ts';
import type { World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const limits = { ttlMs: 300_000, maxLive: 9, maxPerHour: 99 };

/** A schedule whose clinic wants so much notice, and a time in it. */
const clinicWith = async (minNoticeMinutes: number | null, inMs: number) => {
	const sourceId = await world.addSource();
	const notes = OperatorNotes.parse(minNoticeMinutes === null ? {} : { minNoticeMinutes });
	await world.sql`update sources set notes = ${world.sql.json(notes)} where id = ${sourceId}`;
	const scheduleId = await world.addSchedule(sourceId);
	return { scheduleId, slotId: await world.addSlot(scheduleId, { inMs }) };
};

test.each([
	[null, 1, 'granted'],
	[60, 2, 'granted'],
	[180, 2, 'too_soon'],
	[1_440, 23, 'too_soon'],
	[1_440, 25, 'granted']
])('[J27] notice of %s minutes, a time in %i hours: %s', async (notice, hours, expected) => {
	const { scheduleId, slotId } = await clinicWith(notice, hours * HOUR_MS);
	const asked = { slotId, requestId: makeRequest() };
	const held = await world.api.placeHold(makeDevice(), asked);
	expect(held.ok ? 'granted' : held.reason).toBe(expected);
	const board = await world.api.readBoard(makeQuery({ scheduleId }));
	expect(board.slots.some(([id]) => id === slotId)).toBe(expected === 'granted');
	expect(board.openCount).toBe(0);
	const near = await world.api.nearestOpen(slotId, makeQuery({ scheduleId }), 5);
	expect(near.map(({ slot }) => slot[0])).not.toContain(slotId);
});

test('[J27] a time that is offered is so until its notice, and not from that millisecond on', async () => {
	const { slotId } = await clinicWith(120, 5 * HOUR_MS);
	const [row] = await world.sql<{ at: number }[]>`
		select (extract(epoch from starts_at) * 1000)::bigint as at from slots where id = ${slotId}`;
	const limit = (row?.at ?? 0) - 2 * HOUR_MS;
	const tryAt = async (at: number): Promise<string> => {
		const asked = { device: makeDevice(), slotId, requestId: makeRequest() };
		return (await placeHold(world.sql, asked, limits, at)).outcome;
	};
	expect(await tryAt(limit + 1)).toBe('too_soon');
	expect(await tryAt(limit)).toBe('too_soon');
	expect(await tryAt((row?.at ?? 0) + 1)).toBe('slot_past');
	expect(await tryAt(limit - 1)).toBe('granted');
});

test('[J27] a hold granted in time is answered again, and can be confirmed, after it', async () => {
	const { slotId } = await clinicWith(null, 2 * HOUR_MS);
	const device = makeDevice();
	const asked = { slotId, requestId: makeRequest() };
	const first = await world.api.placeHold(device, asked);
	await world.sql`
		update sources set notes = '{"minNoticeMinutes": 600}'
		where id = (select source_id from slots where id = ${slotId})`;
	const again = await world.api.placeHold(device, asked);
	if (!first.ok || !again.ok) throw new Error('not held');
	expect(again.value.id).toBe(first.value.id);
	const confirmed = await world.api.confirmBooking(device, makeConfirm(first.value.id));
	expect(confirmed).toMatchObject({ ok: true, value: { state: 'confirming' } });
});

test.each(['me', 'child', 'cared_for'] as const)(
	'[J26] a visit for "%s" is shown to the clinic and is on disk only encrypted',
	async (forWhom) => {
		const hold = await world.hold(await world.addSlot(world.scheduleId));
		const patient = makePatient({ forWhom });
		const made = await world.api.confirmBooking(hold.device, makeConfirm(hold.id, { patient }));
		if (!made.ok) throw new Error(made.reason);
		const clinic = await world.api.readClinic(world.sourceId);
		const shown = clinic.ok ? clinic.value.bookings : [];
		expect(shown.find(({ bookingId }) => bookingId === made.value.id)).toMatchObject({ forWhom });
		const rows = await world.sql`
			select b::text as booking, p::text as patient from bookings b
			join patients p on p.id = b.patient_id where b.id = ${made.value.id}`;
		expect(JSON.stringify(rows)).not.toMatch(/cared_for|child|forWhom/);
	}
);
