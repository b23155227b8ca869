import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import { HOUR_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { commitPoll } from '#server/store/commit-poll.ts';
import { noFingerprints } from '#server/store/fingerprints.ts';
import { upsertSource } from '#server/store/sources.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';
import {
	claim,
	claimSlot,
	makeAnswer,
	makeFact,
	makePolledSource,
	makeSchedule,
	makeSource,
	poll,
	readWholeLog,
	slotIds,
	tomorrow,
	tryPoll
} from './poll-world.ts';

const room = 'dermatology:us-mt';
const minute = tomorrow / MINUTE_MS;
let database: TestDatabase;
let sql: Sql;

beforeAll(async () => {
	database = await createTestDatabase();
	sql = database.sql;
});
afterAll(() => database.close());
beforeEach(async () => {
	await sql`truncate sources, rooms, change_log, bookings, holds, patients restart identity cascade`;
});

const rowOf = async (sourceSlotId: string) => {
	const [row] = await sql`select * from slots where source_slot_id = ${sourceSlotId}`;
	return row;
};

const logSize = async (): Promise<number> => {
	const [row] = await sql<{ n: number }[]>`select count(*) as n from change_log`;
	return row?.n ?? -1;
};

/** Rows per table that transactions after `xid` wrote. */
const writtenSince = async (xid: string): Promise<Record<string, number>> => {
	const tables = await sql<{ name: string }[]>`
		select tablename as name from pg_tables where schemaname = 'public'`;
	const written: Record<string, number> = {};
	for (const { name } of tables) {
		const [row] = await sql<{ n: number }[]>`
			select count(*) as n from ${sql(name)} where xmin::text::bigint > ${xid}::text::bigint`;
		if (row !== undefined && row.n > 0) written[name] = row.n;
	}
	return written;
};

describe('a first poll', () => {
	test('[S4] writes schedules, slots and one numbered entry per room', async () => {
		const sourceId = await upsertSource(sql, makeSource());
		const done = await poll(sql, sourceId, {
			facts: [makeFact(0), makeFact(1, { status: 'busy' }), makeFact(2)],
			schedules: [makeSchedule({ regions: ['US-MT', 'US-WY'] })]
		});
		const ids = await slotIds(sql);
		const changes = [
			[ids.get('s0'), 1, minute, 15, 1, 1],
			[ids.get('s2'), 1, minute + 30, 15, 1, 1]
		];
		expect(done).toEqual({
			entries: [
				{ room: 'dermatology:us-mt', seq: 1, changes },
				{ room: 'dermatology:us-wy', seq: 1, changes }
			],
			touched: [1],
			opened: 2,
			closed: 0,
			kept: 0,
			rewritten: 1,
			isMirrored: true,
			fingerprints: noFingerprints
		});
		expect(await readWholeLog(sql, 'dermatology:us-wy')).toEqual([
			{ room: 'dermatology:us-wy', seq: 1, changes }
		]);
		expect(await rowOf('s1')).toMatchObject({ status: 'busy', taken_at: null });
	});

	test('[S4] stores a schedule with no mapped specialty, in no room', async () => {
		const done = await poll(sql, await upsertSource(sql, makeSource()), {
			facts: [makeFact(0)],
			schedules: [makeSchedule({ specialtyIds: [] })]
		});
		expect(done).toMatchObject({ entries: [], opened: 1 });
		expect(await sql`select room_ids from schedules`).toEqual([{ room_ids: [] }]);
	});

	test('[S11] neither writes nor tells what has begun', async () => {
		const past = toInstant(Date.now() - MINUTE_MS);
		const done = await poll(sql, await upsertSource(sql, makeSource()), {
			facts: [makeFact(0, { startsAt: past })],
			schedules: [makeSchedule()]
		});
		expect(done.entries).toEqual([]);
		expect(await sql`select id from slots`).toHaveLength(0);
	});

	test('[S4] leaves out slots of a schedule that nobody described', async () => {
		const done = await poll(sql, await upsertSource(sql, makeSource()), {
			facts: [makeFact(0), makeFact(1, { scheduleKey: 'nobody' })],
			schedules: [makeSchedule()]
		});
		expect(done.opened).toBe(1);
	});

	test('[S4] takes 6,000 slots and splits their entries', async () => {
		const facts = Array.from({ length: 6_000 }, (_, index) =>
			makeFact(index, { startsAt: toInstant(tomorrow + index * MINUTE_MS) })
		);
		const done = await poll(sql, await upsertSource(sql, makeSource()), {
			facts,
			schedules: [makeSchedule()]
		});
		expect(done.opened).toBe(6_000);
		expect(done.entries.map((entry) => [entry.seq, entry.changes.length])).toEqual(
			Array.from({ length: 12 }, (_, index) => [index + 1, 500])
		);
	});
});

describe('later polls', () => {
	test('[S3] an unchanged answer touches one row and writes no entry', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const before = await logSize();
		const held = await claim(sql, sourceId);
		const [start] = await sql<{ xid: string }[]>`select pg_current_xact_id()::text as xid`;
		const result = await commitPoll(sql, {
			claim: held,
			answer: makeAnswer(),
			changes: [],
			nextPollInMs: 0,
			suspect: null
		});
		expect(result).toMatchObject({ ok: true, value: { entries: [] } });
		expect(await writtenSince(start?.xid ?? '')).toEqual({ sources: 1 });
		expect(await logSize()).toBe(before);
	});

	test('[S8] tells only what a viewer would see change', async () => {
		const sourceId = await makePolledSource(sql, [
			makeFact(0),
			makeFact(1, { status: 'busy' }),
			makeFact(2, { capacity: 5, remaining: 4 }),
			makeFact(3),
			makeFact(4)
		]);
		const ids = await slotIds(sql);
		const done = await poll(sql, sourceId, {
			facts: [
				makeFact(0, { status: 'busy' }),
				makeFact(1),
				makeFact(2, { capacity: 5, remaining: 3 }),
				makeFact(3, { version: '2', bookUrl: 'https://clinic.example/3' }),
				makeFact(5, { status: 'busy-unavailable' })
			]
		});
		expect(done).toMatchObject({ opened: 1, closed: 2, kept: 0 });
		expect(done.entries).toEqual([
			{
				room,
				seq: 2,
				changes: [
					[ids.get('s0'), 3],
					[ids.get('s1'), 1, minute + 15, 15, 1, 1],
					[ids.get('s2'), 1, minute + 30, 15, 1, 3],
					[ids.get('s4'), 0]
				]
			}
		]);
		expect(await rowOf('s3')).toMatchObject({ version: '2', removed_at: null });
	});

	test('[S7] a removed slot is kept for history and comes back under its id', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0), makeFact(1)]);
		const id = (await slotIds(sql)).get('s0');
		const removed = await poll(sql, sourceId, { facts: [makeFact(1)] });
		expect(removed.entries[0]?.changes).toEqual([[id, 0]]);
		const gone = await rowOf('s0');
		expect([typeof gone?.['removed_at'], typeof gone?.['taken_at']]).toEqual(['number', 'number']);
		const back = await poll(sql, sourceId, { facts: [makeFact(0), makeFact(1)] });
		expect(back.entries[0]?.changes).toEqual([[id, 1, minute, 15, 1, 1]]);
		expect(await rowOf('s0')).toMatchObject({ id, removed_at: null, taken_at: null });
	});

	test('[S7] taken_at is when an open slot closed, and is cleared when it opens', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		await poll(sql, sourceId, { facts: [makeFact(0, { status: 'busy' })] });
		const closedAt = (await rowOf('s0'))?.['taken_at'];
		expect(typeof closedAt).toBe('number');
		await poll(sql, sourceId, { facts: [makeFact(0, { status: 'busy-unavailable' })] });
		expect((await rowOf('s0'))?.['taken_at']).toBe(closedAt);
		await poll(sql, sourceId, { facts: [makeFact(0)] });
		expect((await rowOf('s0'))?.['taken_at']).toBeNull();
	});

	test('[S4] notes when, how and what an answer was', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const validAt = toInstant(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
		await poll(sql, sourceId, {
			facts: [makeFact(0), makeFact(1)],
			suspect: { gen: 2, freeAfter: 0 },
			answer: { validAt, state: 'partial', cursor: { etag: '"x"' } }
		});
		const [row] = await sql`select * from sources where id = ${sourceId}`;
		expect(row).toMatchObject({
			valid_at: validAt,
			outcome: 'partial',
			failures: 0,
			cursor: { etag: '"x"' },
			suspect: { gen: 2, freeAfter: 0 },
			recent_changes: [1, 1],
			polling_until: null,
			committed_gen: 2
		});
	});

	test('[S4] keeps the counts of the last 30 polls', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		for (let round = 0; round < 31; round += 1) await poll(sql, sourceId, { facts: [makeFact(0)] });
		const [row] = await sql<{ recent_changes: number[] }[]>`select recent_changes from sources`;
		expect(row?.recent_changes).toEqual(Array.from({ length: 30 }, () => 0));
	});
});

