import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotId } from '#domain/ids.ts';
import type { ClinicChange } from '#domain/protocol.ts';
import { clinicRoom } from '#domain/room.ts';
import { slotStateOf, slotStatuses } from '#domain/slot.ts';
import { appendSlotChanges, readEntries, roomIds } from '#server/store/change-log.ts';
import { createWorld, type World } from '../scheduling/world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

test('[H13] the database and the domain agree on the state of every kind of slot', async () => {
	for (const status of slotStatuses) {
		for (const remaining of [0, 1, 2]) {
			for (const live of [0, 1, 2, 3]) {
				const [row] = await world.sql<{ state: number }[]>`
					select slot_state(${status}, ${remaining}, ${live}, false) as state`;
				expect(row?.state).toBe(slotStateOf(status, remaining, live));
			}
		}
	}
	const [removed] = await world.sql<{ state: number }[]>`
		select slot_state('free', 1, 0, true) as state`;
	expect(removed?.state).toBe(0);
});

test('[H13] the hold path logs exactly what the change log writes', async () => {
	const rooms = ['dermatology:us-mt', 'dermatology:us-id', 'dermatology:us'];
	const scheduleId = await world.addSchedule(world.sourceId, { rooms });
	const make = () => world.addSlot(scheduleId, { capacity: 2, inMs: 7_200_000, minutes: 25 });
	const clinic = clinicRoom(world.sourceId);
	const names = [...rooms, clinic].toSorted();
	const changeOf = (slotId: SlotId, startsAt: number): ClinicChange => ({
		kind: 'hold',
		slotId,
		scheduleId,
		startsAt,
		held: true
	});
	for (const slotId of [await make(), await make()]) {
		for (const last of [false, true]) {
			const { id, fence } = await world.hold(slotId);
			expect(id).toBeDefined();
			expect(fence).toBe(last ? 2 : 1);
			const fromSql = [];
			for (const name of names) {
				const [room] = await world.sql<
					{ seq: number }[]
				>`select seq from rooms where name = ${name}`;
				fromSql.push(...((await readEntries(world.sql, name, (room?.seq ?? 1) - 1, 10)) ?? []));
			}
			const fromCode = await world.sql.begin(async (tx) => {
				const [slot] = await tx<{ at: number }[]>`
					select starts_at as at from slots where id = ${slotId}`;
				const ids = await roomIds(tx, names);
				const room = ids.get(clinic);
				if (room === undefined || slot === undefined) throw new Error('no room');
				return await appendSlotChanges(
					tx,
					[slotId],
					new Map([[room, [changeOf(slotId, slot.at)]]])
				);
			});
			const shift = fromCode
				.map((entry) => ({ ...entry, seq: entry.seq - 1 }))
				.toSorted((a, b) => (a.room < b.room ? -1 : 1));
			expect(fromSql).toEqual(shift);
		}
	}
});

test('[H14] counters are taken in ascending order of rooms, whatever order they were made in', async () => {
	const late = await world.addSource();
	const rooms = ['cardiology:us-mt', 'cardiology:us-wy'];
	// The clinic's room is made by the first hold, so its id lies above the others' here …
	const scheduleId = await world.addSchedule(late, { rooms });
	await world.hold(await world.addSlot(scheduleId));
	// … and below this one's.
	const other = await world.addSchedule(late, { rooms: ['cardiology:us-ut'] });
	const before = world.published.length;
	await world.hold(await world.addSlot(other));
	expect(world.published.slice(before).map((entry) => entry.room)).toEqual([
		clinicRoom(late),
		'cardiology:us-ut'
	]);
});
