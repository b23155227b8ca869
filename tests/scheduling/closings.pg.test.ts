// A clinic's closings: what patients see and can hold while times are closed, and what comes back.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Closing } from '#domain/closing.ts';
import type { ScheduleId, SlotId, SourceId } from '#domain/ids.ts';
import type { WireChange } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import { slotStates } from '#domain/slot.ts';
import { DAY_MS, HOUR_MS } from '#domain/time.ts';
import { offerTimes } from '#server/scheduling/offer-times.ts';
import { raiseAlerts } from '#server/scheduling/raise-alerts.ts';
import { claimPoll } from '#server/store/sources.ts';
import { readKnownSlots } from '#server/store/slots.ts';
import { commitPoll } from '#server/store/commit-poll.ts';
import { diffFull } from '#domain/slot-diff.ts';
import { makeAnswer, makeFact, makeSchedule } from '../store/poll-world.ts';
import {
	createWorld,
	makeConfirm,
	makeDevice,
	makeQuery,
	makeRequest,
	type World
} from './world.ts';

let world: World;
const alertsAdded: ScheduleId[] = [];
beforeAll(async () => {
	world = await createWorld({
		addAlerts: async (ids) => {
			alertsAdded.push(...ids);
			return true;
		}
	});
});
afterAll(async () => {
	await world.close();
});

/** A zone in which it is about noon: whatever begins within a few hours is today. */
const noonZone = (): string => {
	const ahead = 12 - new Date().getUTCHours();
	return `Etc/GMT${ahead === 0 ? '' : ahead > 0 ? -ahead : `+${-ahead}`}`;
};

let rooms = 0;
/** A clinic with a time today and one tomorrow, alone in a room of its own. */
const newClinic = async () => {
	const zone = noonZone();
	const room = `dermatology:us-${(rooms += 1)}`;
	const sourceId = await world.addSource({ zone });
	const scheduleId = await world.addSchedule(sourceId, { zone, rooms: [room] });
	const today = await world.addSlot(scheduleId, { inMs: 2 * HOUR_MS });
	const tomorrow = await world.addSlot(scheduleId, { inMs: DAY_MS + 2 * HOUR_MS });
	return { sourceId, scheduleId, today, tomorrow, zone, room };
};

const close = async (source: SourceId, schedule: ScheduleId | null, closing: Closing | null) => {
	const done = await world.api.clinicSchedules.close(source, schedule, closing);
	if (!done.ok) throw new Error(done.reason);
};
const place = async (slotId: SlotId, device = makeDevice()) => {
	const placed = await world.api.placeHold(device, { slotId, requestId: makeRequest() });
	return placed.ok ? 'granted' : placed.reason;
};
const boardOf = (scheduleId: ScheduleId) =>
	world.api.readBoard(makeQuery({ scheduleId, region: 'US-MT' }));

/** The board of a room that no search of ours names: the rows of one schedule. */
const shownOf = async (scheduleId: ScheduleId): Promise<SlotId[]> => {
	await world.sql`
		update schedules set room_ids = room_ids || (select id from rooms where name = 'dermatology:us-mt')
		where id = ${scheduleId} and not room_ids @> array(
			select id from rooms where name = 'dermatology:us-mt')`;
	return (await boardOf(scheduleId)).slots.map(([id]) => id);
};
const toldIn = (room: string) =>
	world.published
		.filter((entry) => entry.room === room)
		.flatMap(({ changes }) => changes as readonly WireChange[]);

test('[K25] no more today: today’s times leave every board and cannot be held, tomorrow’s stay', async () => {
	const { sourceId, scheduleId, today, tomorrow, room, zone } = await newClinic();
	expect(await shownOf(scheduleId)).toEqual([today, tomorrow]);
	await close(sourceId, scheduleId, 'today');
	expect(await shownOf(scheduleId)).toEqual([tomorrow]);
	expect(toldIn(room)).toEqual([[today, slotStates.gone]]);
	expect(await place(today)).toBe('slot_gone');
	const slot = await world.api.readSlot(today, null);
	expect(slot.ok && slot.value.slot[4]).toBe(slotStates.gone);
	const near = await world.api.nearestOpen(tomorrow, makeQuery({ scheduleId }), 5);
	expect(near.map((one) => one.slot[0])).not.toContain(today);
	const [card] = (await boardOf(scheduleId)).schedules;
	const untilMidnight = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeStyle: 'short' });
	expect(untilMidnight.format(must(must(card).closedUntil))).toBe('00:00');
	expect(await place(tomorrow)).toBe('granted');
});