describe('the fence', () => {
	test('[S2] a poll that was overtaken writes nothing', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const slow = await claim(sql, sourceId);
		await sql`update sources set polling_until = now() - interval '1 second'`;
		const fast = await claim(sql, sourceId);
		await poll(sql, sourceId, { claim: fast, facts: [makeFact(0), makeFact(1)] });
		const before = await logSize();
		const late = await tryPoll(sql, sourceId, { claim: slow, facts: [] });
		expect(late).toEqual({ ok: false, reason: 'fenced' });
		expect(await logSize()).toBe(before);
		expect(await rowOf('s0')).toMatchObject({ removed_at: null });
	});

	test('[S2] a poll commits once', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const held = await claim(sql, sourceId);
		const twice = [
			tryPoll(sql, sourceId, { claim: held, facts: [makeFact(1)] }),
			tryPoll(sql, sourceId, { claim: held, facts: [makeFact(1)] })
		];
		const results = await Promise.all(twice);
		expect(results.map((result) => result.ok).toSorted()).toEqual([false, true]);
		expect(await readWholeLog(sql, room)).toHaveLength(2);
	});

	test('[S2] a failed commit leaves nothing behind and may be tried again', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const held = await claim(sql, sourceId);
		const broken = makeFact(1, { capacity: -1 });
		await expect(tryPoll(sql, sourceId, { claim: held, facts: [broken] })).rejects.toThrow('check');
		const done = await poll(sql, sourceId, { claim: held, facts: [makeFact(0), makeFact(1)] });
		expect(done.entries.map((entry) => entry.seq)).toEqual([2]);
	});
});

