// Near polls and whole ones in one job, against a real store: what each may change, who asks for what,
// and how old the far times count.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import { flatPool, newEstimate } from '#domain/polling/estimate.ts';
import { NEAR_IN_A_ROW, NEAR_MS } from '#domain/polling/near.ts';
import { parseEstimate, storeEstimate } from '#domain/polling/stored.ts';
import { must } from '#domain/result.ts';
import { slotKeyOf, type SlotFact } from '#domain/slot.ts';
import type { SourceSettings } from '#domain/source.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import { listOverdueSources } from '#server/store/overdue-sources.ts';
import { readKnownSlots } from '#server/store/slots.ts';
import { upsertSource } from '#server/store/sources.ts';
import type { PollRequest } from '#workers/connectors/connector.ts';
import { createPollPolicy } from '#workers/jobs/poll-policy.ts';
import { createPollSource, type PollDeps } from '#workers/jobs/poll-source.ts';
import { startClinics, type RunningClinics } from '../../../demo/clinics/start.ts';
import { sourceOf } from '../../../demo/launch/publishers.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { mustClose } from '../../support/leaks.ts';
import { seededRandom } from '../../support/random.ts';
import { makeConnectors } from '../connectors/poll-once.ts';
import {
	createFakeConnector,
	createTestLog,
	listing,
	makeAnswer,
	makeFact,
	makeSilence,
	makeSource,
	ofEveryKind
} from '../fakes.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());

const { log } = createTestLog();

/** One worker process; `run` polls at once, whatever was planned. */
const createWorker = (connectors: PollDeps['connectors'], hasPolicy = false) => {
	const poll = createPollSource({
		sql: database.sql,
		connectors,
		publish: () => {},
		queues: { addPoll: async () => true, addAlerts: async () => {} },
		log,
		...(hasPolicy && { policy: createPollPolicy({ sql: database.sql, log }) })
	});
	return async (id: SourceId) => {
		await database.sql`update sources set next_poll_at = clock_timestamp() where id = ${id}`;
		return await poll(id, new AbortController().signal);
	};
};

let made = 0;
const addSource = (over: Partial<SourceSettings> = {}): Promise<SourceId> => {
	made += 1;
	return upsertSource(database.sql, makeSource({ key: `source-${made}`, ...over }));
};

const shownOf = async (id: SourceId): Promise<SlotFact[]> => [
	...(await readKnownSlots(database.sql, id)).values()
];

const rowOf = async (id: SourceId) =>
	must((await database.sql<Record<string, unknown>[]>`select * from sources where id = ${id}`)[0]);

/** As if the last answers had come so much earlier. */
const ageBy = (id: SourceId, ms: number) => database.sql`
	update sources set checked_at = checked_at - ${ms} * interval '1 millisecond',
		far_checked_at = far_checked_at - ${ms} * interval '1 millisecond'
	where id = ${id}`;

