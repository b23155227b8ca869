// A clinic's calendar: what stands in it, who can read it, and how it ends.
import ICAL from 'ical.js';
import { sync as nodeIcal } from 'node-ical';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { HOUR_MS } from '#domain/time.ts';
import type { DeviceKey, SourceId } from '#domain/ids.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { createWorld, makeConfirm, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const newClinic = async () => {
	const sourceId = await world.addSource({ zone: 'America/Denver' });
	return { sourceId, scheduleId: await world.addSchedule(sourceId) };
};

const book = async (scheduleId: World['scheduleId'], inMs: number) => {
	const hold = await world.hold(await world.addSlot(scheduleId, { inMs }));
	const made = await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	if (!made.ok) throw new Error(made.reason);
	return made.value.id;
};

const booked = {
	state: 'booked',
	appointmentId: 'a1',
	joinUrl: 'https://visit.example/1'
} as const;
const calendars = () => world.api.clinicCalendars;
const tokenOf = (url: string): string => must(/\/calendar\/([\w-]{43})\.ics$/.exec(url)?.[1]);
const make = async (source: SourceId): Promise<string> => tokenOf(await calendars().make(source));
const read = async (token: string): Promise<string> => {
	const found = await calendars().read(token);
	if (!found.ok) throw new Error(found.reason);
	return found.value;
};

test('[K22] two programs read a clinic’s visits from its address, and nothing of who comes', async () => {
	const { sourceId, scheduleId } = await newClinic();
	const other = await newClinic();
	const [first, second, refused] = [
		await book(scheduleId, 20 * HOUR_MS),
		await book(scheduleId, 30 * HOUR_MS),
		await book(scheduleId, 40 * HOUR_MS)
	];
	await book(other.scheduleId, 25 * HOUR_MS);
	await settleBooking(world.sql, first, booked);
	await settleBooking(world.sql, refused, { state: 'rejected', because: 'clinic_refused' });
	const token = await make(sourceId);
	const text = await read(token);
	const [row] = await world.sql<{ startsAt: number }[]>`
		select starts_at as "startsAt" from bookings where id = ${first}`;

	const calendar = new ICAL.Component(ICAL.parse(text));
	const events = calendar.getAllSubcomponents('vevent').map((each) => new ICAL.Event(each));
	expect(events.map(({ uid }) => uid)).toEqual([`${first}@slotcast`, `${second}@slotcast`]);
	expect(events[0]?.startDate.toJSDate().getTime()).toBe(must(row).startsAt);
	expect(calendar.getAllSubcomponents('vtimezone')).toHaveLength(1);
	expect(calendar.getFirstPropertyValue('method')).toBeNull();
	expect(String(calendar.getFirstPropertyValue('refresh-interval'))).toBe('PT15M');
	const again = Object.values(nodeIcal.parseICS(text)).filter((each) => each?.type === 'VEVENT');
	expect(again.map((each) => each.start.getTime())).toEqual(
		events.map(({ startDate }) => startDate.toJSDate().getTime())
	);
	expect(text).toContain('STATUS:CONFIRMED');
	expect(text).toContain('STATUS:TENTATIVE');
	expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
	expect(text).not.toMatch(/Rosa|Martin|1961|rosa@|555|mole|visit\.example/);
	expect(await read(token)).toBe(text);
});

test('[K22] a cancelled visit stays in the calendar as cancelled, under its UID with a higher SEQUENCE', async () => {
	const { sourceId, scheduleId } = await newClinic();
	const id = await book(scheduleId, 20 * HOUR_MS);
	await settleBooking(world.sql, id, booked);
	const token = await make(sourceId);
	const sequenceOf = async () => {
		const [event] = new ICAL.Component(ICAL.parse(await read(token))).getAllSubcomponents('vevent');
		return {
			uid: event?.getFirstPropertyValue('uid'),
			sequence: Number(event?.getFirstPropertyValue('sequence')),
			status: event?.getFirstPropertyValue('status')
		};
	};
	const before = await sequenceOf();
	await world.sql`
		update bookings set state = 'cancelled', sequence = sequence + 1 where id = ${id}`;
	expect(await sequenceOf()).toEqual({
		uid: before.uid,
		sequence: before.sequence + 1,
		status: 'CANCELLED'
	});
});