test('[K25] what was closed today comes back whole, and can be held again', async () => {
	const { sourceId, scheduleId, today, room } = await newClinic();
	await close(sourceId, scheduleId, 'today');
	expect(await world.api.clinicSchedules.list(sourceId)).toMatchObject([
		{ id: scheduleId, closing: 'today', openToday: 1 }
	]);
	await close(sourceId, scheduleId, null);
	const minute = expect.any(Number);
	expect(toldIn(room).at(-1)).toEqual([today, scheduleId, minute, 20, slotStates.open, 1]);
	expect(await shownOf(scheduleId)).toContain(today);
	expect(await place(today)).toBe('granted');
});

test('[K25] twice the same tells nobody twice', async () => {
	const { sourceId, scheduleId, room } = await newClinic();
	await close(sourceId, scheduleId, 'today');
	await close(sourceId, scheduleId, 'today');
	expect(toldIn(room)).toHaveLength(1);
});

test('[K25] who holds a time when it closes may book it; let go, it is open to nobody', async () => {
	const { sourceId, scheduleId, today, room } = await newClinic();
	const second = await world.addSlot(scheduleId, { inMs: 3 * HOUR_MS });
	const kept = await world.hold(today);
	const left = await world.hold(second);
	await close(sourceId, null, 'today');
	await world.api.releaseHold(left.device, left.id);
	expect(toldIn(room).at(-1)).toEqual([second, slotStates.gone]);
	expect(await place(second)).toBe('slot_gone');
	const made = await world.api.confirmBooking(kept.device, makeConfirm(kept.id));
	expect(made).toMatchObject({ ok: true, value: { state: 'confirming' } });
});

test('[K25] a request that was granted before the closing is answered as it was', async () => {
	const { sourceId, today } = await newClinic();
	const device = makeDevice();
	const command = { slotId: today, requestId: makeRequest() };
	const first = await world.api.placeHold(device, command);
	await close(sourceId, null, 'today');
	const again = await world.api.placeHold(device, command);
	expect(again).toMatchObject({ ok: true, value: { id: first.ok ? first.value.id : '' } });
});

test('[K25] what a poll finds in closed hours is told to nobody until they open', async () => {
	const { sourceId, scheduleId, zone, room } = await newClinic();
	await world.sql`update schedules set key = 'a' where id = ${scheduleId}`;
	await close(sourceId, scheduleId, 'today');
	const before = toldIn(room).length;
	const at = Math.floor((Date.now() + 4 * HOUR_MS) / 60_000) * 60_000;
	const fact = { startsAt: at as never, endsAt: (at + 900_000) as never };
	const facts = [makeFact(0, fact), makeFact(1)];
	const answer = makeAnswer({
		listing: { form: 'full', facts },
		schedules: [makeSchedule({ zone })],
		state: 'partial'
	});
	const claim = must(await claimPoll(world.sql, sourceId, HOUR_MS));
	const changes = diffFull(await readKnownSlots(world.sql, sourceId), facts, answer);
	expect(changes).toHaveLength(2);
	// The rooms of the fact are not those of the test's schedule: keep them.
	const silentSchedules = { ...answer, schedules: null };
	const done = await commitPoll(world.sql, {
		claim,
		answer: silentSchedules,
		changes,
		nextPollInMs: 0,
		suspect: null
	});
	const entries = done.ok ? done.value.entries : [];
	expect(entries.flatMap((entry) => entry.changes)).toHaveLength(1);
	await close(sourceId, scheduleId, null);
	expect(toldIn(room).length).toBe(before + 2);
});

