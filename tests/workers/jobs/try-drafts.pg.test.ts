// Sources tried for an operator on the page: wished in Postgres, read by workers over HTTP, with workers
// that go away in between.
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { DraftId, type SourceDraft } from '#domain/source-desk.ts';
import { developmentKeys } from '#server/platform/config-variables.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { createSourceDesk } from '#server/scheduling/source-desk.ts';
import { claimDraft, dropOldDrafts, finishDraft } from '#server/store/source-drafts.ts';
import { readConnectorSecret } from '#server/store/source-secrets.ts';
import { tryLoops, tryWished } from '#workers/jobs/try-drafts.ts';
import { startLoop } from '#workers/jobs/repeat.ts';
import { startOffice, type RunningOffice } from '../../../demo/clinics/small/start.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { mustClose } from '../../support/leaks.ts';
import { until } from '../../support/until.ts';
import { stages } from '../connectors/office-stages.ts';
import { makeSource } from '../connectors/poll-once.ts';
import { createTestLog } from '../fakes.ts';

/** A source that takes the question and never answers; and how often it was asked. */
const startSilence = async () => {
	let asked = 0;
	const server: Server = createServer(() => (asked += 1));
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	const port = typeof address === 'object' && address !== null ? address.port : 0;
	return {
		url: `http://127.0.0.1:${port}/`,
		asked: () => asked,
		close: () =>
			new Promise<void>((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
};

let database: TestDatabase;
let office: RunningOffice;
let silence: Awaited<ReturnType<typeof startSilence>>;
beforeAll(async () => {
	[database, office, silence] = await Promise.all([
		createTestDatabase(),
		startOffice('vendor'),
		startSilence()
	]);
});
afterAll(async () => {
	await Promise.all([office?.close(), silence?.close()]);
	await database?.close();
});
beforeEach(async () => {
	await database.sql`truncate source_drafts, sources, audit restart identity cascade`;
});

const [, phiKey = ''] = developmentKeys.phi.split(':');
const cipher = createSecretCipher(new Map([['dev', Buffer.from(phiKey, 'base64')]]));
const by = 'operator:page abc';
const SECRET = 'zyx-canary-secret-0173';
const { kind, notes } = must(stages.find(({ format }) => format === 'vendor'));

const desk = () => createSourceDesk({ sql: database.sql, secrets: cipher, publish: () => {} });
const { log, lines } = createTestLog();
const depsOf = (signal = new AbortController().signal, secrets = new Map<string, string>()) => ({
	sql: database.sql,
	cipher,
	log,
	secrets,
	options: { allowPrivate: true },
	signal
});
/** One turn of a worker's loop. */
const work = (...parts: Parameters<typeof depsOf>): Promise<number> =>
	tryWished(depsOf(...parts))();

/** A vendor that gives nothing without a key. */
const mapping = must(notes.mapping);
const keyed = { ...notes, mapping: { ...mapping, request: { secret: { header: 'x-key' } } } };
const ask = (secret: string | null = SECRET, key = 'tried'): Promise<DraftId> =>
	desk().try(by, {
		settings: makeSource({ key, name: 'Tried', kind, url: office.url, notes: keyed }),
		secret
	});
const askSilence = (): Promise<DraftId> =>
	desk().try(by, {
		settings: makeSource({ key: 'mute', name: 'Mute', kind, url: silence.url, notes }),
		secret: SECRET
	});
const look = async (id: DraftId): Promise<SourceDraft> => {
	const draft = await desk().readDraft(id);
	if (!draft.ok) throw new Error(draft.reason);
	return draft.value;
};
/** All that is kept, bytes as they are and as text. */
const rowText = async (): Promise<string> => {
	const rows = await database.sql<{ row: string; sealed: Buffer | null }[]>`
		select source_drafts::text as row, sealed from source_drafts`;
	return rows.map(({ row, sealed }) => row + (sealed?.toString('latin1') ?? '')).join('\n');
};
const keptSecrets = async (): Promise<number> => {
	const [row] = await database.sql<{ n: number }[]>`
		select count(*) as n from source_drafts
		where sealed is not null or wrapped_key is not null or key_id is not null`;
	return must(row).n;
};

test('[O22] a source is read by a worker, and saved as it was read', async () => {
	const id = await ask();
	const waiting = await look(id);
	expect(waiting).toMatchObject({ report: null, why: null, worker: null, hasSecret: true });
	expect(waiting.settings.name).toBe('Tried');
	expect(waiting.ageMs).toBeGreaterThanOrEqual(0);
	expect(await work()).toBe(1);
	const tried = await look(id);
	expect(tried).toMatchObject({
		why: null,
		worker: null,
		hasSecret: true,
		report: { state: 'complete', scheduleCount: 1 }
	});
	expect(must(tried.report).slotCount).toBeGreaterThan(0);
	// Once read it is not read again.
	expect(await work()).toBe(0);
	expect(await desk().add(by, id, false)).toMatchObject({ ok: true });
	expect(await readConnectorSecret(database.sql, cipher, 'tried')).toBe(SECRET);
	expect(await desk().readDraft(id)).toMatchObject({ reason: 'draft_unknown' });
});

test('[O22] what the environment keeps for a key serves where none was typed', async () => {
	const [without, withOne] = [await ask(null), await ask(null, 'other')];
	await work(undefined, new Map([['other', SECRET]]));
	expect((await look(without)).report?.state).toBe('silent');
	expect((await look(withOne)).report?.state).toBe('complete');
});

test('[O25] what was not read is not saved, whoever insists', async () => {
	const id = await ask();
	expect(await desk().add(by, id, true)).toMatchObject({ reason: 'draft_unread' });
	await database.sql`update source_drafts set why = 'broken'`;
	expect(await desk().add(by, id, true)).toMatchObject({ reason: 'draft_unread' });
	const [row] = await database.sql<{ n: number }[]>`select count(*) as n from sources`;
	expect(row?.n).toBe(0);
});

test('[O24] a secret that was typed waits encrypted, and goes when the source is saved', async () => {
	const id = await ask();
	expect(await rowText()).not.toContain(SECRET);
	expect(await keptSecrets()).toBe(1);
	await work();
	expect(await rowText()).not.toContain(SECRET);
	await desk().add(by, id, false);
	expect(await keptSecrets()).toBe(0);
});

test('[O24] an hour later it is forgotten, and the clinic of a forgotten one is not asked', async () => {
	const asked = silence.asked();
	const id = await askSilence();
	await database.sql`update source_drafts set made_at = made_at - interval '61 minutes'`;
	expect(await work()).toBe(0);
	expect(silence.asked()).toBe(asked);
	expect(await desk().readDraft(id)).toMatchObject({ reason: 'draft_unknown' });
	expect(await desk().add(by, id, true)).toMatchObject({ reason: 'draft_unknown' });
	expect(await dropOldDrafts(database.sql)).toBe(1);
});

const lost = { worker: 'there:7', leaseMs: 60_000 };
/** A worker took it up and is seen no more. */
const loseWorker = async (id: DraftId): Promise<void> => {
	expect(await claimDraft(database.sql, cipher, lost)).not.toBeNull();
	expect(await look(id)).toMatchObject({ worker: 'there:7', report: null });
	// Nobody else takes it up meanwhile.
	expect(await claimDraft(database.sql, cipher, lost)).toBeNull();
	await database.sql`update source_drafts set taken_until = clock_timestamp()`;
};

test('[O23] a worker that goes away while reading is followed by another, not for ever', async () => {
	const id = await ask();
	await loseWorker(id);
	expect(await look(id)).toMatchObject({ worker: null, why: null });
	await work();
	expect((await look(id)).report?.state).toBe('complete');
	const poison = await ask();
	await loseWorker(poison);
	await loseWorker(poison);
	expect(await work()).toBe(0);
	expect(await look(poison)).toMatchObject({ why: 'lost', report: null, hasSecret: false });
	expect(await keptSecrets()).toBe(1);
});

test('[O23] one that comes back late changes nothing of what another said', async () => {
	const id = await ask();
	const late = must(await claimDraft(database.sql, cipher, lost));
	await database.sql`update source_drafts set taken_until = clock_timestamp()`;
	const next = must(await claimDraft(database.sql, cipher, { ...lost, worker: 'here:8' }));
	await finishDraft(database.sql, late, 'given_back');
	expect(await look(id)).toMatchObject({ worker: 'here:8' });
	await finishDraft(database.sql, next, { why: 'broken' });
	await finishDraft(database.sql, late, { why: 'lost' });
	expect(await look(id)).toMatchObject({ why: 'broken' });
});

test('[O23][O28] what cannot be opened is a fault of ours, and the next is read all the same', async () => {
	const broken = await ask();
	await database.sql`update source_drafts set key_id = 'gone'`;
	const fine = await ask();
	expect(await work()).toBe(2);
	expect(await look(broken)).toMatchObject({ why: 'broken', hasSecret: false });
	expect((await look(fine)).report?.state).toBe('complete');
	const told = lines
		.filter(({ event }) => event === 'try_failed' || event === 'try_done')
		.slice(-3);
	expect(told.map(({ event, source }) => [event, source])).toEqual([
		['try_failed', 'tried'],
		['try_done', 'tried'],
		['try_done', 'tried']
	]);
});

test('[O29] what gave nothing is tried again with its secret, under the same id, however often it is pressed', async () => {
	const id = await ask(null);
	await work();
	expect(await look(id)).toMatchObject({ report: { state: 'silent' }, isSecretGone: false });
	await desk().tryAgain(by, id);
	await desk().tryAgain(by, id);
	expect(await look(id)).toMatchObject({ report: null, why: null, worker: null });
	expect(await work(undefined, new Map([['tried', SECRET]]))).toBe(1);
	expect((await look(id)).report?.state).toBe('complete');
	// What was read is not asked for again.
	await desk().tryAgain(by, id);
	expect((await look(id)).report?.state).toBe('complete');
	const secret = await ask('wrong', 'other');
	await database.sql`update source_drafts set report = '{"state":"silent","slotCount":0}' where id = ${secret}`;
	await desk().tryAgain(by, secret);
	expect(await work()).toBe(1);
	expect(await look(secret)).toMatchObject({ hasSecret: true, report: { state: 'complete' } });
	expect(await desk().tryAgain(by, DraftId.parse(randomUUID()))).toMatchObject({
		reason: 'draft_unknown'
	});
});

test('[O29] where the secret went with the failure nothing is asked without it', async () => {
	const [keyedOne, plain] = [await ask(), await ask(null, 'plain')];
	await database.sql`update source_drafts set taken_until = clock_timestamp(), tries = 2`;
	expect(await work()).toBe(0);
	expect(await look(keyedOne)).toMatchObject({ why: 'lost', isSecretGone: true });
	expect(await look(plain)).toMatchObject({ why: 'lost', isSecretGone: false });
	await desk().tryAgain(by, keyedOne);
	await desk().tryAgain(by, plain);
	expect(await look(keyedOne)).toMatchObject({ why: 'lost' });
	expect(await work()).toBe(1);
	expect(await look(plain)).toMatchObject({ why: null, report: { state: 'silent' } });
});

test('[W46] a source that hangs does not keep the next operator waiting', async () => {
	const stopping = new AbortController();
	const asked = silence.asked();
	const hanging = await askSilence();
	const loops = tryLoops(depsOf(stopping.signal)).map((loop) => startLoop(loop, log));
	await using running = mustClose('loops', {
		close: async () => {
			stopping.abort();
			await Promise.all(loops.map((loop) => loop.close()));
		}
	});
	await until(() => silence.asked() > asked);
	expect(await look(hanging)).toMatchObject({ report: null, why: null });
	expect((await look(hanging)).worker).toMatch(/:\d+$/);
	const fine = await ask();
	await until(async () => (await look(fine)).report !== null);
	expect((await look(hanging)).report).toBeNull();
	await running.close();
	expect(await look(hanging)).toMatchObject({ report: null, why: null, worker: null });
});

test('[W47] a try that a worker going down has cut short is begun anew, and does not count', async () => {
	const asked = silence.asked();
	const id = await askSilence();
	for (const nr of [1, 2, 3]) {
		const stopping = new AbortController();
		const working = work(stopping.signal);
		await until(() => silence.asked() >= asked + nr);
		stopping.abort();
		expect(await working).toBe(1);
		expect(await look(id)).toMatchObject({ report: null, why: null, worker: null });
	}
	expect(await keptSecrets()).toBe(1);
	// Going down it takes up nothing.
	expect(await work(AbortSignal.abort())).toBe(0);
});
