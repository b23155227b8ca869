// Which fingerprints stand after a poll: only those of answers that the store shows in full.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Reach, SpokenAnswer } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import { diffFull } from '#domain/slot-diff.ts';
import type { SlotFact } from '#domain/slot.ts';
import { toInstant } from '#domain/time.ts';
import { commitPoll } from '#server/store/commit-poll.ts';
import { readKnownSlots } from '#server/store/slots.ts';
import { upsertSource, type Suspect } from '#server/store/sources.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
	claim,
	makeAnswer,
	makeFact,
	makePolledSource,
	makeSchedule,
	makeSource
} from './poll-world.ts';

let database: TestDatabase;
let id: SourceId;
beforeAll(async () => {
	database = await createTestDatabase();
});
beforeEach(async () => {
	await database.sql`delete from sources`;
	id = await makePolledSource(database.sql, [makeFact(0), makeFact(1)]);
});
afterAll(() => database.close());

const fullAt = toInstant(Date.now() - 1_000);

/** One poll; its token and its fingerprint are `name`. */
const run = async (
	name: string,
	reach: Reach,
	told: {
		readonly facts?: readonly SlotFact[];
		readonly answer?: Partial<SpokenAnswer>;
		readonly suspect?: Suspect;
		readonly isUnprinted?: boolean;
		readonly made?: object;
	} = {}
) => {
	const { sql } = database;
	const held = await claim(sql, id);
	const { facts } = told;
	const answer = makeAnswer({
		listing: facts === undefined ? { form: 'unchanged' } : { form: 'full', facts },
		fingerprint: () => ({ name, ...told.made }),
		...told.answer
	});
	const changes = facts === undefined ? [] : diffFull(await readKnownSlots(sql, id), facts, answer);
	const done = await commitPoll(sql, {
		claim: held,
		answer,
		changes,
		nextPollInMs: 0,
		suspect: told.suspect ?? null,
		isNear: reach === 'near',
		poll: told.isUnprinted === true ? null : { token: name, fullAt }
	});
	if (!done.ok) throw new Error(done.reason);
	const { near, whole } = done.value.fingerprints;
	return { near: near?.token ?? null, whole: whole?.token ?? null };
};

/** What a worker that claims the source now is told. */
const stored = async () => {
	const { fingerprints } = await claim(database.sql, id);
	await database.sql`update sources set polling_until = null`;
	return { near: fingerprints.near?.made ?? null, whole: fingerprints.whole?.made ?? null };
};

const both = [makeFact(0), makeFact(1)];
const fewer = [makeFact(0), makeFact(1, { status: 'busy' })];

test('[S33] each kind of poll leaves its own, and those who claim are told of both', async () => {
	expect(await stored()).toEqual({ near: null, whole: null });
	expect(await run('w', 'whole', { facts: both })).toEqual({ near: null, whole: 'w' });
	expect(await run('n', 'near', { facts: both })).toEqual({ near: 'n', whole: 'w' });
	expect(await stored()).toEqual({ near: { name: 'n' }, whole: { name: 'w' } });
	const { fingerprints } = await claim(database.sql, id);
	expect(fingerprints.whole).toEqual({ token: 'w', fullAt, made: { name: 'w' } });
});

test('[S33] an unchanged answer and silence leave what stands; where none stands one is kept', async () => {
	await run('w', 'whole', { facts: both });
	expect(await run('later', 'whole')).toEqual({ near: null, whole: 'w' });
	await database.sql`delete from fingerprints`;
	expect(await run('last', 'whole')).toEqual({ near: null, whole: 'last' });
});

test('[S33] what one kind of poll changes, the other kind has not told', async () => {
	await run('w', 'whole', { facts: both });
	expect(await run('n', 'near', { facts: fewer })).toEqual({ near: 'n', whole: null });
	expect(await run('w2', 'whole', { facts: both })).toEqual({ near: null, whole: 'w2' });
	await run('n2', 'near', { facts: both });
	const schedules = [makeSchedule({ regions: ['US-MT', 'US-WY'] })];
	expect(await run('w3', 'whole', { facts: both, answer: { schedules } })).toEqual({
		near: null,
		whole: 'w3'
	});
	expect(await stored()).toEqual({ near: null, whole: { name: 'w3' } });
});

test.each([
	['a partial answer', { answer: { state: 'partial' as const } }],
	['a suspect one', { suspect: { gen: 1, freeAfter: 0 } }],
	['one that left schedules out', { answer: { unreadSchedules: ['a'] } }]
])('[S33] %s takes both away', async (_name, told) => {
	await run('w', 'whole', { facts: both });
	await run('n', 'near', { facts: both });
	expect(await run('x', 'whole', { facts: fewer, ...told })).toEqual({ near: null, whole: null });
	expect(await stored()).toEqual({ near: null, whole: null });
});

test('[S33] an update that changes nothing leaves all; one that does takes all away', async () => {
	await run('w', 'whole', { facts: both });
	const update = (facts: readonly SlotFact[]) => ({
		facts,
		answer: { state: 'partial', isUpdate: true, fingerprint: () => null } as const
	});
	expect(await run('u', 'whole', update([]))).toEqual({ near: null, whole: 'w' });
	expect(await run('u2', 'whole', update(fewer))).toEqual({ near: null, whole: null });
});

test('[S33] none is kept of an answer that is read again, nor one that is too long', async () => {
	expect(await run('r', 'whole', { facts: both, isUnprinted: true })).toEqual({
		near: null,
		whole: null
	});
	const made = { files: 'x'.repeat(70_000) };
	expect(await run('l', 'whole', { facts: fewer, made })).toEqual({ near: null, whole: null });
});

test('[S33] other settings take them away, a fingerprint of another source stays', async () => {
	await run('w', 'whole', { facts: both });
	const first = id;
	id = await makePolledSource(database.sql, [makeFact(0)], { source: { key: 'other' } });
	await run('o', 'whole', { facts: [makeFact(0)] });
	await upsertSource(database.sql, makeSource());
	expect(await stored()).toEqual({ near: null, whole: { name: 'o' } });
	id = first;
	expect(await stored()).toEqual({ near: null, whole: null });
});
