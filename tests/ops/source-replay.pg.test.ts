// Answers are kept by the poll job and read again later, by the job's own parts and from the command
// line, with the source gone.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import { Mapping } from '#domain/mapping.ts';
import { must } from '#domain/result.ts';
import type { SourceSettings } from '#domain/source.ts';
import { developmentKeys } from '#server/platform/config-variables.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { dropOldRawAnswers, listRawAnswers } from '#server/store/raw-answers.ts';
import { upsertSource } from '#server/store/sources.ts';
import { createRecorder } from '#workers/connectors/tape.ts';
import { createPollSource } from '#workers/jobs/poll-source.ts';
import { createRawKeeper, readRawExchanges } from '#workers/jobs/raw-keeper.ts';
import { commitReread, rereadAnswer } from '#workers/jobs/replay-answer.ts';
import { startOffice, type RunningOffice } from '../../demo/clinics/small/start.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTestLog } from '../workers/fakes.ts';
import { startFakeServer } from '../workers/connectors/fake-server.ts';
import { stages } from '../workers/connectors/office-stages.ts';
import { makeConnectors, makeSource } from '../workers/connectors/poll-once.ts';

let database: TestDatabase;
let office: RunningOffice;
beforeAll(async () => {
	[database, office] = await Promise.all([createTestDatabase(), startOffice('vendor')]);
});
afterAll(async () => {
	await office?.close();
	await database?.close();
});
beforeEach(async () => {
	office.setFault(null);
	await database.sql`truncate sources, audit restart identity cascade`;
});

const [, key = ''] = developmentKeys.phi.split(':');
const cipher = createSecretCipher(new Map([['dev', Buffer.from(key, 'base64')]]));
const vendor = must(stages.find(({ format }) => format === 'vendor'));

/** One worker's part of polling; every poll is due. */
const createWorker = ({ mostBytes = 1_048_576 } = {}) => {
	const recorder = createRecorder();
	const connectors = makeConnectors({ tape: recorder.tape });
	const { log, events } = createTestLog();
	const { sql } = database;
	const poll = createPollSource({
		sql,
		connectors,
		publish: () => {},
		queues: { addPoll: async () => true, addAlerts: async () => {} },
		log,
		raw: createRawKeeper({ sql, cipher, recorder, log, mostBytes })
	});
	return {
		events,
		run: async (id: SourceId) => {
			await sql`update sources set next_poll_at = now() where id = ${id}`;
			return await poll(id, new AbortController().signal);
		},
		[Symbol.asyncDispose]: () => connectors.close()
	};
};

const addSource = (over: Partial<SourceSettings> = {}): Promise<SourceId> =>
	upsertSource(
		database.sql,
		makeSource({
			key: 'kept',
			name: office.office.name,
			kind: vendor.kind,
			url: office.url,
			notes: vendor.notes,
			...over
		})
	);

const outcomesOf = async (id: SourceId): Promise<string[]> =>
	(await listRawAnswers(database.sql, id)).map(({ outcome }) => outcome);

const listed = async (): Promise<number> => {
	const [row] = await database.sql<{ n: number }[]>`
		select count(*) as n from slots where removed_at is null`;
	return must(row).n;
};

const deps = () => ({ sql: database.sql, cipher });

test('[E15] full reads are kept, the last three; a difference is not', async () => {
	await using worker = createWorker();
	const id = await addSource();
	expect(await worker.run(id)).toMatchObject({ state: 'committed', form: 'full' });
	expect(await worker.run(id)).toMatchObject({ state: 'committed', form: 'unchanged' });
	expect(await outcomesOf(id)).toEqual(['complete']);
	for (let restarts = 0; restarts < 4; restarts += 1) {
		await using another = createWorker();
		await another.run(id);
	}
	const kept = await listRawAnswers(database.sql, id);
	expect(kept.map(({ gen }) => gen)).toEqual([6, 5, 4]);
	await database.sql`update raw_answers set asked_at = asked_at - interval '25 hours' where gen < 6`;
	expect(await dropOldRawAnswers(database.sql)).toBe(2);
});

const plainMapping = Mapping.parse({
	format: 'json',
	slots: {
		each: [{ as: 'opening', at: 'openings[*]' }],
		id: 'opening.id',
		start: { at: 'opening.start', as: 'instant' },
		minutes: 'opening.minutes'
	}
});

test('[E15] what cannot be read is read in full the next time and kept as it came', async () => {
	const start = new Date(Date.now() + 86_400_000).toISOString();
	let body: string | object = { openings: [{ id: '1', start, minutes: 20 }] };
	await using server = await startFakeServer(() => ({ body }));
	await using worker = createWorker();
	const notes = { ...vendor.notes, mapping: plainMapping };
	const id = await addSource({ url: server.url, notes });
	await worker.run(id);
	body = '{"openings": [{';
	expect(await worker.run(id)).toMatchObject({ state: 'silent', reason: 'not_understood' });
	expect(await outcomesOf(id)).toEqual(['complete']);
	await worker.run(id);
	expect(await outcomesOf(id)).toEqual(['not_understood', 'complete']);
	const [raw] = await listRawAnswers(database.sql, id);
	const exchanges = must(await readRawExchanges(deps(), must(raw)));
	expect(exchanges.map((one) => one.body.toString())).toEqual([body]);
	expect(await rereadAnswer(deps(), id, () => true)).toMatchObject({
		value: { answer: { state: 'silent', reason: 'not_understood' }, changes: [] }
	});
});

