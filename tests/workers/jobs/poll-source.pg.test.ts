// One poll against a real store: who may poll, what is written, what is not.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { slotKeyOf, type SlotFact } from '#domain/slot.ts';
import type { SourceSettings } from '#domain/source.ts';
import { upsertSource } from '#server/store/sources.ts';
import { createPollSource, type PollReport } from '#workers/jobs/poll-source.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { until } from '../../support/until.ts';
import {
	createFakeConnector,
	createGate,
	createTestLog,
	listing,
	makeAnswer,
	makeFacts,
	makeSilence,
	makeSource,
	ofEveryKind,
	type FakeConnector
} from '../fakes.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());

let made = 0;
const addSource = (over: Partial<SourceSettings> = {}): Promise<SourceId> => {
	made += 1;
	return upsertSource(database.sql, makeSource({ key: `source-${made}`, ...over }));
};

/** One worker process's part of polling. */
const createWorker = (connector: FakeConnector) => {
	const { log, lines, events } = createTestLog();
	const armed: { sourceId: SourceId; delayMs: number; gen: number; again?: number }[] = [];
	const published: RoomEntry[] = [];
	const touched: number[] = [];
	const poll = createPollSource({
		sql: database.sql,
		connectors: ofEveryKind(connector),
		publish: (entries) => void published.push(...entries),
		queues: {
			addPoll: async (sourceId, delayMs, gen, again) => {
				armed.push({ sourceId, delayMs, gen, ...(again === undefined ? {} : { again }) });
				return true;
			},
			addAlerts: async (ids) => void touched.push(...ids)
		},
		log
	});
	const run = (sourceId: SourceId, signal = new AbortController().signal): Promise<PollReport> =>
		poll(sourceId, signal);
	return { run, armed, published, touched, lines, events };
};

/** Makes the next poll due now, as time would. */
const makeDue = async (sourceId: SourceId): Promise<void> => {
	await database.sql`update sources set next_poll_at = clock_timestamp() where id = ${sourceId}`;
};
const makeLeaseRunOut = async (sourceId: SourceId): Promise<void> => {
	await database.sql`
		update sources set polling_until = clock_timestamp() - interval '1 second'
		where id = ${sourceId}`;
};
const countListed = async (sourceId: SourceId): Promise<number> => {
	const [row] = await database.sql<{ n: number }[]>`
		select count(*)::int as n from slots where source_id = ${sourceId} and removed_at is null`;
	return row?.n ?? 0;
};
const readSourceRow = async (sourceId: SourceId) => {
	const [row] = await database.sql<Record<string, unknown>[]>`
		select * from sources where id = ${sourceId}`;
	return row;
};

test('[W5] of two workers with the same job one polls, the other passes', async () => {
	const sourceId = await addSource();
	const gate = createGate();
	const slow = async () => {
		await gate.passed;
		return listing(makeFacts(3));
	};
	const first = createFakeConnector(slow);
	const second = createFakeConnector(slow);
	const workers = [createWorker(first), createWorker(second)] as const;
	const runs = workers.map((worker) => worker.run(sourceId));
	const skipped = await Promise.race(runs);
	expect(skipped).toEqual({ state: 'skipped' });
	gate.open();
	const states = (await Promise.all(runs)).map(({ state }) => state).toSorted();
	expect(states).toEqual(['committed', 'skipped']);
	expect(first.requests.length + second.requests.length).toBe(1);
	expect(await countListed(sourceId)).toBe(3);
});

test('[W6][O26] a poll that was overtaken writes nothing and says so, by the name of its source', async () => {
	const sourceId = await addSource();
	const gate = createGate();
	const stalled = createFakeConnector(async () => {
		await gate.passed;
		return listing(makeFacts(9));
	});
	const late = createWorker(stalled);
	const lateRun = late.run(sourceId);
	await until(() => stalled.requests.length === 1);
	await makeLeaseRunOut(sourceId);
	const other = createWorker(createFakeConnector(() => listing(makeFacts(4))));
	expect(await other.run(sourceId)).toMatchObject({ state: 'committed', changes: 4 });
	const before = await database.sql`select room_id, seq from change_log order by 1, 2`;
	gate.open();
	expect(await lateRun).toEqual({ state: 'fenced' });
	expect(await database.sql`select room_id, seq from change_log order by 1, 2`).toEqual(before);
	expect(await countListed(sourceId)).toBe(4);
	expect(late.published).toEqual([]);
	expect(late.armed).toEqual([]);
	expect(late.lines.filter(({ event }) => event === 'poll_fenced')).toEqual([
		expect.objectContaining({ sourceId, source: `source-${made}` })
	]);
	expect(late.lines.filter(({ level }) => level === 'error')).toEqual([]);
	expect(stalled.settled).toEqual([{ token: expect.any(String), committed: false }]);
});