describe.each(['cedar-harbor', 'copper-mesa'])('a FHIR clinic, %s', (key) => {
	let world: RunningClinics & AsyncDisposable;
	let connectors: ReturnType<typeof makeConnectors>;
	let sourceId: SourceId;
	let run: ReturnType<typeof createWorker>;
	beforeAll(async () => {
		const options = { seed: 5, slotCount: 900, keys: [key] };
		world = mustClose('clinics', await startClinics(options));
		connectors = makeConnectors();
		sourceId = await upsertSource(database.sql, {
			...sourceOf(must(world.clinics[0])),
			freshForMs: HOUR_MS
		});
		run = createWorker(connectors);
	});
	afterAll(async () => {
		await connectors.close();
		await world.close();
	});

	const clinic = () => must(world.clinics[0]);
	const listed = () =>
		clinic()
			.truth()
			.slots.filter(({ startAt }) => startAt > world.now() + MINUTE_MS);
	const pick = (from: number, to: number) =>
		must(
			listed().find(
				({ status, startAt }) =>
					status === 'free' && startAt > world.now() + from && startAt < world.now() + to
			)
		);
	const isOpen = async (slot: { id: string }) =>
		(await shownOf(sourceId)).some(
			({ sourceSlotId, status }) => sourceSlotId === slot.id && status === 'free'
		);
	const openNow = async () =>
		(await shownOf(sourceId))
			.filter(({ status, startsAt }) => status === 'free' && startsAt > world.now() + MINUTE_MS)
			.map(({ sourceSlotId }) => sourceSlotId)
			.toSorted();
	const openTruly = () =>
		listed()
			.filter(({ status }) => status === 'free')
			.map(({ id }) => id)
			.toSorted();
	/** Polls until one of this kind was made. */
	const runUntil = async (isNear: boolean) => {
		for (let polls = 0; polls < 8; polls += 1) {
			const report = await run(sourceId);
			if (report.state === 'committed' && report.isNear === isNear) return report;
		}
		throw new Error('no such poll');
	};

	test('[Q40][W40] a change of the next days is seen by a near poll, one of next week by the next whole poll', async () => {
		expect(await run(sourceId)).toMatchObject({ isNear: false, form: 'full' });
		const [soon, nextWeek] = [pick(HOUR_MS, NEAR_MS - HOUR_MS), pick(6 * DAY_MS, 10 * DAY_MS)];
		clinic().setSlotStatus(soon.id, 'busy');
		clinic().setSlotStatus(nextWeek.id, 'busy');
		expect(await run(sourceId)).toMatchObject({ isNear: true });
		expect([await isOpen(soon), await isOpen(nextWeek)]).toEqual([false, true]);
		for (let polls = 1; polls < NEAR_IN_A_ROW; polls += 1) {
			expect(await run(sourceId)).toMatchObject({ isNear: true, changes: 0 });
		}
		expect(await run(sourceId)).toMatchObject({ isNear: false, changes: 1 });
		expect(await isOpen(nextWeek)).toBe(false);
		expect(await openNow()).toEqual(openTruly());
	});

	test('[W41] what a near poll saw otherwise and the whole listing has as before is as listed', async () => {
		await runUntil(false);
		const slot = pick(HOUR_MS, NEAR_MS - HOUR_MS);
		clinic().setSlotStatus(slot.id, 'busy');
		await runUntil(true);
		expect(await isOpen(slot)).toBe(false);
		clinic().setSlotStatus(slot.id, 'free');
		await runUntil(false);
		expect(await isOpen(slot)).toBe(true);
		expect(await openNow()).toEqual(openTruly());
	});

	test('[W40] an empty near answer removes nothing at once, and never anything far', async () => {
		await runUntil(false);
		const before = await openNow();
		clinic().setFault({ kind: 'empty_answer' });
		expect(await run(sourceId)).toMatchObject({ isNear: true, suspect: true, changes: 0 });
		expect(await openNow()).toEqual(before);
		clinic().setFault(null);
		// Under suspicion everything is read.
		expect(await run(sourceId)).toMatchObject({ isNear: false, form: 'full', suspect: false });
		expect(await openNow()).toEqual(openTruly());
	});

	test('[W41] after any changes and any polls, a whole poll leaves what the clinic lists', async () => {
		const random = seededRandom();
		for (let step = 0; step < 25; step += 1) {
			for (let edits = random.int(0, 4); edits > 0; edits -= 1) {
				const near = listed().filter(({ startAt }) => startAt < world.now() + 5 * DAY_MS);
				const slot = random.pick(random.chance(0.7) && near.length > 0 ? near : listed());
				const status = random.pick(['free', 'free', 'busy', 'removed'] as const);
				clinic().setSlotStatus(slot.id, status);
			}
			const report = await run(sourceId);
			if (report.state === 'committed' && !report.isNear && !report.suspect) {
				expect(await openNow()).toEqual(openTruly());
			}
		}
	});

	test('[W40] near days that really emptied are believed when the whole listing says so', async () => {
		const isNear = ({ startAt }: { startAt: number }) => startAt < world.now() + NEAR_MS + HOUR_MS;
		for (const { id } of listed().filter(isNear)) clinic().setSlotStatus(id, 'free');
		await runUntil(false);
		const far =
			openTruly().length -
			listed()
				.filter(isNear)
				.filter(({ status }) => status === 'free').length;
		for (const { id } of listed().filter(isNear)) clinic().setSlotStatus(id, 'removed');
		expect(await run(sourceId)).toMatchObject({ isNear: true, suspect: true, changes: 0 });
		expect(await run(sourceId)).toMatchObject({ isNear: false, suspect: false });
		expect(await openNow()).toEqual(openTruly());
		expect(await openNow()).toHaveLength(far);
		// From now on a near answer is empty, and nothing odd.
		expect(await run(sourceId)).toMatchObject({ isNear: true, suspect: false, changes: 0 });
		expect(await openNow()).toHaveLength(far);
	});
});