describe('our own claims', () => {
	const infinity = toInstant(Infinity);

	const book = async (sourceId: SourceId, slotId: number, state: string): Promise<void> => {
		await claimSlot(sql, slotId, infinity);
		const device = 'd'.repeat(64);
		await sql`
			insert into holds (id, slot_id, fence, device_key, state, expires_at)
			values (gen_random_uuid(), ${slotId}, 1, ${device}, 'booked', 'infinity')`;
		await sql`
			insert into patients (id, device_key, key_id, wrapped_key, details)
			values (gen_random_uuid(), ${device}, 'k', '', '')`;
		await sql`
			insert into bookings (id, hold_id, slot_id, fence, schedule_id, source_id, patient_id,
				device_key, state, starts_at, ends_at, exclusive)
			select gen_random_uuid(), h.id, s.id, 1, s.schedule_id, ${sourceId}, p.id, ${device},
				${state}, s.starts_at, s.ends_at, true
			from slots s, holds h, patients p where s.id = ${slotId}`;
	};

	test('[S6] a poll that began before our change never re-opens the slot', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const id = (await slotIds(sql)).get('s0') ?? 0;
		const held = await claim(sql, sourceId);
		await sql`update slots set status = 'busy', remaining = 0, own_changed_at = clock_timestamp()`;
		const stale = await poll(sql, sourceId, { claim: held, facts: [makeFact(0)] });
		expect(stale).toMatchObject({ entries: [], kept: 1, opened: 0 });
		expect(await rowOf('s0')).toMatchObject({ status: 'busy' });
		const fresh = await poll(sql, sourceId, { facts: [makeFact(0)] });
		expect(fresh).toMatchObject({ kept: 0, opened: 1 });
		expect(fresh.entries[0]?.changes).toEqual([[id, 1, minute, 15, 1, 1]]);
	});

	test('[S6] it may close a slot that we changed meanwhile', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const id = (await slotIds(sql)).get('s0') ?? 0;
		const held = await claim(sql, sourceId);
		await claimSlot(sql, id, toInstant(Date.now() + HOUR_MS));
		const stale = await poll(sql, sourceId, {
			claim: held,
			facts: [makeFact(0, { status: 'busy' })]
		});
		expect(stale.entries[0]?.changes).toEqual([[id, 3]]);
		expect(stale.kept).toBe(0);
	});

	test('[S9] places that we claim are not left, and a held slot stays held', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0, { capacity: 3, remaining: 3 })]);
		const id = (await slotIds(sql)).get('s0') ?? 0;
		await claimSlot(sql, id, toInstant(Date.now() + HOUR_MS));
		const two = await poll(sql, sourceId, { facts: [makeFact(0, { capacity: 3, remaining: 2 })] });
		expect(two.entries[0]?.changes).toEqual([[id, 1, minute, 15, 1, 1]]);
		const one = await poll(sql, sourceId, { facts: [makeFact(0, { capacity: 3, remaining: 1 })] });
		expect(one.entries[0]?.changes).toEqual([[id, 2]]);
		expect(one).toMatchObject({ opened: 0, closed: 1 });
	});

	test('[S10] the claim of a booking ends when the source calls its slot busy', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0), makeFact(1)]);
		const id = (await slotIds(sql)).get('s0') ?? 0;
		await book(sourceId, id, 'booked');
		const lagging = await poll(sql, sourceId, { facts: [makeFact(0), makeFact(1)] });
		expect(lagging.entries).toEqual([]);
		expect(await rowOf('s0')).toMatchObject({ claim_fences: [1], claim_untils: [infinity] });
		await poll(sql, sourceId, { facts: [makeFact(0, { status: 'busy' }), makeFact(1)] });
		expect(await rowOf('s0')).toMatchObject({ claim_fences: [], claim_untils: [] });
		const freed = await poll(sql, sourceId, { facts: [makeFact(0), makeFact(1)] });
		expect(freed.entries[0]?.changes).toEqual([[id, 1, minute, 15, 1, 1]]);
	});

	test('[S10] also when we had called it busy ourselves', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const id = (await slotIds(sql)).get('s0') ?? 0;
		await book(sourceId, id, 'booked');
		await sql`update slots set status = 'busy', remaining = 0`;
		const same = await poll(sql, sourceId, { facts: [makeFact(0, { status: 'busy' })] });
		expect(same.entries).toEqual([]);
		expect(await rowOf('s0')).toMatchObject({ claim_fences: [] });
	});

	test('[S10] also when the source lists free slots only: what it lists again is open', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0), makeFact(1)]);
		const id = (await slotIds(sql)).get('s0') ?? 0;
		await book(sourceId, id, 'booked');
		await poll(sql, sourceId, { facts: [makeFact(1)] });
		expect(await rowOf('s0')).toMatchObject({ claim_fences: [], claim_untils: [] });
		const freed = await poll(sql, sourceId, { facts: [makeFact(0), makeFact(1)] });
		expect(freed.entries[0]?.changes).toEqual([[id, 1, minute, 15, 1, 1]]);
	});

	test('[S10] the claim of an unsettled booking stays', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const id = (await slotIds(sql)).get('s0') ?? 0;
		await book(sourceId, id, 'confirming');
		await poll(sql, sourceId, { facts: [makeFact(0, { status: 'busy' })] });
		expect(await rowOf('s0')).toMatchObject({ claim_fences: [1], claim_untils: [infinity] });
	});
});