test('[W6] a silence that was overtaken is not recorded', async () => {
	const sourceId = await addSource();
	const gate = createGate();
	const stalled = createFakeConnector(async () => {
		await gate.passed;
		return makeSilence();
	});
	const late = createWorker(stalled).run(sourceId);
	await until(() => stalled.requests.length === 1);
	await makeLeaseRunOut(sourceId);
	await createWorker(createFakeConnector(() => listing(makeFacts(1)))).run(sourceId);
	gate.open();
	expect(await late).toEqual({ state: 'fenced' });
	expect(await readSourceRow(sourceId)).toMatchObject({ failures: 0, outcome: 'complete' });
});

test('[W11] an unchanged answer touches one row', async () => {
	const sourceId = await addSource();
	const connector = createFakeConnector(
		() => listing(makeFacts(5)),
		() => makeAnswer({ listing: { form: 'unchanged' }, schedules: null })
	);
	const worker = createWorker(connector);
	await worker.run(sourceId);
	await makeDue(sourceId);
	const versions = () => database.sql`
		select 'slot', id, xmin::text from slots
		union all select 'schedule', id, xmin::text from schedules
		union all select 'room', id, xmin::text from rooms
		union all select 'log', seq, xmin::text from change_log order by 1, 2, 3`;
	const before = await versions();
	const published = worker.published.length;
	expect(await worker.run(sourceId)).toMatchObject({ form: 'unchanged', changes: 0 });
	expect(await versions()).toEqual(before);
	expect(worker.published.length).toBe(published);
	expect(await readSourceRow(sourceId)).toMatchObject({ committed_gen: 2, outcome: 'complete' });
});

test('[W11] changes are published, alerts are looked at, and the next poll is armed', async () => {
	const sourceId = await addSource({ minIntervalMs: 60_000 });
	const worker = createWorker(createFakeConnector(() => listing(makeFacts(2))));
	await worker.run(sourceId);
	expect(worker.published.map(({ room, seq }) => [room, seq])).toEqual([
		['dermatology:us-mt', expect.any(Number)]
	]);
	expect(worker.touched).toHaveLength(1);
	expect(worker.armed).toEqual([{ sourceId, gen: 1, delayMs: expect.any(Number) }]);
	expect(worker.armed[0]?.delayMs).toBeGreaterThanOrEqual(60_000);
});

test('[W12] a partial answer removes nothing', async () => {
	const sourceId = await addSource();
	const facts = makeFacts(8);
	const worker = createWorker(
		createFakeConnector(
			() => listing(facts),
			() => listing(facts.slice(0, 6), { state: 'partial' })
		)
	);
	await worker.run(sourceId);
	await makeDue(sourceId);
	expect(await worker.run(sourceId)).toMatchObject({ changes: 0, suspect: false });
	expect(await countListed(sourceId)).toBe(8);
});

test('[W12] most slots vanish: nothing is removed until a full second look agrees', async () => {
	const sourceId = await addSource({ minIntervalMs: 60_000 });
	const facts = makeFacts(30);
	const connector = createFakeConnector(
		() => listing(facts),
		() => listing(facts.slice(0, 5))
	);
	const worker = createWorker(connector);
	await worker.run(sourceId);
	await makeDue(sourceId);
	expect(await worker.run(sourceId)).toMatchObject({ changes: 0, suspect: true });
	expect(await countListed(sourceId)).toBe(30);
	expect(worker.armed.at(-1)?.delayMs).toBe(60_000);
	expect(await readSourceRow(sourceId)).toMatchObject({ suspect: { gen: 2, freeAfter: 5 } });
	await makeDue(sourceId);
	expect(await worker.run(sourceId)).toMatchObject({ changes: 25, suspect: false });
	expect(connector.requests.at(-1)).toMatchObject({ wantFull: true, basis: null });
	expect(await countListed(sourceId)).toBe(5);
	expect(await readSourceRow(sourceId)).toMatchObject({ suspect: null });
});