const tomorrow = makeFact(20);
const nextWeek = makeFact(400);
const isFar = ({ startsAt }: SlotFact): boolean => startsAt > Date.now() + NEAR_MS;

/** A source that lists these, or only the near ones when it is asked for less. */
const sourceListing =
	(facts: readonly SlotFact[], canNarrow = true) =>
	({ nearMs, now }: PollRequest) => {
		const to = toInstant(now + (nearMs ?? 14 * DAY_MS));
		return listing(
			facts.filter(({ startsAt }) => startsAt < to),
			{ canNarrow, window: { from: now, to } }
		);
	};

const reaches = (requests: readonly PollRequest[]): string[] =>
	requests.map(({ nearMs, wantFull }) =>
		nearMs !== undefined ? 'near' : wantFull ? 'full' : 'whole'
	);

const usual = { minIntervalMs: 1_000, freshForMs: HOUR_MS };

test('[W40] a near answer removes inside its days only', async () => {
	const id = await addSource(usual);
	const connector = createFakeConnector(sourceListing([tomorrow, nextWeek]), sourceListing([]));
	const run = createWorker(ofEveryKind(connector));
	await run(id);
	expect(await run(id)).toMatchObject({ isNear: true, changes: 1 });
	expect((await shownOf(id)).map(slotKeyOf)).toEqual([slotKeyOf(nextWeek)]);
});

test('[W40] few near times left, then few in all: what was never seen twice stays', async () => {
	const id = await addSource(usual);
	const near = Array.from({ length: 20 }, (_, at) => makeFact(at));
	const far = Array.from({ length: 60 }, (_, at) => makeFact(300 + at));
	const few = near.slice(0, 3);
	const connector = createFakeConnector(sourceListing([...near, ...far]), sourceListing(few));
	const run = createWorker(ofEveryKind(connector));
	await run(id);
	expect(await run(id)).toMatchObject({ isNear: true, suspect: true });
	// Both looks would leave three; but only this one looked at the far days.
	expect(await run(id)).toMatchObject({ isNear: false, suspect: true, changes: 0 });
	expect(await shownOf(id)).toHaveLength(80);
	expect(await run(id)).toMatchObject({ isNear: false, suspect: false, changes: 77 });
	expect(reaches(connector.requests)).toEqual(['full', 'near', 'full', 'full']);
});

test('[W42] after a push, a signal, a silence or a whole poll by another worker', async () => {
	const id = await addSource(usual);
	const answers = sourceListing([tomorrow, nextWeek]);
	const connector = createFakeConnector(answers);
	const run = createWorker(ofEveryKind(connector), true);
	const next = async (): Promise<string> => {
		await run(id);
		return must(reaches(connector.requests).at(-1));
	};
	expect([await next(), await next()]).toEqual(['full', 'near']);
	await database.sql`update sources set pushed_at = clock_timestamp() where id = ${id}`;
	expect([await next(), await next()]).toEqual(['full', 'near']);
	await database.sql`
		update poll_estimates set signalled = 1, signalled_at = last_good_at where source_id = ${id}`;
	expect([await next(), await next()]).toEqual(['whole', 'near']);
	connector.answers = [() => makeSilence(), answers];
	expect([await next(), await next(), await next()]).toEqual(['near', 'whole', 'near']);
	// A near poll needs nothing that this process remembers; a whole one by a newcomer is read in full.
	const other = createFakeConnector(answers);
	const runOther = createWorker(ofEveryKind(other));
	await runOther(id);
	expect(reaches(other.requests)).toEqual(['near']);
	await ageBy(id, 40 * MINUTE_MS);
	await runOther(id);
	expect(reaches(other.requests)).toEqual(['near', 'full']);
});

