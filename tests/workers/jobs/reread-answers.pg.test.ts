// Kept answers read again for an operator on the page: wished in Postgres, read and applied by workers,
// with workers that go away in between.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import type { Reread, RereadId } from '#domain/reread.ts';
import { must } from '#domain/result.ts';
import { developmentKeys } from '#server/platform/config-variables.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { createSourceDesk } from '#server/scheduling/source-desk.ts';
import { pauseSource } from '#server/store/operate-sources.ts';
import { claimReread, dropOldRereads } from '#server/store/rereads.ts';
import { upsertSource } from '#server/store/sources.ts';
import { createRecorder } from '#workers/connectors/tape.ts';
import { createPollSource } from '#workers/jobs/poll-source.ts';
import { createRawKeeper } from '#workers/jobs/raw-keeper.ts';
import { rereadWished } from '#workers/jobs/reread-answers.ts';
import { startOffice, type RunningOffice } from '../../../demo/clinics/small/start.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { stages } from '../connectors/office-stages.ts';
import { makeConnectors, makeSource } from '../connectors/poll-once.ts';
import { createTestLog } from '../fakes.ts';

let database: TestDatabase;
let office: RunningOffice;
beforeAll(async () => {
	[database, office] = await Promise.all([createTestDatabase(), startOffice('vendor')]);
});
afterAll(async () => {
	await office?.close();
	await database?.close();
});

const [, phiKey = ''] = developmentKeys.phi.split(':');
const cipher = createSecretCipher(new Map([['dev', Buffer.from(phiKey, 'base64')]]));
const vendor = must(stages.find(({ format }) => format === 'vendor'));
const key = 'read-again';
const by = 'operator:page abc';

const desk = () => createSourceDesk({ sql: database.sql, secrets: cipher, publish: () => {} });

const { log, events } = createTestLog();
/** One turn of a worker's loop. */
const work = (): Promise<number> => rereadWished({ sql: database.sql, cipher, log })();

let sourceId: SourceId;
const poll = async (): Promise<void> => {
	const recorder = createRecorder();
	const connectors = makeConnectors({ tape: recorder.tape });
	const { sql } = database;
	const run = createPollSource({
		sql,
		connectors,
		publish: () => {},
		queues: { addPoll: async () => true, addAlerts: async () => {} },
		log,
		raw: createRawKeeper({ sql, cipher, recorder, log, mostBytes: 1_048_576 })
	});
	await sql`update sources set next_poll_at = now()`;
	await run(sourceId, new AbortController().signal);
	await connectors.close();
};

beforeEach(async () => {
	await database.sql`truncate sources, audit restart identity cascade`;
	const { name } = office.office;
	const { kind, notes } = vendor;
	sourceId = await upsertSource(
		database.sql,
		makeSource({ key, name, kind, url: office.url, notes })
	);
	await poll();
});

const ask = async (): Promise<RereadId> => {
	const kept = await desk().kept(key);
	const [answer] = kept.ok ? kept.value.answers : [];
	const asked = await desk().reread(by, key, must(answer).gen);
	if (!asked.ok) throw new Error(asked.reason);
	return asked.value;
};
const look = async (id: RereadId): Promise<Reread> => must(await desk().readReread(key, id));

/** What nobody told us: a time that the store has otherwise than the answer. */
const spoilOne = (): Promise<unknown> => database.sql`
	update slots set status = 'busy', remaining = 0
	where id = (select id from slots where status = 'free' order by starts_at limit 1)`;
const freeCount = async (): Promise<number> => {
	const [row] = await database.sql<{ n: number }[]>`
		select count(*) as n from slots where status = 'free' and removed_at is null`;
	return must(row).n;
};
const acts = async (): Promise<string[]> =>
	(await database.sql<{ act: string }[]>`select action || ' ' || actor as act from audit`).map(
		({ act }) => act
	);

test('[O20] a kept answer is read, shown against the store, and applied only when confirmed', async () => {
	await spoilOne();
	const before = await freeCount();
	const id = await ask();
	expect(await look(id)).toMatchObject({ stage: 'reading', found: null, isNewest: true });
	// Too early to confirm what nobody has seen.
	await desk().applyReread(by, key, id);
	expect(await work()).toBe(1);
	const seen = await look(id);
	expect(seen).toMatchObject({
		stage: 'read',
		found: {
			added: 0,
			changed: 1,
			removed: 0,
			isSuspect: false,
			examples: [{ kind: 'changed', was: 'busy', now: 'free', practitionerName: 'Ana Ruiz' }],
			report: { state: 'complete', scheduleCount: 1 }
		}
	});
	expect(await freeCount()).toBe(before);
	expect(await acts()).toEqual([]);
	await desk().applyReread(by, key, id);
	// A second tap.
	await desk().applyReread(by, key, id);
	expect(await work()).toBe(1);
	expect(await look(id)).toMatchObject({ stage: 'applied', changes: 1, isNewest: false });
	expect(await freeCount()).toBe(before + 1);
	expect(await acts()).toEqual([`source_replayed ${by}`]);
	expect(await work()).toBe(0);
});

