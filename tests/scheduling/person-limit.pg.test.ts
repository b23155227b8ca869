// How many visits to come one person may have, from whatever device.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ConfirmBooking } from '#domain/commands.ts';
import { must } from '#domain/result.ts';
import type { BookingId } from '#domain/ids.ts';
import { createPhiCipher } from '#server/platform/phi.ts';
import { createHubApi } from '#server/scheduling/hub-api.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { shredPatient } from '#server/store/patients.ts';
import { printsOf } from '#server/store/person-limit.ts';
import { createWorld, makeConfirm, makePatient, makeRequest, phi, type World } from './world.ts';

const MOST = 3;
let world: World;
beforeAll(async () => {
	world = await createWorld({
		config: { holdTtlMs: 300_000, maxHoldsPerDevice: 2, maxVisitsPerPerson: MOST }
	});
});
afterAll(async () => {
	await world.close();
});

type Patient = Partial<ConfirmBooking['patient']>;
let people = 0;
/** Somebody whom no other test books for. */
const newPerson = (): Patient => ({ familyName: `Person ${(people += 1)}` });

/** Books from a new device; the id, or why not. */
const book = async (patient: Patient, api = world.api): Promise<string> => {
	const schedule = await world.addSchedule(world.sourceId);
	const hold = await world.hold(await world.addSlot(schedule));
	const command = makeConfirm(hold.id, { patient: makePatient(patient) });
	const made = await api.confirmBooking(hold.device, command);
	return made.ok ? made.value.id : made.reason;
};
const bookMost = async (patient: Patient): Promise<string[]> => {
	const ids: string[] = [];
	for (let nr = 0; nr < MOST; nr += 1) ids.push(await book(patient));
	return ids;
};

test('[H42] one more than the most is refused, from whatever device; the hold stays', async () => {
	const person = newPerson();
	await bookMost(person);
	const hold = await world.hold(await world.addSlot(world.scheduleId));
	const command = makeConfirm(hold.id, { patient: makePatient(person) });
	const refused = await world.api.confirmBooking(hold.device, command);
	expect(refused).toMatchObject({ ok: false, reason: 'visit_limit' });
	const kept = await world.api.readHold(hold.device, hold.id);
	expect(kept).toMatchObject({ ok: true, value: { state: 'held' } });
	expect(await book(newPerson())).not.toBe('visit_limit');
});

test.each([
	['in capitals', { givenName: 'JOSÉ', familyName: 'NÚÑEZ' }, 'visit_limit'],
	['without accents', { givenName: 'Jose', familyName: 'Nunez' }, 'visit_limit'],
	['with signs and spaces', { givenName: ' Jo-sé ', familyName: 'Núñez.' }, 'visit_limit'],
	['with another telephone', { phone: '+1 406 555 0111', email: null }, 'visit_limit'],
	['born on another day', { bornOn: '1980-02-03' }, null],
	['with another first name', { givenName: 'Joseph' }, null]
])('[H42] the same person %s', async (_name, over, expected) => {
	const jose = { givenName: 'José', familyName: 'Núñez', bornOn: '1980-02-02' };
	const [row] = await world.sql<{ count: number }[]>`
		select count(*)::int as count from bookings
		where person = ${printsOf(phi, makePatient(jose)).print}`;
	if (must(row).count === 0) await bookMost(jose);
	const outcome = await book({ ...jose, ...over });
	if (expected === null) expect(outcome).not.toBe('visit_limit');
	else expect(outcome).toBe(expected);
});

test('[H42] many at once for one person: exactly the most is booked', async () => {
	const person = newPerson();
	const outcomes = await Promise.all(Array.from({ length: 10 }, () => book(person)));
	expect(outcomes.filter((outcome) => outcome === 'visit_limit')).toHaveLength(10 - MOST);
});

test('[H42] a visit that was refused, or is over, does not count', async () => {
	const person = newPerson();
	const [first = '', second = ''] = await bookMost(person);
	expect(await book(person)).toBe('visit_limit');
	await settleBooking(world.sql, first as BookingId, {
		state: 'rejected',
		because: 'clinic_refused'
	});
	expect(await book(person)).not.toBe('visit_limit');
	expect(await book(person)).toBe('visit_limit');
	await world.sql`
		update bookings set starts_at = starts_at - interval '30 days',
			ends_at = ends_at - interval '30 days' where id = ${second}`;
	expect(await book(person)).not.toBe('visit_limit');
});

test('[H42] a visit that is being moved is one visit', async () => {
	const person = newPerson();
	const schedule = await world.addSchedule(world.sourceId);
	const hold = await world.hold(await world.addSlot(schedule));
	const command = makeConfirm(hold.id, { patient: makePatient(person) });
	const made = await world.api.confirmBooking(hold.device, command);
	if (!made.ok) throw new Error(made.reason);
	const bookingId = made.value.id;
	await settleBooking(world.sql, bookingId, { state: 'booked', appointmentId: 'a', joinUrl: null });
	const { id: holdId } = await world.hold(await world.addSlot(schedule), hold.device);
	const moved = { bookingId, holdId, requestId: makeRequest() };
	expect(await world.api.moveBooking(hold.device, moved)).toMatchObject({ ok: true });
	const [second, third, fourth] = [await book(person), await book(person), await book(person)];
	expect([second, third]).not.toContain('visit_limit');
	expect(fourth).toBe('visit_limit');
});

test('[H42] a request that was granted is answered as it was, limit or not', async () => {
	const person = newPerson();
	const hold = await world.hold(await world.addSlot(world.scheduleId));
	const command = makeConfirm(hold.id, { patient: makePatient(person) });
	const first = await world.api.confirmBooking(hold.device, command);
	await book(person);
	await book(person);
	expect(await world.api.confirmBooking(hold.device, command)).toEqual(first);
});

test('[H42] a new key of the hub forgets nobody', async () => {
	const person = newPerson();
	await bookMost(person);
	const later = createPhiCipher(
		new Map([
			['k2', Buffer.alloc(32, 8)],
			['k1', Buffer.alloc(32, 7)]
		])
	);
	expect(printsOf(later, makePatient(person)).prints).toContain(
		printsOf(phi, makePatient(person)).print
	);
	const api = createHubApi({ ...world.deps, phi: later });
	expect(await book(person, api)).toBe('visit_limit');
});

test('[H42] nothing of the person is in the digest, and it goes with their data', async () => {
	const person = newPerson();
	const id = await book(person);
	const read = async () => {
		const [row] = await world.sql<{ person: string | null; patientId: string }[]>`
			select person, patient_id as "patientId" from bookings where id = ${id}`;
		return must(row);
	};
	const { person: print, patientId } = await read();
	expect(print).toMatch(/^k1:[0-9a-f]{64}$/);
	await shredPatient(world.sql, patientId as never);
	expect((await read()).person).toBeNull();
});
