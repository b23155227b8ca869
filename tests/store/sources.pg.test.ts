import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { countFree, readKnownSlots, readSlotsByKeys } from '#server/store/slots.ts';
import {
	claimPoll,
	deleteSource,
	listDueSources,
	listSources,
	readSource,
	recordSilence,
	upsertSource
} from '#server/store/sources.ts';
import { slotKeyOf } from '#domain/slot.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
	claim,
	makeFact,
	makePolledSource,
	makeSchedule,
	makeSource,
	poll,
	slotIds,
	tomorrow,
	tryPoll
} from './poll-world.ts';

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

test('[S13] a source is read back as it was given', async () => {
	const settings = makeSource({
		notes: { zone: 'America/Denver', regions: ['US-MT'], kinds: ['video'], trust: 'wall' },
		windowMs: 7 * DAY_MS,
		allowPrivate: true,
		kind: 'fhir-slots',
		booking: 'fhir'
	});
	const id = await upsertSource(sql, settings);
	expect(await readSource(sql, id)).toMatchObject({ id, settings, enabled: true, committedGen: 0 });
	expect(await listSources(sql)).toHaveLength(1);
	expect(await readSource(sql, 999 as SourceId)).toBeNull();
});

test('[S13] new settings keep what was learned, a new address forgets it', async () => {
	const id = await makePolledSource(sql, [makeFact(0)]);
	await poll(sql, id, { facts: [makeFact(0)], answer: { cursor: { etag: 'x' } } });
	await sql`update sources set next_poll_at = now() + interval '1 hour'`;
	expect(await upsertSource(sql, makeSource({ name: 'Big Sky' }))).toBe(id);
	expect(await claimPoll(sql, id, HOUR_MS)).toBeNull();
	await sql`update sources set next_poll_at = now()`;
	const under = await claim(sql, id);
	expect(under).toMatchObject({ cursor: { etag: 'x' }, committedGen: 2, gen: 3 });
	await upsertSource(sql, makeSource({ url: 'https://other.example/manifest.json' }));
	expect(await tryPoll(sql, id, { claim: under, facts: [] })).toMatchObject({ reason: 'fenced' });
	const next = await claim(sql, id);
	expect(next).toMatchObject({ cursor: {}, suspect: null, gen: 5, committedGen: 4 });
});

test('[S14] silence keeps every slot, counts the failures and puts the next poll off', async () => {
	const id = await makePolledSource(sql, [makeFact(0)]);
	for (let failures = 1; failures <= 2; failures += 1) {
		const { gen } = await claim(sql, id);
		const silence = { sourceId: id, gen, reason: 'timeout', detail: 'No answer in 10 s.' } as const;
		expect(await recordSilence(sql, { ...silence, retryInMs: 0 })).toBe(true);
		expect(await recordSilence(sql, { ...silence, retryInMs: 0 })).toBe(false);
	}
	const [row] = await sql`select outcome, detail, failures, committed_gen from sources`;
	expect(row).toEqual({
		outcome: 'timeout',
		detail: 'No answer in 10 s.',
		failures: 2,
		committed_gen: 1
	});
	expect(await readKnownSlots(sql, id)).toHaveLength(1);
	const { gen } = await claim(sql, id);
	await recordSilence(sql, {
		sourceId: id,
		gen,
		reason: 'throttled',
		detail: '',
		retryInMs: HOUR_MS
	});
	expect(await claimPoll(sql, id, HOUR_MS)).toBeNull();
});

test('[S14] a fenced poll may not even report silence', async () => {
	const id = await makePolledSource(sql, [makeFact(0)]);
	const slow = await claim(sql, id);
	await sql`update sources set polling_until = now() - interval '1 second'`;
	const fast = await claim(sql, id);
	const silence = { sourceId: id, reason: 'timeout', detail: '', retryInMs: DAY_MS } as const;
	expect(await recordSilence(sql, { ...silence, gen: slow.gen })).toBe(false);
	await poll(sql, id, { claim: fast, facts: [makeFact(0)] });
	expect(await recordSilence(sql, { ...silence, gen: fast.gen })).toBe(false);
});

test('[S12] due sources come most overdue first and without those being polled', async () => {
	const ids: SourceId[] = [];
	for (const key of ['one', 'two', 'three', 'four']) {
		ids.push(await upsertSource(sql, makeSource({ key })));
	}
	const due = (id: SourceId | undefined, inMs: number) =>
		sql`update sources set next_poll_at = now() + ${inMs} * interval '1 ms' where id = ${id ?? 0}`;
	await due(ids[0], -MINUTE_MS);
	await due(ids[1], 5_000);
	await due(ids[2], -HOUR_MS);
	await due(ids[3], HOUR_MS);
	const list = async () =>
		(await listDueSources(sql, { withinMs: 10_000, limit: 9 })).map((s) => s.id);
	expect(await list()).toEqual([ids[2], ids[0], ids[1]]);
	await claim(sql, ids[2] as SourceId);
	expect(await list()).toEqual([ids[0], ids[1]]);
	await sql`update sources set enabled = false where id = ${ids[0] ?? 0}`;
	expect(await list()).toEqual([ids[1]]);
	expect(await listDueSources(sql, { withinMs: DAY_MS, limit: 1 })).toHaveLength(1);
});