test('[K25] nobody in line is offered a closed time', async () => {
	const { sourceId, scheduleId, today } = await newClinic();
	await world.sql`delete from slots where schedule_id = ${scheduleId} and id <> ${today}`;
	await close(sourceId, scheduleId, 'today');
	const device = makeDevice();
	const { specialty, region, kinds, plan, language, dayPart, zone } = makeQuery();
	const wish = { specialty, region, scheduleId, kinds: [...kinds], plan, language, dayPart, zone };
	await world.api.joinWaiting(device, { requestId: makeRequest(), ...wish });
	const offer = offerTimes({ sql: world.sql, publish: () => {} });
	expect(await offer()).toEqual([]);
	await close(sourceId, scheduleId, null);
	expect(await offer()).toMatchObject([{ device }]);
});

test('[K26] taken off: on no board and in no count, until it is put back', async () => {
	const { sourceId, scheduleId, today, tomorrow } = await newClinic();
	await shownOf(scheduleId);
	const { providerCount } = await boardOf(scheduleId);
	expect(providerCount).toBe(1);
	await close(sourceId, scheduleId, 'off');
	const board = await boardOf(scheduleId);
	expect(board).toMatchObject({ providerCount: 0, schedules: [], slots: [], openCount: 0 });
	expect([await place(today), await place(tomorrow)]).toEqual(['slot_gone', 'slot_gone']);
	await close(sourceId, scheduleId, null);
	expect(await shownOf(scheduleId)).toEqual([today, tomorrow]);
});

test('[K26] from off to “no more today” only the later times come back', async () => {
	const { sourceId, scheduleId, tomorrow, room } = await newClinic();
	await close(sourceId, scheduleId, 'off');
	const before = toldIn(room).length;
	await close(sourceId, scheduleId, 'today');
	expect(await shownOf(scheduleId)).toEqual([tomorrow]);
	expect(
		toldIn(room)
			.slice(before)
			.map(([id]) => id)
	).toEqual([tomorrow]);
});

test.each([
	['all are off', true],
	['one is not', false]
])('[K26] somebody new in the calendar of a clinic where %s', async (_name, isWhole) => {
	const { sourceId, zone } = await newClinic();
	const other = await world.addSchedule(sourceId, { zone });
	await close(sourceId, isWhole ? null : other, 'off');
	const claim = must(await claimPoll(world.sql, sourceId, HOUR_MS));
	const answer = makeAnswer({ schedules: [makeSchedule({ key: 'new', practitionerName: 'New' })] });
	await commitPoll(world.sql, { claim, answer, changes: [], nextPollInMs: 0, suspect: null });
	const list = await world.api.clinicSchedules.list(sourceId);
	expect(list.find(({ practitionerName }) => practitionerName === 'New')?.closing).toBe(
		isWhole ? 'off' : null
	);
});

test('[K26] who asked to hear of openings hears when somebody is put back', async () => {
	const { sourceId, scheduleId } = await newClinic();
	const device = makeDevice();
	const { specialty, region, zone } = makeQuery();
	const wish = { specialty, region, scheduleId, kinds: [], plan: null, language: null, zone };
	await world.api.subscribeAlert(device, { requestId: makeRequest(), dayPart: 'any', ...wish });
	const raise = raiseAlerts(world);
	await raise([scheduleId]);
	alertsAdded.length = 0;
	await close(sourceId, scheduleId, 'off');
	expect(alertsAdded).toEqual([scheduleId]);
	expect(await raise([scheduleId])).toEqual([]);
	await close(sourceId, scheduleId, null);
	expect(await raise([scheduleId])).toMatchObject([{ device, notice: { kind: 'opened' } }]);
});

test('[K27] a clinic closes its own only, and each act stands in the audit', async () => {
	const mine = await newClinic();
	const theirs = await newClinic();
	const refused = await world.api.clinicSchedules.close(mine.sourceId, theirs.scheduleId, 'off');
	expect(refused).toMatchObject({ ok: false, reason: 'schedule_unknown' });
	await close(mine.sourceId, null, 'today');
	await close(mine.sourceId, null, null);
	expect(await place(theirs.today)).toBe('granted');
	const acts = await world.sql<{ action: string; objects: string[] }[]>`
		select action, objects from audit where actor = ${`clinic:${mine.sourceId}`} order by id`;
	const objects = [`schedule:${mine.scheduleId}`];
	expect(acts).toEqual([
		{ action: 'schedule_closed', objects },
		{ action: 'schedule_opened', objects }
	]);
});
