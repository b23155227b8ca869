// What operators do to sources, in the store.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { PatientId, type SourceId } from '#domain/ids.ts';
import { localRoom } from '#domain/room.ts';
import { HOUR_MS } from '#domain/time.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { readSchedulesOfRooms } from '#server/store/board.ts';
import {
	addSourceIn,
	dropIdleSources,
	pauseSource,
	removeSource,
	resumeSource,
	weighSource
} from '#server/store/operate-sources.ts';
import { expireHolds } from '#server/store/holds.ts';
import { readConnectorSecret } from '#server/store/source-secrets.ts';
import { claimPoll, listDueSources, readSource } from '#server/store/sources.ts';
import { readSourceStatuses } from '#server/store/status.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
	claim,
	makeFact,
	makePolledSource,
	makeSchedule,
	makeSource,
	poll,
	tryPoll
} from './poll-world.ts';

let database: TestDatabase;
let sql: Sql;
const cipher = createSecretCipher(new Map([['k1', Buffer.alloc(32, 1)]]));
const by = 'operator:test';
const { key } = makeSource();
const device = 'd'.repeat(64);

beforeAll(async () => {
	database = await createTestDatabase();
	sql = database.sql;
});
afterAll(() => database.close());
beforeEach(async () => {
	await sql`truncate sources, rooms, change_log, bookings, holds, patients, audit
		restart identity cascade`;
});

const add = (over: { secret?: string; replaces?: boolean; name?: string } = {}) => {
	const { secret = null, replaces = false, name = 'Big Sky' } = over;
	const settings = makeSource({ name });
	return sql.begin((tx) => addSourceIn(tx, cipher, { settings, secret, by, replaces }));
};

const acts = async (): Promise<unknown[]> => {
	const rows = await sql`select actor, action, objects[1] as object from audit order by id`;
	return rows.map(({ actor, action, object }) => [actor, action, object]);
};

test('[E6] a taken key is refused; replacing keeps the secret unless one is given', async () => {
	const added = await add({ secret: 'one' });
	expect(added).toMatchObject({ ok: true });
	expect(await add()).toEqual({ ok: false, reason: 'source_exists' });
	expect(await add({ replaces: true, name: 'Renamed' })).toEqual(added);
	expect((await readSourceStatuses(sql))[0]).toMatchObject({ name: 'Renamed', hasSecret: true });
	expect(await readConnectorSecret(sql, cipher, key)).toBe('one');
	await add({ replaces: true, secret: 'two' });
	expect(await readConnectorSecret(sql, cipher, key)).toBe('two');
	expect(await acts()).toEqual([
		[by, 'source_added', `source:${key}`],
		[by, 'secret_saved', `source:${key}`],
		[by, 'source_changed', `source:${key}`],
		[by, 'source_changed', `source:${key}`],
		[by, 'secret_saved', `source:${key}`]
	]);
});

test('[E7] a paused source is not polled, and a poll under way does not commit', async () => {
	const id = await makePolledSource(sql, [makeFact(0)]);
	const under = await claim(sql, id);
	expect(await pauseSource(sql, { key, because: 'They move house.', by })).toMatchObject({
		ok: true
	});
	expect(await tryPoll(sql, id, { claim: under, facts: [] })).toMatchObject({ reason: 'fenced' });
	expect(await claimPoll(sql, id, HOUR_MS)).toBeNull();
	expect(await listDueSources(sql, { withinMs: HOUR_MS, limit: 9 })).toEqual([]);
	const [shown] = await readSourceStatuses(sql);
	expect(shown).toMatchObject({
		openSlots: 1,
		nextPollAt: null,
		pausedBecause: 'They move house.'
	});
	expect(shown?.pausedAt).not.toBeNull();
	expect(shown?.lastGoodAt).not.toBeNull();
	// Who looks now sees its times as who looked before does, with their age.
	const [schedule] = await readSchedulesOfRooms(sql, [localRoom('dermatology', 'US-MT')]);
	expect(schedule?.sourceId).toBe(id);
	// New settings are no word that it may be polled again.
	expect(await add({ replaces: true })).toMatchObject({ ok: true });
	expect(await claimPoll(sql, id, HOUR_MS)).toBeNull();
	expect((await readSourceStatuses(sql))[0]).toMatchObject({ pausedBecause: 'They move house.' });
	await resumeSource(sql, { key, by });
	expect(await listDueSources(sql, { withinMs: 0, limit: 9 })).toHaveLength(1);
	expect((await readSourceStatuses(sql))[0]).toMatchObject({ pausedAt: null, pausedBecause: null });
	await poll(sql, id, { facts: [makeFact(0)] });
});

test('[E10] pausing, resuming and removing stand in the audit; an unknown source leaves no row', async () => {
	await add();
	await pauseSource(sql, { key, because: '', by: 'operator:ana' });
	await resumeSource(sql, { key, by: 'operator:ben' });
	await removeSource(sql, { key, by: 'operator:cy' });
	const about = `source:${key}`;
	const done = [
		[by, 'source_added', about],
		['operator:ana', 'source_paused', about],
		['operator:ben', 'source_resumed', about],
		['operator:cy', 'source_removed', about]
	];
	expect(await acts()).toEqual(done);
	const unknown = { ok: false, reason: 'source_unknown' };
	expect(await pauseSource(sql, { key, because: '', by })).toEqual(unknown);
	expect(await resumeSource(sql, { key, by })).toEqual(unknown);
	expect(await removeSource(sql, { key, by })).toEqual(unknown);
	expect(await acts()).toEqual(done);
});