test('[S15] a source that is taken away leaves every room', async () => {
	const id = await makePolledSource(sql, [makeFact(0), makeFact(1, { status: 'busy' })], {
		schedules: [makeSchedule({ regions: ['US-MT', 'US-WY'] })]
	});
	const ids = await slotIds(sql);
	const entries = await deleteSource(sql, id);
	const changes = [
		[ids.get('s0'), 0],
		[ids.get('s1'), 0]
	];
	expect(entries.map(({ room, seq, changes }) => [room, seq, changes.toSorted()])).toEqual([
		['dermatology:us-mt', 2, changes],
		['dermatology:us-wy', 2, changes]
	]);
	expect(await readSource(sql, id)).toBeNull();
	expect(await sql`select 1 from slots`).toHaveLength(0);
	expect(await deleteSource(sql, id)).toEqual([]);
});

test('[S15] one with a booking stays, disabled and without times', async () => {
	const id = await makePolledSource(sql, [makeFact(0)]);
	const device = 'd'.repeat(64);
	await sql`insert into patients (id, device_key, key_id, wrapped_key, details)
		values (gen_random_uuid(), ${device}, 'k', '', '')`;
	await sql`insert into holds (id, slot_id, fence, device_key, state, expires_at)
		select gen_random_uuid(), id, 1, ${device}, 'booked', 'infinity' from slots`;
	await sql`insert into bookings (id, hold_id, slot_id, fence, schedule_id, source_id, patient_id,
			device_key, state, starts_at, ends_at, exclusive)
		select gen_random_uuid(), h.id, s.id, 1, s.schedule_id, s.source_id, p.id, ${device},
			'booked', s.starts_at, s.ends_at, true
		from slots s, holds h, patients p`;
	expect(await deleteSource(sql, id)).toHaveLength(1);
	expect(await readSource(sql, id)).toMatchObject({ enabled: false });
	expect(await sql`select 1 from bookings`).toHaveLength(1);
	expect(await claimPoll(sql, id, HOUR_MS)).toBeNull();
});

test('[S16] the known slots are the upcoming ones, fact for fact', async () => {
	const facts = [
		makeFact(0, { kinds: ['video', 'phone'], bookUrl: 'https://c.example/0', version: '3' }),
		makeFact(1, { status: 'busy', service: 'new patient', bookPhone: '406 555 0100' }),
		makeFact(2, { capacity: 4, remaining: 2 }),
		makeFact(3)
	];
	const id = await makePolledSource(sql, facts);
	await poll(sql, id, { facts: facts.slice(0, 3) });
	const known = await readKnownSlots(sql, id);
	expect(known).toEqual(new Map(facts.slice(0, 3).map((fact) => [slotKeyOf(fact), fact])));
	const keys = facts.map(slotKeyOf);
	expect([...(await readSlotsByKeys(sql, id, keys.slice(2))).keys()]).toEqual([keys[2]]);
	expect(await readSlotsByKeys(sql, id, [])).toEqual(new Map());
	await sql`update slots set starts_at = now() - interval '1 minute' where source_slot_id = 's0'`;
	expect(await readKnownSlots(sql, id)).toHaveLength(2);
});

test('[S16] free slots are counted inside a window', async () => {
	const id = await makePolledSource(sql, [
		makeFact(0),
		makeFact(1, { status: 'busy' }),
		makeFact(2)
	]);
	const from = toInstant(Date.now());
	expect(await countFree(sql, id, { from, to: toInstant(tomorrow + DAY_MS) })).toBe(2);
	expect(await countFree(sql, id, { from, to: makeFact(2).startsAt })).toBe(1);
	expect(await countFree(sql, id, { from: makeFact(2).startsAt, to: makeFact(3).startsAt })).toBe(
		1
	);
});

test('[S12] a poll may begin only when it is due, alone, and for an enabled source', async () => {
	const sourceId = await upsertSource(sql, makeSource());
	const first = await claimPoll(sql, sourceId, HOUR_MS);
	expect(first).toMatchObject({ gen: 1, committedGen: 0, failures: 0, suspect: null, cursor: {} });
	expect(await claimPoll(sql, sourceId, HOUR_MS)).toBeNull();
	await sql`update sources set polling_until = null, next_poll_at = now() + interval '1 minute'`;
	expect(await claimPoll(sql, sourceId, HOUR_MS)).toBeNull();
	await sql`update sources set enabled = false, next_poll_at = now() - interval '1 minute'`;
	expect(await claimPoll(sql, sourceId, HOUR_MS)).toBeNull();
	await sql`update sources set enabled = true`;
	const racers = await Promise.all(
		Array.from({ length: 8 }, () => claimPoll(sql, sourceId, DAY_MS))
	);
	expect(racers.filter((won) => won !== null)).toHaveLength(1);
});