test('[W51] nothing at all twice in a row is believed, and an operator hears of it until times are back', async () => {
	const sourceId = await addSource();
	const facts = makeFacts(30);
	const connector = createFakeConnector(() => listing(facts));
	const worker = createWorker(connector);
	const poll = async (listed: readonly SlotFact[]) => {
		connector.answers.splice(0, Infinity, () => listing(listed));
		await makeDue(sourceId);
		await worker.run(sourceId);
		const [row] = await database.sql<{ at: number | null; count: number | null }[]>`
			select emptied_at as at, emptied_count as count from sources where id = ${sourceId}`;
		return row?.at === null ? null : row?.count;
	};
	const warned = () => worker.lines.filter(({ event }) => event === 'source_emptied');
	expect([await poll(facts), await poll([])]).toEqual([null, null]);
	expect(await countListed(sourceId)).toBe(30);
	expect(await poll([])).toBe(30);
	expect(await countListed(sourceId)).toBe(0);
	const about = { level: 'warn', sourceId, source: `source-${made}`, removed: 30 };
	expect(warned()).toEqual([expect.objectContaining(about)]);
	expect([await poll([]), await poll(facts.slice(0, 1))]).toEqual([30, null]);
	expect(warned().length).toBe(1);
});

test('[W51] of what was listed once in the two looks nothing of the kind is said', async () => {
	const sourceId = await addSource();
	const facts = makeFacts(30);
	const answers = [facts, facts.slice(0, 1), [], []].map((listed) => () => listing(listed));
	const worker = createWorker(createFakeConnector(...answers));
	for (let poll = 0; poll < 4; poll += 1) {
		await makeDue(sourceId);
		await worker.run(sourceId);
	}
	expect(await countListed(sourceId)).toBe(0);
	expect(worker.events()).not.toContain('source_emptied');
	expect(await readSourceRow(sourceId)).toMatchObject({ emptied_at: null });
});

test('[W12] a short answer that was a mistake is forgotten when the slots are back', async () => {
	const sourceId = await addSource();
	const facts = makeFacts(30);
	const worker = createWorker(
		createFakeConnector(
			() => listing(facts),
			() => listing(facts.slice(0, 5)),
			() => listing(facts)
		)
	);
	for (let poll = 0; poll < 3; poll += 1) {
		await makeDue(sourceId);
		await worker.run(sourceId);
	}
	expect(await countListed(sourceId)).toBe(30);
	expect(await readSourceRow(sourceId)).toMatchObject({ suspect: null });
});

test('[W13] a delta is asked for against the complete answer this process committed', async () => {
	const sourceId = await addSource();
	const facts = makeFacts(4);
	const [, second] = facts;
	if (second === undefined) throw new Error('no fact');
	const connector = createFakeConnector(
		() => listing(facts),
		() =>
			makeAnswer({
				listing: {
					form: 'delta',
					changed: [{ ...second, status: 'busy', remaining: 0 }],
					gone: [slotKeyOf(second)].slice(1),
					total: 4
				},
				schedules: null
			})
	);
	const worker = createWorker(connector);
	await worker.run(sourceId);
	expect(connector.requests[0]).toMatchObject({ basis: null, wantFull: true });
	await makeDue(sourceId);
	expect(await worker.run(sourceId)).toMatchObject({ form: 'delta', changes: 1 });
	expect(connector.requests[1]?.basis).toBe(connector.requests[0]?.token);
	expect(connector.settled.map(({ committed }) => committed)).toEqual([true, true]);
});

test.each([
	['another process committed', null],
	['the answer was partial', { state: 'partial' }],
	['a schedule was not read to its end', { unreadSchedules: ['117'] }]
] as const)('[W13] no basis when %s', async (_name, over) => {
	const sourceId = await addSource();
	const connector = createFakeConnector(() => listing(makeFacts(3), over ?? {}));
	const worker = createWorker(connector);
	await worker.run(sourceId);
	await makeDue(sourceId);
	if (over === null) {
		await createWorker(createFakeConnector(() => listing(makeFacts(3)))).run(sourceId);
		await makeDue(sourceId);
	}
	await worker.run(sourceId);
	expect(connector.requests.map(({ basis }) => basis)).toEqual([null, null]);
	expect(connector.settled[0]?.committed).toBe(over === null);
});

