import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RoomId, SlotId } from '#domain/ids.ts';
import type { ClinicChange, WireChange } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import { HOUR_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import type { Sql } from '#server/platform/postgres.ts';
import {
	appendChanges,
	appendSlotChanges,
	readEntries,
	readHeads,
	roomIds
} from '#server/store/change-log.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
	claimSlot,
	makeFact,
	makePolledSource,
	makeSchedule,
	readWholeLog,
	slotIds,
	tomorrow
} from './poll-world.ts';

let database: TestDatabase;
let sql: Sql;

beforeAll(async () => {
	database = await createTestDatabase({ maxConnections: 16 });
	sql = database.sql;
});
afterAll(() => database.close());
beforeEach(async () => {
	await sql`truncate sources, rooms, change_log restart identity cascade`;
});

const change = (slot: number, state = 3): WireChange => [slot as SlotId, state as 3];
const idOf = async (name: string): Promise<RoomId> =>
	must((await roomIds(sql, [name])).get(name), name);
const append = async (perRoom: [RoomId, readonly WireChange[]][]) =>
	await sql.begin((tx) => appendChanges(tx, new Map(perRoom)));

describe('rooms', () => {
	test('[R4] are made once, whoever names them first', async () => {
		const names = ['a:us-mt', 'b:us-mt', 'c:us-mt'];
		const seen = await Promise.all(
			Array.from({ length: 8 }, (_, n) => roomIds(sql, n % 2 === 0 ? names : names.toReversed()))
		);
		for (const ids of seen)
			expect(new Map([...ids].toSorted())).toEqual(new Map([...must(seen[0])].toSorted()));
		expect(await sql`select 1 from rooms`).toHaveLength(3);
		expect(await roomIds(sql, [])).toEqual(new Map());
	});

	test('[S17] of a change must exist', async () => {
		await expect(append([[999 as RoomId, [change(1)]]])).rejects.toThrow('does not exist');
	});
});

describe('numbers', () => {
	test('[S17] go on without a hole, one per room and transaction', async () => {
		const a = await idOf('a:us');
		const b = await idOf('b:us');
		expect(
			await append([
				[b, [change(1)]],
				[a, [change(1), change(2)]]
			])
		).toEqual([
			{ room: 'a:us', seq: 1, changes: [change(1), change(2)] },
			{ room: 'b:us', seq: 1, changes: [change(1)] }
		]);
		expect(
			await append([
				[a, [change(3)]],
				[b, []]
			])
		).toEqual([{ room: 'a:us', seq: 2, changes: [change(3)] }]);
		expect(await readHeads(sql, ['a:us', 'b:us', 'never:us'])).toEqual(
			new Map([
				['a:us', 2],
				['b:us', 1],
				['never:us', 0]
			])
		);
		expect(await append([])).toEqual([]);
	});

	test('[S17] a transaction that fails takes no number', async () => {
		const a = await idOf('a:us');
		await expect(
			sql.begin(async (tx) => {
				await appendChanges(tx, new Map([[a, [change(1)]]]));
				throw new Error('after the append');
			})
		).rejects.toThrow('after the append');
		expect(await append([[a, [change(2)]]])).toMatchObject([{ seq: 1 }]);
	});

	test('[S17] stay whole under many writers that take rooms in any order', async () => {
		const ids = [...(await roomIds(sql, ['a:us', 'b:us', 'c:us', 'd:us'])).values()];
		await Promise.all(
			Array.from({ length: 60 }, (_, n) => {
				const chosen = ids.filter((_, index) => ((n + 1) & (1 << index)) !== 0);
				const order = n % 2 === 0 ? chosen : chosen.toReversed();
				return append(order.map((id) => [id, [change(n + 1)]]));
			})
		);
		const holes = await sql`
			select r.id from rooms r join change_log l on l.room_id = r.id
			group by r.id having count(distinct l.seq) <> r.seq or count(*) <> r.seq`;
		expect(holes).toEqual([]);
	});

	test('[S17] more than 500 changes become several entries', async () => {
		const a = await idOf('a:us');
		const many = Array.from({ length: 1_001 }, (_, n) => change(n + 1));
		const entries = await append([[a, many]]);
		expect(entries.map((entry) => entry.changes.length)).toEqual([500, 500, 1]);
		expect(await readWholeLog(sql, 'a:us')).toEqual(entries);
	});
});

describe('reading', () => {
	test('[S18] gives what follows a position, at most so much', async () => {
		const a = await idOf('a:us');
		for (let n = 1; n <= 5; n += 1) await append([[a, [change(n)]]]);
		const seqs = async (after: number, limit = 9) =>
			(await readEntries(sql, 'a:us', after, limit))?.map((entry) => entry.seq) ?? null;
		expect(await seqs(0)).toEqual([1, 2, 3, 4, 5]);
		expect(await seqs(2, 2)).toEqual([3, 4]);
		expect(await seqs(5)).toEqual([]);
	});

	test('[S18] says null where the log does not lead from', async () => {
		const a = await idOf('a:us');
		for (let n = 1; n <= 4; n += 1) await append([[a, [change(n)]]]);
		expect(await readEntries(sql, 'a:us', 9, 9)).toBeNull();
		await sql`delete from change_log where seq <= 2`;
		expect(await readEntries(sql, 'a:us', 1, 9)).toBeNull();
		expect(await readEntries(sql, 'a:us', 2, 9)).toHaveLength(2);
		await sql`delete from change_log`;
		expect(await readEntries(sql, 'a:us', 3, 9)).toBeNull();
		expect(await readEntries(sql, 'a:us', 4, 9)).toEqual([]);
		expect(await readEntries(sql, 'never:us', 0, 9)).toEqual([]);
		expect(await readEntries(sql, 'never:us', 1, 9)).toBeNull();
	});
});

test('[S19] slots that we changed are logged as they are now, with the clinic in one go', async () => {
	const sourceId = await makePolledSource(
		sql,
		[makeFact(0), makeFact(1, { capacity: 3, remaining: 3 }), makeFact(2)],
		{ schedules: [makeSchedule({ regions: ['US-MT', 'US-WY'] })] }
	);
	const ids = await slotIds(sql);
	const [s0 = 0, s1 = 0] = [ids.get('s0'), ids.get('s1')];
	// Made last, so its id is above the others'; the caller need not know.
	const clinic = await idOf(`clinic:${sourceId}`);
	const told: ClinicChange = {
		kind: 'hold',
		slotId: s0 as SlotId,
		scheduleId: 1 as never,
		startsAt: tomorrow,
		held: true
	};
	const entries = await sql.begin(async (tx) => {
		await claimSlot(tx as never, s0, toInstant(Date.now() + HOUR_MS));
		await claimSlot(tx as never, s1, toInstant(Infinity));
		// A claim that ran out counts no more.
		await claimSlot(tx as never, s1, toInstant(Date.now() - HOUR_MS));
		return await appendSlotChanges(tx, [s1 as SlotId, s0 as SlotId], new Map([[clinic, [told]]]));
	});
	const minute = tomorrow / MINUTE_MS;
	const changes = [
		[s0, 2],
		[s1, 1, minute + 15, 15, 1, 2]
	];
	expect(entries).toEqual([
		{ room: 'dermatology:us-mt', seq: 2, changes },
		{ room: 'dermatology:us-wy', seq: 2, changes },
		{ room: `clinic:${sourceId}`, seq: 1, changes: [told] }
	]);
});