test('[W42] a source that lists everything whatever it is asked for is asked for all of it, for a day', async () => {
	const id = await addSource(usual);
	const answer = ({ nearMs }: PollRequest) =>
		listing([tomorrow], { canNarrow: nearMs === undefined });
	const connector = createFakeConnector(answer);
	const run = createWorker(ofEveryKind(connector));
	for (let polls = 0; polls < 8; polls += 1) await run(id);
	const asked = reaches(connector.requests);
	expect(asked.filter((reach) => reach === 'near')).toHaveLength(1);
	await database.sql`
		update sources set window_ignored_at = window_ignored_at - interval '25 hours' where id = ${id}`;
	await run(id);
	await run(id);
	expect(reaches(connector.requests).at(-1)).toBe('near');
});

test('[W42] a near answer that cannot be understood is followed by whole ones, for a day', async () => {
	const id = await addSource(usual);
	const connector = createFakeConnector((request) =>
		request.nearMs === undefined
			? sourceListing([tomorrow])(request)
			: makeSilence({ reason: 'not_understood' })
	);
	const run = createWorker(ofEveryKind(connector));
	for (let polls = 0; polls < 5; polls += 1) await run(id);
	expect(reaches(connector.requests)).toEqual(['full', 'near', 'full', 'whole', 'whole']);
});

test.each([
	['a small listing', { canNarrow: false }],
	['a partial answer', { state: 'partial' }]
] as const)('[W42] after %s the whole window is asked for', async (_name, over) => {
	const id = await addSource(usual);
	const connector = createFakeConnector(() => listing([tomorrow], { canNarrow: true, ...over }));
	const run = createWorker(ofEveryKind(connector));
	for (let polls = 0; polls < 3; polls += 1) await run(id);
	expect(reaches(connector.requests)).not.toContain('near');
});

test('[W42] settings that changed are asked for as a whole; what a near answer counted is not shown', async () => {
	const id = await addSource(usual);
	const flags = { ...makeAnswer().flags, records: 7 };
	const connector = createFakeConnector(
		() => listing([tomorrow, nextWeek], { canNarrow: true, flags, cursor: { pages: 3 } }),
		sourceListing([tomorrow])
	);
	const run = createWorker(ofEveryKind(connector));
	await run(id);
	await run(id);
	expect(await rowOf(id)).toMatchObject({ flags, cursor: { pages: 3 }, near_polls: 1 });
	await upsertSource(
		database.sql,
		makeSource({ key: `source-${made}`, ...usual, windowMs: 20 * DAY_MS })
	);
	await run(id);
	expect(reaches(connector.requests).slice(1)).toEqual(['near', 'whole']);
});

test('[W41] "unchanged" since a listing that a near poll overtook is told against what the store shows', async () => {
	const id = await addSource(usual);
	const taken = { ...tomorrow, status: 'busy' as const, remaining: 0 };
	const connector = createFakeConnector(
		sourceListing([tomorrow, nextWeek]),
		sourceListing([taken]),
		() => makeAnswer({ listing: { form: 'unchanged' }, schedules: null, canNarrow: true })
	);
	const run = createWorker(ofEveryKind(connector));
	await run(id);
	expect(await run(id)).toMatchObject({ isNear: true, changes: 1 });
	await ageBy(id, 40 * MINUTE_MS);
	expect(await run(id)).toMatchObject({ isNear: false, form: 'delta', changes: 1 });
	expect(connector.requests.at(-1)?.basis).toBe(connector.requests[0]?.token);
	expect((await shownOf(id)).map(({ status }) => status)).toEqual(['free', 'free']);
});

test('[Q42] a source that falls silent is as old as its far times; the alarm counts from its last answer', async () => {
	const id = await addSource({ ...usual, minIntervalMs: MINUTE_MS });
	const connector = createFakeConnector(
		sourceListing([tomorrow, nextWeek]),
		sourceListing([tomorrow]),
		() => makeSilence()
	);
	const run = createWorker(ofEveryKind(connector));
	await run(id);
	await ageBy(id, 10 * MINUTE_MS);
	expect(await run(id)).toMatchObject({ isNear: true });
	const ageMs = async () => Date.now() - Number((await rowOf(id))['checked_at']);
	expect(await ageMs()).toBeLessThan(MINUTE_MS);
	await run(id);
	await run(id);
	expect(await ageMs()).toBeGreaterThanOrEqual(10 * MINUTE_MS);
	const overdue = async () =>
		(await listOverdueSources(database.sql, 50)).filter((each) => each.id === id);
	expect(await overdue()).toEqual([]);
	await database.sql`
		update sources set near_checked_at = near_checked_at - interval '4 minutes' where id = ${id}`;
	expect(await overdue()).toHaveLength(1);
});

