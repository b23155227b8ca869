// Twins in the store: which times patients see when several sources list one practitioner.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireChange } from '#domain/protocol.ts';
import type { ScheduleId, SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { OperatorNotes } from '#domain/source.ts';
import { slotStates } from '#domain/slot.ts';
import { settleTwins } from '#server/scheduling/settle-twins.ts';
import { deleteSource } from '#server/store/sources.ts';
import { readTwinTrace } from '#server/store/twins.ts';
import { inventNpi } from '../../demo/clinics/people.ts';
import { createWorld, makeDevice, makeQuery, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const settle = () =>
	settleTwins({ sql: world.sql, publish: world.publish, addAlerts: async () => true })();

let people = 0;
const rooms = 'dermatology:us-mt';

/** One practitioner in as many sources as `notes` has parts, each with one time. */
const newTwins = async (...notes: Parameters<typeof OperatorNotes.parse>[0][]) => {
	people += 1;
	const name = `Dr. Twin ${people}`;
	const list = [];
	for (const note of notes) {
		const sourceId = await world.addSource();
		const parsed = OperatorNotes.parse(note);
		await world.sql`update sources set notes = ${world.sql.json(parsed)} where id = ${sourceId}`;
		const scheduleId = await world.addSchedule(sourceId, { name, rooms: [rooms] });
		await world.sql`
			update schedules set practitioner_npi = ${inventNpi(people)} where id = ${scheduleId}`;
		list.push({ sourceId, scheduleId, slotId: await world.addSlot(scheduleId) });
	}
	return list;
};

const shownOf = async (twins: readonly { readonly scheduleId: ScheduleId }[]) => {
	const board = await world.api.readBoard(makeQuery());
	const shown = new Set(board.schedules.map(({ id }) => id));
	return twins.map(({ scheduleId }) => shown.has(scheduleId));
};
const toldOf = (slotId: number) =>
	world.published
		.filter(({ room }) => room === rooms)
		.flatMap(({ changes }) => changes as readonly WireChange[])
		.filter(([id]) => id === slotId)
		.map((change) => (change.length === 2 ? change[1] : change[4]));
const place = async (slotId: number) => {
	const asked = { slotId: slotId as never, requestId: makeRequest() };
	const placed = await world.api.placeHold(makeDevice(), asked);
	return placed.ok ? 'granted' : placed.reason;
};
const keyOf = async (source: SourceId): Promise<string> => {
	const [row] = await world.sql<{ key: string }[]>`select key from sources where id = ${source}`;
	return row?.key ?? '';
};

test('[E20] of two sources the more trusted is shown; the other’s times are told as gone and not held', async () => {
	const twins = await newTwins({ trustRank: 60 }, { trustRank: 10 });
	const [less, more] = [must(twins[0]), must(twins[1])];
	expect(await shownOf(twins)).toEqual([true, true]);
	expect(await settle()).toBe(1);
	expect(await shownOf(twins)).toEqual([false, true]);
	expect(toldOf(less.slotId)).toEqual([slotStates.gone]);
	expect(toldOf(more.slotId)).toEqual([]);
	expect([await place(less.slotId), await place(more.slotId)]).toEqual(['slot_gone', 'granted']);
	expect(await settle()).toBe(0);
});

test('[E20] when the shown source is silent for too long, or removed, its twin stands in and is told', async () => {
	const twins = await newTwins({ trustRank: 10 }, {});
	const [first, second] = [must(twins[0]), must(twins[1])];
	await settle();
	expect(await shownOf(twins)).toEqual([true, false]);
	await world.sql`
		update sources set checked_at = checked_at - interval '1 day' where id = ${first.sourceId}`;
	expect(await settle()).toBe(2);
	expect(toldOf(second.slotId)).toEqual([slotStates.gone, slotStates.open]);
	expect((await shownOf(twins))[1]).toBe(true);
	await world.sql`update sources set checked_at = clock_timestamp() where id = ${first.sourceId}`;
	await settle();
	expect(await shownOf(twins)).toEqual([true, false]);
	await deleteSource(world.sql, first.sourceId);
	expect(await settle()).toBe(1);
	expect((await shownOf(twins))[1]).toBe(true);
});

test('[E20] what an operator notes as the same is one, without any number', async () => {
	const twins = await newTwins({}, {});
	const [first, second] = [must(twins[0]), must(twins[1])];
	await world.sql`update schedules set practitioner_npi = null
		where id in (${first.scheduleId}, ${second.scheduleId})`;
	expect(await settle()).toBe(0);
	const notes = OperatorNotes.parse({ sameAs: [await keyOf(first.sourceId)] });
	await world.sql`
		update sources set notes = ${world.sql.json(notes)} where id = ${second.sourceId}`;
	await settle();
	expect(await shownOf(twins)).toEqual([true, false]);
	await world.sql`update sources set notes = '{}' where id = ${second.sourceId}`;
	await settle();
	expect(await shownOf(twins)).toEqual([true, true]);
});

test('[E20] what a clinic closed stays closed, and comes back for nobody as a twin', async () => {
	const twins = await newTwins({ trustRank: 1 }, {});
	await settle();
	await world.api.clinicSchedules.close(must(twins[0]).sourceId, null, 'off');
	await settle();
	expect(await shownOf(twins)).toEqual([false, false]);
	expect(await place(must(twins[1]).slotId)).toBe('slot_gone');
});

test('[E20] who watched or waited for the hidden one hears of the shown one', async () => {
	const twins = await newTwins({}, { trustRank: 1 });
	const [hidden, shown] = [must(twins[0]), must(twins[1])];
	const device = makeDevice();
	const { specialty, region, zone } = makeQuery();
	const wish = { specialty, region, zone, kinds: [], plan: null, language: null };
	const more = { scheduleId: hidden.scheduleId, dayPart: 'any' as const };
	await world.api.subscribeAlert(device, { requestId: makeRequest(), ...wish, ...more });
	await world.api.joinWaiting(device, { requestId: makeRequest(), ...wish, ...more });
	await settle();
	const [alert] = await world.api.listAlerts(device);
	const [waiting] = await world.api.listWaiting(device);
	expect(alert?.criteria.scheduleId).toBe(shown.scheduleId);
	expect(waiting?.criteria.scheduleId).toBe(shown.scheduleId);
});

test('[E20] many processes at once decide once', async () => {
	const twins = await newTwins({}, {}, {});
	const counts = await Promise.all(Array.from({ length: 6 }, settle));
	expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
	expect(await shownOf(twins)).toEqual([true, false, false]);
	for (const { slotId } of twins.slice(1)) expect(toldOf(slotId)).toEqual([slotStates.gone]);
});

test('[E21] each decision can be seen: which source, whom, by which rule and why', async () => {
	const twins = await newTwins({ trustRank: 20 }, { trustRank: 30 });
	await settle();
	const key = await keyOf(must(twins[1]).sourceId);
	const shown = await keyOf(must(twins[0]).sourceId);
	const because = `npi_and_clinic: ${shown} is shown (trust)`;
	const practitionerName = `Dr. Twin ${people}`;
	expect(await readTwinTrace(world.sql, key)).toMatchObject([
		{ source: key, practitionerName, because }
	]);
	await deleteSource(world.sql, must(twins[0]).sourceId);
	await settle();
	const texts = (await readTwinTrace(world.sql, key)).map((trace) => trace.because);
	expect(texts).toEqual(['shown', because]);
	expect(await readTwinTrace(world.sql, null)).not.toEqual([]);
});
