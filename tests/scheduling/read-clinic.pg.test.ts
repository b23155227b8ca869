import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BookingId, SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { HOUR_MS } from '#domain/time.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { shredPatient } from '#server/store/patients.ts';
import { labelOf } from '#server/scheduling/read-clinic.ts';
import { createWorld, makeConfirm, makePatient, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const newClinic = async (zone = 'America/Denver') => {
	const sourceId = await world.addSource({ zone });
	return { sourceId, scheduleId: await world.addSchedule(sourceId) };
};

const book = async (scheduleId: World['scheduleId'], inMs: number) => {
	const hold = await world.hold(await world.addSlot(scheduleId, { inMs }));
	const made = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!made.ok) throw new Error(made.reason);
	return { ...hold, bookingId: made.value.id };
};

const snapshotOf = async (sourceId: SourceId) => {
	const reply = await world.api.readClinic(sourceId);
	if (!reply.ok) throw new Error(reply.reason);
	return reply.value;
};

test('[K16] the console shows what has not been seen first, and patients by a short name', async () => {
	const { sourceId, scheduleId } = await newClinic();
	const late = await book(scheduleId, 50 * HOUR_MS);
	const soon = await book(scheduleId, 20 * HOUR_MS);
	const seen = await book(scheduleId, 10 * HOUR_MS);
	const refused = await book(scheduleId, 5 * HOUR_MS);
	await settleBooking(world.sql, refused.bookingId, {
		state: 'rejected',
		because: 'clinic_refused'
	});
	expect(await world.api.acknowledgeBooking(sourceId, seen.bookingId)).toMatchObject({ ok: true });
	const held = await world.hold(await world.addSlot(scheduleId));
	const snapshot = await snapshotOf(sourceId);
	expect(snapshot).toMatchObject({ sourceId, name: 'Big Sky Clinic', zone: 'America/Denver' });
	expect(snapshot.bookings.map((b) => b.bookingId)).toEqual([
		soon.bookingId,
		late.bookingId,
		seen.bookingId
	]);
	expect(snapshot.bookings[0]).toMatchObject({
		patientLabel: 'Rosa M.',
		phone: '+1 406 555 0100',
		reason: 'a mole that changed',
		state: 'confirming',
		acknowledgedAt: null
	});
	expect(JSON.stringify(snapshot)).not.toMatch(/Mart|1961|rosa@/);
	expect(snapshot.heldNow).toEqual([expect.objectContaining({ slotId: held.slotId })]);
	const [room] = await world.sql<{ seq: number }[]>`
		select seq from rooms where name = ${`clinic:${sourceId}`}`;
	expect(snapshot.seq).toBe(must(room).seq);
});

test('[P7] reading a console leaves one audit row that names every patient on it', async () => {
	const { sourceId, scheduleId } = await newClinic();
	await book(scheduleId, 20 * HOUR_MS);
	await book(scheduleId, 30 * HOUR_MS);
	await snapshotOf(sourceId);
	const rows = await world.sql<{ objects: string[] }[]>`
		select objects from audit where actor = ${`clinic:${sourceId}`}`;
	expect(rows).toHaveLength(1);
	expect(rows[0]?.objects).toHaveLength(2);
	const empty = await newClinic();
	await snapshotOf(empty.sourceId);
	expect(
		await world.sql`select 1 from audit where actor = ${`clinic:${empty.sourceId}`}`
	).toHaveLength(0);
});

test('[P6] an erased patient leaves the visit on the console, without a name', async () => {
	const { sourceId, scheduleId } = await newClinic();
	const one = await book(scheduleId, 20 * HOUR_MS);
	const [row] = await world.sql<{ id: Parameters<typeof shredPatient>[1] }[]>`
		select patient_id as id from bookings where id = ${one.bookingId}`;
	await shredPatient(world.sql, must(row).id);
	expect((await snapshotOf(sourceId)).bookings).toEqual([
		expect.objectContaining({ bookingId: one.bookingId, patientLabel: '—', reason: null })
	]);
});

test.each(['Pacific/Honolulu', 'America/New_York', 'Pacific/Kiritimati'])(
	'[K17] days are those of the clinic: %s',
	async (zone) => {
		const { sourceId, scheduleId } = await newClinic(zone);
		const day = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' });
		const expected = new Map<string, [number, number, number]>();
		const count = (at: number, index: 0 | 1 | 2) => {
			const key = day.format(at);
			const counts = expected.get(key) ?? [0, 0, 0];
			counts[index] += 1;
			expected.set(key, counts);
		};
		const now = Math.floor(Date.now() / 60_000) * 60_000;
		for (let hour = 1; hour <= 30; hour += 1) {
			await world.addSlot(scheduleId, { inMs: hour * HOUR_MS });
			count(now + hour * HOUR_MS, 0);
			await world.addSlot(scheduleId, { inMs: hour * HOUR_MS, status: 'busy' });
			count(now + hour * HOUR_MS, 2);
		}
		await world.hold(await world.addSlot(scheduleId, { inMs: 26 * HOUR_MS }));
		count(now + 26 * HOUR_MS, 1);
		const { days } = await snapshotOf(sourceId);
		expect(days).toHaveLength(7);
		expect(days[0]?.date).toBe(day.format(Date.now()));
		for (const { date, open, held, taken } of days) {
			expect([date, open, held, taken]).toEqual([date, ...(expected.get(date) ?? [0, 0, 0])]);
		}
	}
);

test('[K18] a clinic acknowledges its own bookings only, once, and its consoles hear of it', async () => {
	const { sourceId, scheduleId } = await newClinic();
	const one = await book(scheduleId, 20 * HOUR_MS);
	const other = await newClinic();
	const unknown = { ok: false, reason: 'booking_unknown' };
	expect(await world.api.acknowledgeBooking(other.sourceId, one.bookingId)).toEqual(unknown);
	const nobody = BookingId.parse(randomUUID());
	expect(await world.api.acknowledgeBooking(sourceId, nobody)).toEqual(unknown);
	const before = world.published.length;
	for (let i = 0; i < 3; i += 1) {
		expect(await world.api.acknowledgeBooking(sourceId, one.bookingId)).toEqual({
			ok: true,
			value: null
		});
	}
	expect(world.published.slice(before).map((entry) => entry.room)).toEqual([`clinic:${sourceId}`]);
	expect((await snapshotOf(sourceId)).bookings[0]?.acknowledgedAt).toBeGreaterThan(0);
	expect(await world.api.readClinic(SourceId.parse(99_999))).toEqual({
		ok: false,
		reason: 'not_allowed'
	});
});

test('[K16] the short name is a given name and one letter, in any script', () => {
	const label = (givenName: string, familyName: string) =>
		labelOf(makePatient({ givenName, familyName }));
	expect(label('Rosa', 'martínez')).toBe('Rosa M.');
	expect(label('Δήμητρα', 'ωνάση')).toBe('Δήμητρα Ω.');
	expect(label('A', '𝒳y')).toBe('A 𝒳.');
});