const learnedOf = async (id: SourceId) => {
	const [row] = await database.sql<
		{ learned: unknown; told: number; countedFrom: number | null }[]
	>`
		select learned, told, counted_from as "countedFrom" from poll_estimates where source_id = ${id}`;
	return { ...must(row), estimate: must(parseEstimate(row?.learned)) };
};

test('[Q41] a rate is learned when the whole window was seen, from all that was found since', async () => {
	const id = await addSource(usual);
	const busy = (fact: SlotFact): SlotFact => ({ ...fact, status: 'busy', remaining: 0 });
	const [a, b] = [makeFact(4), makeFact(6)];
	const connector = createFakeConnector(
		sourceListing([a, b, nextWeek]),
		sourceListing([busy(a), b]),
		sourceListing([busy(a), busy(b)]),
		sourceListing([busy(a), busy(b), busy(nextWeek)])
	);
	const run = createWorker(ofEveryKind(connector), true);
	await run(id);
	await database.sql`
		update poll_estimates set last_good_at = last_good_at - interval '2 hours'
		where source_id = ${id}`;
	const first = await learnedOf(id);
	await run(id);
	await run(id);
	const between = await learnedOf(id);
	expect(between).toMatchObject({ learned: first.learned, told: 2 });
	expect(between.countedFrom).not.toBeNull();
	await ageBy(id, 40 * MINUTE_MS);
	expect(await run(id)).toMatchObject({ isNear: false, changes: 1 });
	const { estimate, told, countedFrom } = await learnedOf(id);
	expect([told, countedFrom]).toEqual([0, null]);
	// Two hours and three changes, not a moment and one.
	expect(estimate.days - first.estimate.days).toBeGreaterThan(1.9 / 24);
	expect(estimate.events - first.estimate.events).toBeGreaterThan(2);
});

test('[Q43] a poll that looks for a release asks for the whole window', async () => {
	const id = await addSource(usual);
	const connector = createFakeConnector(sourceListing([tomorrow, nextWeek]));
	const run = createWorker(ofEveryKind(connector), true);
	await run(id);
	await run(id);
	// Its times come out at every five minutes of the day, as far as is known: the next poll looks.
	const marks = Array.from({ length: 288 }, (_, mark) => mark);
	const estimate = { ...newEstimate(flatPool, HOUR_MS), hot: marks };
	await database.sql`
		update poll_estimates set learned = ${JSON.stringify(storeEstimate(estimate))}::text::jsonb
		where source_id = ${id}`;
	await database.sql`update sources set min_interval_ms = 400000 where id = ${id}`;
	await run(id);
	await run(id);
	expect(reaches(connector.requests)).toEqual(['full', 'near', 'near', 'whole']);
	expect(isFar(nextWeek)).toBe(true);
});

test('[A36] updates follow one another in the job, without asking for everything in between', async () => {
	const id = await addSource();
	const update = makeAnswer({
		state: 'partial',
		isUpdate: true,
		schedules: null,
		listing: { form: 'delta', changed: [nextWeek], gone: [], total: 2 }
	});
	const connector = createFakeConnector(
		() => listing([tomorrow]),
		() => update
	);
	const run = createWorker(ofEveryKind(connector));
	for (let polls = 0; polls < 4; polls += 1) await run(id);
	const asked = connector.requests.map(({ wantFull, basis }) => [wantFull, basis !== null]);
	expect(asked).toEqual([
		[true, false],
		[false, true],
		[false, true],
		[false, true]
	]);
	expect(await shownOf(id)).toHaveLength(2);
	expect((await rowOf(id))['outcome']).toBe('complete');
});