describe('schedules that move', () => {
	test('[S5] their slots go from rooms they left and come whole where they joined', async () => {
		const sourceId = await makePolledSource(
			sql,
			[makeFact(0), makeFact(1), makeFact(2, { status: 'busy' }), makeFact(3)],
			{ schedules: [makeSchedule({ regions: ['US-MT', 'US-WY'] })] }
		);
		const ids = await slotIds(sql);
		const done = await poll(sql, sourceId, {
			facts: [makeFact(0), makeFact(1, { status: 'busy' }), makeFact(2, { status: 'busy' })],
			schedules: [makeSchedule({ regions: ['US-ID', 'US-WY'] })]
		});
		expect(new Map(done.entries.map((entry) => [entry.room, entry.changes]))).toEqual(
			new Map([
				[
					'dermatology:us-mt',
					[
						[ids.get('s3'), 0],
						[ids.get('s0'), 0],
						[ids.get('s1'), 0],
						[ids.get('s2'), 0]
					]
				],
				[
					'dermatology:us-wy',
					[
						[ids.get('s1'), 3],
						[ids.get('s3'), 0]
					]
				],
				['dermatology:us-id', [[ids.get('s0'), 1, minute, 15, 1, 1]]]
			])
		);
	});

	test('[S5] a hold placed while its schedule moves is told where the schedule goes', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0), makeFact(1)]);
		const id = (await slotIds(sql)).get('s0') ?? 0;
		const gate = Promise.withResolvers<null>();
		const isPlaced = Promise.withResolvers<null>();
		const holding = sql.begin(async (tx) => {
			await tx`select place_hold(${'a'.repeat(64)}, gen_random_uuid(), ${id}, 60000, 2, 20)`;
			isPlaced.resolve(null);
			await gate.promise;
		});
		await isPlaced.promise;
		let isOver = false;
		const moving = poll(sql, sourceId, {
			facts: [makeFact(0), makeFact(1)],
			schedules: [makeSchedule({ regions: ['US-ID'] })]
		}).finally(() => (isOver = true));
		// The poll waits for the hold, or (and that is the fault) is done without it.
		await until(async () => isOver || (await sql`select 1 from pg_locks where not granted`).length);
		gate.resolve(null);
		await Promise.all([holding, moving]);
		const told = (await readWholeLog(sql, 'dermatology:us-id')).flatMap(({ changes }) => changes);
		expect(told.find((change) => change[0] === id)).toEqual([id, 1, minute, 15, 2, 0]);
	});

	test('[S5] a changed name or plan moves nothing and writes no entry', async () => {
		const sourceId = await makePolledSource(sql, [makeFact(0)]);
		const done = await poll(sql, sourceId, {
			facts: [makeFact(0)],
			schedules: [makeSchedule({ practitionerName: 'Dr. Ada Moss-Hale', planIds: ['hmo'] })]
		});
		expect(done.entries).toEqual([]);
		expect(await sql`select practitioner_name, plan_ids from schedules`).toEqual([
			{ practitioner_name: 'Dr. Ada Moss-Hale', plan_ids: ['hmo'] }
		]);
	});

	test('[R2] a schedule of nine regions is told once, in the national room', async () => {
		const regions = ['AL', 'AK', 'AZ', 'AR', 'CA', 'CO', 'CT', 'DE', 'FL'].map((r) => `US-${r}`);
		const sourceId = await upsertSource(sql, makeSource());
		const done = await poll(sql, sourceId, {
			facts: [makeFact(0)],
			schedules: [makeSchedule({ regions })]
		});
		expect(done.entries.map((entry) => entry.room)).toEqual(['dermatology:us']);
	});
});

test('[S4] many sources commit into shared rooms at once without a deadlock or a hole', async () => {
	const regions = ['US-MT', 'US-WY', 'US-ID', 'US-UT'];
	const sources = await Promise.all(
		Array.from({ length: 8 }, (_, index) =>
			upsertSource(sql, makeSource({ key: `clinic-${index}` }))
		)
	);
	await Promise.all(
		sources.map(async (sourceId, index) => {
			const schedules = [
				makeSchedule({ regions: [...regions.slice(index % 4), 'US-CO'].toSorted() })
			];
			for (let round = 0; round < 6; round += 1) {
				const facts = Array.from({ length: 5 }, (_, n) =>
					makeFact(n, { status: (n + round + index) % 2 === 0 ? 'free' : 'busy' })
				);
				await poll(sql, sourceId, { facts, schedules });
			}
		})
	);
	const holes = await sql`
		select r.name from rooms r left join change_log l on l.room_id = r.id
		group by r.id having r.seq <> count(l.seq) or r.seq <> coalesce(max(l.seq), 0)`;
	expect(holes).toEqual([]);
	expect(await sql`select 1 from rooms where seq > 0`).toHaveLength(5);
});
