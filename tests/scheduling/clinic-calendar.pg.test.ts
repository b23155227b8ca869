// A clinic's calendar feed: what stands in it, who can read it, and how it ends.
import ICAL from 'ical.js';
import { sync as nodeIcal } from 'node-ical';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { HOUR_MS } from '#domain/time.ts';
import type { SourceId } from '#domain/ids.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { createWorld, makeConfirm, type World } from './world.ts';

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
const feeds = () => world.api.clinicFeeds;
const tokenOf = (url: string): string => must(/\/calendar\/([\w-]{43})\.ics$/.exec(url)?.[1]);
const make = async (source: SourceId): Promise<string> => tokenOf(await feeds().make(source));
const read = async (token: string): Promise<string> => {
	const feed = await feeds().read(token);
	if (!feed.ok) throw new Error(feed.reason);
	return feed.value;
};

test('[K22] two programs read a clinic’s visits from its feed, and nothing of who comes', async () => {
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

test('[K22] a cancelled visit stays in the feed as cancelled, under its UID with a higher SEQUENCE', async () => {
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

test('[K23] an address is kept as a hash only; a new one ends the old, and each act is in the audit', async () => {
	const { sourceId } = await newClinic();
	expect(await feeds().since(sourceId)).toBeNull();
	const first = await make(sourceId);
	expect(await feeds().since(sourceId)).not.toBeNull();
	const second = await make(sourceId);
	expect(await feeds().read(first)).toEqual({ ok: false, reason: 'feed_ended' });
	expect((await feeds().read(second)).ok).toBe(true);
	await feeds().end(sourceId);
	await feeds().end(sourceId);
	expect(await feeds().read(second)).toEqual({ ok: false, reason: 'feed_ended' });
	expect(await feeds().since(sourceId)).toBeNull();
	for (const wrong of ['', 'x', `${first.slice(0, 42)}!`, first.split('').toReversed().join('')]) {
		expect(await feeds().read(wrong)).toEqual({ ok: false, reason: 'feed_unknown' });
	}
	const dump = JSON.stringify(await world.sql`select * from clinic_feeds`);
	expect(dump).not.toContain(first);
	const acts = await world.sql<{ action: string }[]>`
		select action from audit where actor = ${`clinic:${sourceId}`} order by id`;
	expect(acts.map(({ action }) => action)).toEqual(['feed_made', 'feed_made', 'feed_ended']);
});

test('[K23] made in ten tabs at once, one address works', async () => {
	const { sourceId } = await newClinic();
	const tokens = await Promise.all(Array.from({ length: 10 }, () => make(sourceId)));
	const answers = await Promise.all(tokens.map((token) => feeds().read(token)));
	expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
});