test('[K22] a moved visit is one event at its new time, under the UID it had', async () => {
	const { sourceId, scheduleId } = await newClinic();
	const oldId = await book(scheduleId, 20 * HOUR_MS);
	await settleBooking(world.sql, oldId, booked);
	const token = await make(sourceId);
	const [owner] = await world.sql<{ device: DeviceKey }[]>`
		select device_key as device from bookings where id = ${oldId}`;
	const { device } = must(owner);
	const startsAt = Date.now() + 50 * HOUR_MS;
	const hold = await world.hold(await world.addSlot(scheduleId, { inMs: 50 * HOUR_MS }), device);
	const moved = await world.api.moveBooking(device, {
		bookingId: oldId,
		holdId: hold.id,
		requestId: makeRequest()
	});
	if (!moved.ok) throw new Error(moved.reason);
	const eventsOf = async () =>
		new ICAL.Component(ICAL.parse(await read(token)))
			.getAllSubcomponents('vevent')
			.map((each) => new ICAL.Event(each));
	// Until the clinic has booked the new time both are kept.
	const uids = (await eventsOf()).map(({ uid }) => uid);
	expect(uids).toEqual([`${oldId}@slotcast`, `${moved.value.id}@slotcast`]);
	await settleBooking(world.sql, moved.value.id, { ...booked, appointmentId: 'a2' });
	const after = await eventsOf();
	expect(after.map(({ uid }) => uid)).toEqual([`${oldId}@slotcast`]);
	const at = after[0]?.startDate.toJSDate().getTime() ?? 0;
	expect(Math.abs(at - startsAt)).toBeLessThan(HOUR_MS);
});

test('[K22] names of clinics and practitioners are text, whatever they hold', async () => {
	const name = "$& $' `END:VCALENDAR;\r\nBEGIN:VEVENT";
	const { sourceId, scheduleId } = await newClinic();
	await world.sql`update sources set name = ${name} where id = ${sourceId}`;
	await world.sql`update schedules set practitioner_name = ${name} where id = ${scheduleId}`;
	const token = await make(sourceId);
	const empty = new ICAL.Component(ICAL.parse(await read(token)));
	expect(empty.getAllSubcomponents().map((each) => each.name)).toEqual(['vtimezone']);
	const named = (await read(token)).replaceAll('\r\n ', '');
	expect(named).toContain(
		String.raw`X-WR-CALNAME:$& $' ${'`'}END:VCALENDAR\;\nBEGIN:VEVENT · Slotcast`
	);
	await book(scheduleId, 20 * HOUR_MS);
	await book(scheduleId, 30 * HOUR_MS);
	const events = new ICAL.Component(ICAL.parse(await read(token))).getAllSubcomponents('vevent');
	expect(events).toHaveLength(2);
	for (const event of events) {
		const title = String(event.getFirstPropertyValue('summary'));
		expect(title.replaceAll(/\s/g, '')).toContain(name.replaceAll(/\s/g, ''));
	}
});

test('[K23] an address is kept as a hash only; a new one ends the old, and each act is in the audit', async () => {
	const { sourceId } = await newClinic();
	expect(await calendars().since(sourceId)).toBeNull();
	const first = await make(sourceId);
	expect(await calendars().since(sourceId)).not.toBeNull();
	const second = await make(sourceId);
	expect(await calendars().read(first)).toEqual({ ok: false, reason: 'calendar_ended' });
	expect((await calendars().read(second)).ok).toBe(true);
	await calendars().end(sourceId);
	await calendars().end(sourceId);
	expect(await calendars().read(second)).toEqual({ ok: false, reason: 'calendar_ended' });
	expect(await calendars().since(sourceId)).toBeNull();
	for (const wrong of ['', 'x', `${first.slice(0, 42)}!`, first.split('').toReversed().join('')]) {
		expect(await calendars().read(wrong)).toEqual({ ok: false, reason: 'calendar_unknown' });
	}
	const dump = JSON.stringify(await world.sql`select * from clinic_calendars`);
	expect(dump).not.toContain(first);
	const acts = await world.sql<{ action: string }[]>`
		select action from audit where actor = ${`clinic:${sourceId}`} order by id`;
	expect(acts.map(({ action }) => action)).toEqual([
		'calendar_made',
		'calendar_made',
		'calendar_ended'
	]);
});

test('[K23] made in ten tabs at once, one address works', async () => {
	const { sourceId } = await newClinic();
	const tokens = await Promise.all(Array.from({ length: 10 }, () => make(sourceId)));
	const answers = await Promise.all(tokens.map((token) => calendars().read(token)));
	expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
});