const makeHold = async (minutes: number): Promise<string> => {
	const id = randomUUID();
	await sql`
		with h as (
			insert into holds (id, slot_id, fence, device_key, state, expires_at)
			select ${id}, id, 1, ${device}, 'held', now() + ${minutes} * interval '1 minute'
			from slots order by id limit 1 returning slot_id, expires_at
		)
		update slots s set claim_fences = '{1}', claim_untils = array[h.expires_at], fence = 1
		from h where s.id = h.slot_id`;
	return id;
};

test('[E9] a hold at a removed source ends at once and its holder is told by the sweep', async () => {
	const id = await makePolledSource(sql, [makeFact(0), makeFact(1)]);
	const hold = await makeHold(5);
	expect(await weighSource(sql, key)).toMatchObject({ value: { visits: 0, holds: 1 } });
	expect(await removeSource(sql, { key, by })).toMatchObject({ value: { visits: 0, holds: 1 } });
	const [row] = await sql`select expires_at <= clock_timestamp() as over from holds`;
	expect(row).toEqual({ over: true });
	const [slot] = await sql`
		select live_claims(claim_untils, clock_timestamp()) as live from slots order by id limit 1`;
	expect(slot).toEqual({ live: 0 });
	expect((await expireHolds(sql, 10)).ended).toEqual([
		{ holdId: hold, deviceKey: device, isTaken: false }
	]);
	expect(await readSource(sql, id)).toMatchObject({ enabled: false });
	expect(await readSourceStatuses(sql)).toEqual([]);
	expect(await dropIdleSources(sql)).toBe(0);
	await sql`update sources set removed_at = removed_at - interval '25 hours'`;
	expect(await dropIdleSources(sql)).toBe(1);
	expect(await readSource(sql, id)).toBeNull();
});

const addBooking = async (state: string): Promise<void> => {
	const patient = PatientId.parse(randomUUID());
	await sql`insert into patients (id, device_key, key_id, wrapped_key, details)
		values (${patient}, ${device}, 'k', '', '')`;
	await sql`insert into holds (id, slot_id, fence, device_key, state, expires_at)
		select gen_random_uuid(), id, 1, ${device}, 'booked', 'infinity' from slots`;
	await sql`insert into bookings (id, hold_id, slot_id, fence, schedule_id, source_id, patient_id,
			device_key, state, starts_at, ends_at, exclusive)
		select gen_random_uuid(), h.id, s.id, 1, s.schedule_id, s.source_id, ${patient}, ${device},
			${state}, s.starts_at, s.ends_at, true
		from slots s join holds h on h.slot_id = s.id`;
};

const secretsLeft = async (): Promise<number> => (await sql`select 1 from source_secrets`).length;

test('[E8] booked visits stay, with the secret, until nothing is left to do at the clinic', async () => {
	const id: SourceId = await makePolledSource(sql, [makeFact(0)]);
	await add({ secret: 'one', replaces: true });
	await addBooking('booked');
	expect(await removeSource(sql, { key, by })).toMatchObject({ value: { visits: 1, holds: 0 } });
	expect(await sql`select 1 from bookings`).toHaveLength(1);
	expect(await readConnectorSecret(sql, cipher, key)).toBe('one');
	await dropIdleSources(sql);
	expect(await secretsLeft()).toBe(1);
	await sql`update bookings set state = 'cancelled'`;
	await dropIdleSources(sql);
	expect(await secretsLeft()).toBe(0);
	await sql`update sources set removed_at = removed_at - interval '25 hours'`;
	expect(await dropIdleSources(sql)).toBe(0);
	expect(await readSource(sql, id)).not.toBeNull();
});

test('[E8] without a visit the secret goes with the source at once', async () => {
	await add({ secret: 'one' });
	await removeSource(sql, { key, by });
	expect(await secretsLeft()).toBe(0);
});

test('[E6] a removed source comes back under its key, and its next poll tells everything', async () => {
	const id = await makePolledSource(sql, [makeFact(0)]);
	await addBooking('cancelled');
	await removeSource(sql, { key, by });
	expect(await readSourceStatuses(sql)).toEqual([]);
	const before = await readSource(sql, id);
	expect(await add()).toMatchObject({ ok: true, value: id });
	// What a worker remembers of the generation before is of no use any more: it reads in full.
	expect((await readSource(sql, id))?.committedGen).not.toBe(before?.committedGen);
	await poll(sql, id, { facts: [makeFact(0)], schedules: [makeSchedule()] });
	expect(await readSourceStatuses(sql)).toMatchObject([{ key, openSlots: 1 }]);
	const [schedule] = await sql`select cardinality(room_ids) > 0 as shown from schedules`;
	expect(schedule).toEqual({ shown: true });
});