test('[E15] beyond its size nothing is kept, and a failure to keep fails no poll', async () => {
	const id = await addSource();
	for (const mostBytes of [0, 100]) {
		await using small = createWorker({ mostBytes });
		expect(await small.run(id)).toMatchObject({ state: 'committed' });
		expect(await outcomesOf(id)).toEqual([]);
	}
	await using worker = createWorker();
	await database.sql`alter table raw_answers rename to elsewhere`;
	try {
		expect(await worker.run(id)).toMatchObject({ state: 'committed' });
		expect(worker.events()).toContain('raw_keep_failed');
	} finally {
		await database.sql`alter table elsewhere rename to raw_answers`;
	}
});

test('[E16] what is kept is in the clear nowhere in the table', async () => {
	await using worker = createWorker();
	const id = await addSource();
	await worker.run(id);
	const [row] = await database.sql<{ line: string }[]>`select t::text as line from raw_answers t`;
	const [raw] = await listRawAnswers(database.sql, id);
	const body = must(must(await readRawExchanges(deps(), must(raw)))[0]).body;
	expect(body.toString()).toContain('openings');
	const { line } = must(row);
	// Neither as text, nor as the beginning of a gzip.
	expect(line).not.toContain(Buffer.from('openings').toString('hex'));
	expect(line).not.toContain('\\x1f8b');
});

const run = (args: readonly string[]): Promise<{ code: number; out: string; err: string }> =>
	new Promise((done) => {
		const entry = resolve(import.meta.dirname, '../../ops/slotcast.js');
		const env = { PATH: process.env['PATH'], HUB_MODE: 'development', DATABASE_URL: database.url };
		execFile(process.execPath, [entry, 'source', ...args], { env }, (error, out, err) =>
			done({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
		);
	});

test('[E17] a reader that was mended reads the kept answer: shown first, then committed', async () => {
	const id = await addSource();
	// The fault of ours: lengths are looked for under a wrong name, so that no slot can be read.
	const broken = structuredClone(vendor.notes);
	Object.assign(must(must(broken.mapping).slots), { minutes: 'opening.mins' });
	await addSource({ notes: broken });
	{
		await using worker = createWorker();
		expect(await worker.run(id)).toMatchObject({ state: 'silent' });
	}
	office.setFault({ kind: 'http_500' });
	await addSource();
	expect(await listed()).toBe(0);
	const shown = await run(['replay', 'kept']);
	expect(shown).toMatchObject({ code: 0, err: '' });
	expect(shown.out).toMatch(/then: not_understood[^]*it would add [1-9]\d*, change 0, remove 0/);
	expect(await listed()).toBe(0);
	await database.sql`update raw_answers set asked_at = asked_at - interval '10 minutes'`;
	const applied = await run(['replay', 'kept', '--commit']);
	expect(applied).toMatchObject({ code: 0, err: '' });
	expect(await listed()).toBeGreaterThan(0);
	const [row] = await database.sql`
		select outcome, clock_timestamp() - checked_at > interval '9 minutes' as old from sources`;
	expect(row).toEqual({ outcome: 'complete', old: true });
	const acts = await database.sql`select action from audit where actor like 'operator:cli %'`;
	expect(acts).toEqual([{ action: 'source_replayed' }]);
	// A second time it is not newer than what stands.
	expect(await run(['replay', 'kept', '--commit'])).toMatchObject({ code: 1 });
	expect((await run(['replay', 'kept', '--at', '2020-01-01T00:00:00Z'])).code).toBe(64);
	expect((await run(['replay', 'nobody'])).code).toBe(1);
});

test('[E17] what happened here since the answer was heard stays', async () => {
	await using worker = createWorker();
	const id = await addSource();
	await worker.run(id);
	await database.sql`update slots set status = 'busy', remaining = 0, own_changed_at = clock_timestamp()
		where id = (select min(id) from slots where status = 'free')`;
	const reread = await rereadAnswer(deps(), id, () => true);
	if (!reread.ok || reread.value.answer.state === 'silent') throw new Error('nothing read');
	const { raw, answer } = reread.value;
	expect(reread.value.changes).toHaveLength(1);
	expect(await commitReread(deps(), { raw, answer })).toMatchObject({ ok: true });
	const [still] = await database.sql`select status from slots where id = (
		select id from slots where own_changed_at > '-infinity')`;
	expect(still).toEqual({ status: 'busy' });
	await database.sql`update sources set enabled = false`;
	expect(await commitReread(deps(), { raw, answer })).toEqual({ ok: false, reason: 'not_now' });
});

test('[E17] a kept answer is no second look at the loss that it told of itself', async () => {
	const opening = (nr: number) => ({
		id: String(nr),
		start: new Date(Date.now() + nr * 86_400_000).toISOString(),
		minutes: 20
	});
	let openings = Array.from({ length: 12 }, (_, nr) => opening(nr + 1));
	await using server = await startFakeServer(() => ({ body: { openings } }));
	const id = await addSource({
		url: server.url,
		notes: { ...vendor.notes, mapping: plainMapping }
	});
	{
		await using earlier = createWorker();
		await earlier.run(id);
	}
	openings = [];
	// One that has just started reads in full, and so the answer is kept.
	await using worker = createWorker();
	expect(await worker.run(id)).toMatchObject({ state: 'committed', suspect: true });
	const before = await listed();
	expect(before).toBeGreaterThan(5);
	const reread = await rereadAnswer(deps(), id, () => true);
	if (!reread.ok || reread.value.answer.state === 'silent') throw new Error('nothing read');
	const { raw, answer } = reread.value;
	expect(reread.value).toMatchObject({ changes: [], isSuspect: true });
	expect(await commitReread(deps(), { raw, answer })).toEqual({
		ok: true,
		value: { changes: 0, isSuspect: true }
	});
	expect(await listed()).toBe(before);
	expect(await worker.run(id)).toMatchObject({ state: 'committed', suspect: false });
	expect(await listed()).toBe(0);
});
