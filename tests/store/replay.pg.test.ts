// Chance polls, holds and moves; then every room's log, replayed from its first entry, must show
// exactly what the store holds (the oracle of promises C1.10).
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotId, SourceId } from '#domain/ids.ts';
import type { RoomEntry, WireChange } from '#domain/protocol.ts';
import { roomsOf } from '#domain/room.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import { slotKeyOf, slotStates, slotStatuses, type SlotFact } from '#domain/slot.ts';
import { HOUR_MS, toInstant } from '#domain/time.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { appendSlotChanges } from '#server/store/change-log.ts';
import { upsertSource } from '#server/store/sources.ts';
import { wireViewOf } from '#server/store/wire.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { seededRandom, type Random } from '../support/random.ts';
import { claimSlot, makeFact, makeSchedule, makeSource, poll, readWholeLog } from './poll-world.ts';

let database: TestDatabase;
let sql: Sql;

beforeAll(async () => {
	database = await createTestDatabase();
	sql = database.sql;
});
afterAll(() => database.close());

type Shown = Record<string, readonly [state: number, left: number]>;

const replay = (entries: readonly RoomEntry[]): Shown => {
	const shown = new Map<number, readonly [number, number]>();
	const apply = (change: WireChange): void => {
		if (change.length === 6) shown.set(change[0], [change[4], change[5]]);
		else if (shown.has(change[0])) shown.set(change[0], [change[1], 0]);
	};
	for (const entry of entries) entry.changes.forEach(apply);
	const onBoard = [...shown].filter(([, [state]]) => state === 1 || state === 2);
	return Object.fromEntries(onBoard);
};

const truth = async (room: string): Promise<Shown> => {
	const rows = await sql<
		{ id: number; status: never; remaining: number; removed: boolean; live: number }[]
	>`
		select s.id, s.status, s.remaining, s.removed_at is not null as removed,
			(select count(*) from unnest(s.claim_untils) u where u > clock_timestamp()) as live
		from slots s join schedules c on c.id = s.schedule_id
		where (select id from rooms where name = ${room}) = any(c.room_ids)`;
	const shown: [number, readonly [number, number]][] = [];
	for (const { id, status, remaining, removed, live } of rows) {
		const view = wireViewOf({ status, remaining, isRemoved: removed, liveClaims: live });
		const isOnBoard = view.state === slotStates.open || view.state === slotStates.held;
		if (isOnBoard) shown.push([id, [view.state, view.left]]);
	}
	return Object.fromEntries(shown);
};

const allRegions = ['US-MT', 'US-WY', 'US-ID'];

const chanceSchedule = (random: Random, key: string): ScheduleFact =>
	makeSchedule({
		key,
		specialtyIds: random.chance(0.1) ? [] : ['dermatology'],
		regions: allRegions.filter(() => random.chance(0.6))
	});

const chanceFacts = (random: Random): SlotFact[] => {
	const facts = new Map<string, SlotFact>();
	for (let n = 0; n < 14; n += 1) {
		const status = random.chance(0.6) ? 'free' : random.pick(slotStatuses);
		const fact = makeFact(random.int(0, 9), {
			scheduleKey: random.pick(['a', 'b']),
			status,
			capacity: 3,
			remaining: status === 'free' ? random.int(0, 3) : 0,
			version: String(random.int(0, 1))
		});
		facts.set(slotKeyOf(fact), fact);
	}
	return [...facts.values()];
};

/** What a patient does: claims a place of a random slot, or lets all claims of one go. */
const act = async (random: Random): Promise<void> => {
	const slots = await sql<{ id: SlotId }[]>`
		select id from slots where removed_at is null and status = 'free' order by id`;
	if (slots.length === 0) return;
	const { id } = random.pick(slots);
	await sql.begin(async (tx) => {
		if (random.chance(0.6)) await claimSlot(tx as never, id, toInstant(Date.now() + HOUR_MS));
		else {
			await tx`update slots set claim_fences = '{}', claim_untils = '{}',
				own_changed_at = clock_timestamp() where id = ${id}`;
		}
		await appendSlotChanges(tx, [id]);
	});
};

const pollOnce = async (random: Random, sourceId: SourceId): Promise<void> => {
	const told = random.chance(0.3);
	await poll(sql, sourceId, {
		facts: chanceFacts(random),
		schedules: told ? ['a', 'b'].map((key) => chanceSchedule(random, key)) : null,
		answer: random.chance(0.3) ? { state: 'partial' } : {}
	});
};

test('[S8] a room’s log replayed from its beginning shows what the store holds', async () => {
	const random = seededRandom();
	const sourceId = await upsertSource(sql, makeSource());
	const first = ['a', 'b'].map((key) => makeSchedule({ key, regions: ['US-MT', 'US-WY'] }));
	await poll(sql, sourceId, { facts: chanceFacts(random), schedules: first });
	const rooms = roomsOf({ specialtyIds: ['dermatology'], regions: allRegions });
	for (let step = 0; step < 150; step += 1) {
		if (random.chance(0.5)) await act(random);
		else await pollOnce(random, sourceId);
		if (step % 10 !== 9) continue;
		for (const room of rooms) {
			const log = await readWholeLog(sql, room);
			expect(log.map((entry) => entry.seq)).toEqual(log.map((_, index) => index + 1));
			expect(replay(log), `${room} after step ${step}`).toEqual(await truth(room));
		}
	}
	const whole = await Promise.all(rooms.map((room) => readWholeLog(sql, room)));
	expect(whole.every((log) => log.length > 20)).toBe(true);
});