test('[O20] what is refused is shown with its reason', async () => {
	const broken = structuredClone(vendor.notes);
	Object.assign(must(must(broken.mapping).slots), { minutes: 'opening.mins' });
	const { name } = office.office;
	const { kind } = vendor;
	await upsertSource(database.sql, makeSource({ key, name, kind, url: office.url, notes: broken }));
	const id = await ask();
	await work();
	const { found } = await look(id);
	expect(must(found).report.state).toBe('silent');
	expect(must(found).report.refused.length).toBeGreaterThan(0);
	expect(must(found).report.refused[0]?.reason).toMatch(/\w/);
	await desk().applyReread(by, key, id);
	await work();
	expect(await look(id)).toMatchObject({ stage: 'failed', why: 'silent' });
});

test('[O20] nothing is applied over what the source said since, or while it is paused', async () => {
	const older = await ask();
	await work();
	await poll();
	expect(await look(older)).toMatchObject({ stage: 'read', isNewest: false });
	await desk().applyReread(by, key, older);
	await work();
	expect(await look(older)).toMatchObject({ stage: 'failed', why: 'not_now' });
	const newer = await ask();
	await work();
	await pauseSource(database.sql, { key, because: '', by });
	await desk().applyReread(by, key, newer);
	await work();
	expect(await look(newer)).toMatchObject({ stage: 'failed', why: 'not_now' });
});

test('[O20] an answer that is kept no longer, or of another source, is not read', async () => {
	const id = await ask();
	expect(await desk().readReread('another', id)).toBeNull();
	expect(await desk().reread(by, 'another', 1)).toMatchObject({ reason: 'source_unknown' });
	expect(await desk().reread(by, key, 99)).toMatchObject({ reason: 'answer_gone' });
	await database.sql`truncate raw_answers`;
	await work();
	expect(await look(id)).toMatchObject({ stage: 'failed', why: 'gone', answer: null });
	await database.sql`update rereads set made_at = made_at - interval '61 minutes'`;
	expect(await desk().readReread(key, id)).toBeNull();
	expect(await dropOldRereads(database.sql)).toBe(1);
});

/** A worker took it up, did `done`, and is seen no more. */
const lost = { worker: 'lost', leaseMs: 60_000 };
const loseWorker = async (done: () => Promise<unknown> = async () => null): Promise<void> => {
	expect(await claimReread(database.sql, lost)).not.toBeNull();
	// Nobody else takes it up meanwhile.
	expect(await claimReread(database.sql, lost)).toBeNull();
	await done();
	await database.sql`update rereads set taken_until = clock_timestamp()`;
};

test('[O21] a worker that goes away while reading is followed by another, not for ever', async () => {
	const id = await ask();
	await loseWorker();
	await work();
	expect(await look(id)).toMatchObject({ stage: 'read' });
	const poison = await ask();
	await loseWorker();
	await loseWorker();
	expect(await work()).toBe(0);
	expect(await look(poison)).toMatchObject({ stage: 'failed', why: 'broken' });
});

test('[O21] one that goes away while applying is not said to have done nothing', async () => {
	await spoilOne();
	const done = await ask();
	await work();
	await desk().applyReread(by, key, done);
	// It was committed, and the worker died before it could say so.
	await loseWorker(
		() => database.sql`
			update sources set poll_gen = poll_gen + 1, committed_gen = poll_gen + 1`
	);
	await work();
	expect(await look(done)).toMatchObject({ stage: 'failed', why: 'unsure' });
	await poll();
	await spoilOne();
	const notYet = await ask();
	await work();
	await desk().applyReread(by, key, notYet);
	await loseWorker();
	await work();
	expect(await look(notYet)).toMatchObject({ stage: 'applied', changes: 1 });
});

test('[O21] two workers at once read each wish once', async () => {
	await Promise.all([ask(), ask(), ask()]);
	const counts = await Promise.all([work(), work()]);
	expect(counts.reduce((sum, each) => sum + each, 0)).toBe(3);
	const [row] = await database.sql<{ n: number }[]>`
		select count(*) as n from rereads where stage = 'read'`;
	expect(row?.n).toBe(3);
});

test('[O21] what cannot be opened is a fault of ours, and the next is read all the same', async () => {
	const id = await ask();
	await database.sql`update raw_answers set key_id = 'lost'`;
	await work();
	expect(await look(id)).toMatchObject({ stage: 'failed', why: 'broken' });
	expect(events()).toContain('reread_failed');
});