test('[W13] silence in between does not lose the basis', async () => {
	const sourceId = await addSource();
	const connector = createFakeConnector(
		() => listing(makeFacts(3)),
		() => makeSilence(),
		() => makeAnswer({ listing: { form: 'unchanged' }, schedules: null })
	);
	const worker = createWorker(connector);
	for (let poll = 0; poll < 3; poll += 1) {
		await makeDue(sourceId);
		await worker.run(sourceId);
	}
	expect(connector.requests[2]?.basis).toBe(connector.requests[0]?.token);
});

test('[W2] silence is counted, kept and armed with its pause', async () => {
	const sourceId = await addSource({ minIntervalMs: 1_000 });
	const connector = createFakeConnector(() => makeSilence({ retryAfterMs: 90_000 }));
	const worker = createWorker(connector);
	expect(await worker.run(sourceId)).toEqual({ state: 'silent', reason: 'http_error' });
	expect(await readSourceRow(sourceId)).toMatchObject({
		failures: 1,
		outcome: 'http_error',
		polling_until: null
	});
	expect(worker.armed[0]).toMatchObject({ sourceId, gen: 1 });
	expect(worker.armed[0]?.delayMs).toBeGreaterThanOrEqual(90_000);
});

test('[W22][O26] a connector that throws is silent, and its source only, named in the log', async () => {
	const sourceId = await addSource();
	const secret = 'Rosa Martinez';
	const worker = createWorker(
		createFakeConnector(() => {
			throw new Error(secret);
		})
	);
	expect(await worker.run(sourceId)).toEqual({ state: 'silent', reason: 'not_understood' });
	expect(worker.lines.find(({ event }) => event === 'poll_silent')).toMatchObject({
		source: `source-${made}`
	});
	expect(JSON.stringify(worker.lines)).not.toContain(secret);
	expect(JSON.stringify(await readSourceRow(sourceId))).not.toContain(secret);
	expect(worker.armed).toHaveLength(1);
});

test('[W22] an answer that cannot be stored is kept at its source', async () => {
	const sourceId = await addSource();
	const connector = createFakeConnector(() => listing(makeFacts(2, { service: 'no\u0000text' })));
	const worker = createWorker(connector);
	expect(await worker.run(sourceId)).toEqual({ state: 'silent', reason: 'not_understood' });
	expect(await readSourceRow(sourceId)).toMatchObject({ failures: 1, committed_gen: 0 });
	expect(connector.settled).toEqual([{ token: expect.any(String), committed: false }]);
	expect(worker.lines.find(({ event }) => event === 'poll_failed')).toMatchObject({
		source: `source-${made}`
	});
});

test('[W18] a poll cut off because this process goes down blames nobody', async () => {
	const sourceId = await addSource();
	const stop = new AbortController();
	const connector = createFakeConnector(
		({ signal }) =>
			new Promise((resolve) => {
				signal.addEventListener('abort', () => resolve(makeSilence({ reason: 'timeout' })));
			})
	);
	const worker = createWorker(connector);
	const run = worker.run(sourceId, stop.signal);
	await until(() => connector.requests.length === 1);
	stop.abort();
	expect(await run).toEqual({ state: 'abandoned' });
	expect(await readSourceRow(sourceId)).toMatchObject({ failures: 0, outcome: null });
});

test('[W5] a job that came too early arms the right time', async () => {
	const sourceId = await addSource();
	await database.sql`
		update sources set next_poll_at = clock_timestamp() + interval '1 minute'
		where id = ${sourceId}`;
	const worker = createWorker(createFakeConnector(() => listing([])));
	expect(await worker.run(sourceId)).toEqual({ state: 'skipped' });
	expect(worker.armed).toEqual([
		{ sourceId, gen: 0, delayMs: expect.any(Number), again: expect.any(Number) }
	]);
	expect(worker.armed[0]?.delayMs).toBeGreaterThan(50_000);
	expect(await worker.run(SourceId.parse(999_999))).toEqual({ state: 'skipped' });
	expect(worker.armed).toHaveLength(1);
});
