// The polling policy against a real store: what is learned is kept, plans follow weight and price,
// and no plan is sooner than the source allows.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import { OPENS_AFTER } from '#domain/polling/breaker.ts';
import { flatPool, newEstimate } from '#domain/polling/estimate.ts';
import { parseEstimate, poolIn, storeEstimate } from '#domain/polling/stored.ts';
import type { SourceSettings } from '#domain/source.ts';
import { HOUR_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import { systemClock } from '#server/platform/clock.ts';
import { listOverdueSources } from '#server/store/overdue-sources.ts';
import { claimPoll, upsertSource } from '#server/store/sources.ts';
import { createPollPolicy, replanPoll, takeSignal } from '#workers/jobs/poll-policy.ts';
import { setPollPrices } from '#workers/jobs/poll-prices.ts';
import { createPollSource } from '#workers/jobs/poll-source.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import {
	createFakeConnector,
	createTestLog,
	listing,
	makeAnswer,
	makeFacts,
	makeSilence,
	makeSource,
	ofEveryKind
} from '../fakes.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
	await database.sql`delete from sources`;
	await database.sql`delete from poll_prices`;
});

let made = 0;
const addSource = (over: Partial<SourceSettings> = {}): Promise<SourceId> => {
	made += 1;
	const settings = { key: `source-${made}`, minIntervalMs: 10_000, freshForMs: 6 * HOUR_MS };
	return upsertSource(database.sql, makeSource({ ...settings, ...over }));
};

const armed: { sourceId: SourceId; delayMs: number; gen: number }[] = [];
const queues = {
	addPoll: async (sourceId: SourceId, delayMs: number, gen: number) => {
		armed.push({ sourceId, delayMs, gen });
		return true;
	},
	addAlerts: async () => {}
};

const createWorker = (...answers: Parameters<typeof createFakeConnector>) => {
	const { log, events } = createTestLog();
	const connector = createFakeConnector(...answers);
	const poll = createPollSource({
		sql: database.sql,
		connectors: ofEveryKind(connector),
		publish: () => {},
		queues,
		log,
		policy: createPollPolicy({ sql: database.sql, log })
	});
	const run = async (id: SourceId) => {
		await database.sql`update sources set next_poll_at = clock_timestamp() where id = ${id}`;
		return await poll(id, new AbortController().signal);
	};
	return { run, events };
};

/** As if the last good poll had been begun so long ago. */
const ageBy = (id: SourceId, ms: number) => database.sql`
	update poll_estimates set last_good_at = last_good_at - ${ms} * interval '1 millisecond',
		not_before = not_before - ${ms} * interval '1 millisecond'
	where source_id = ${id}`;

const plannedInMs = async (id: SourceId): Promise<number> => {
	const [row] = await database.sql<{ ms: number }[]>`
		select (extract(epoch from next_poll_at - checked_at) * 1000)::float8 as ms
		from sources where id = ${id}`;
	return row?.ms ?? Number.NaN;
};

const setPrice = (hub: number, capMs = 5 * HOUR_MS) => database.sql`
	insert into poll_prices (hub, cap_ms, keeps_fresh, set_at)
	values (${hub}, ${capMs}, false, clock_timestamp())
	on conflict (one) do update set hub = excluded.hub, cap_ms = excluded.cap_ms`;

const setAttention = (id: SourceId, viewers: number) => database.sql`
	insert into poll_attention values (${id}, ${viewers}, 0, 0)
	on conflict (source_id) do update set viewers = excluded.viewers`;

const readEstimate = async (id: SourceId) => {
	const [row] = await database.sql<{ learned: unknown; perHour: number }[]>`
		select learned, per_hour as "perHour" from poll_estimates where source_id = ${id}`;
	return row === undefined ? null : { estimate: parseEstimate(row.learned), perHour: row.perHour };
};

const same = () => makeAnswer({ listing: { form: 'unchanged' }, schedules: null });

test('[Q15] without a price every source is asked at its shortest interval', async () => {
	const id = await addSource();
	await createWorker(() => listing(makeFacts(3))).run(id);
	expect(await plannedInMs(id)).toBeGreaterThanOrEqual(9_990);
	expect(await plannedInMs(id)).toBeLessThan(11_500);
});

test('[Q15] a first listing teaches no rate; polls without changes lower it, and it is kept', async () => {
	const id = await addSource();
	const worker = createWorker(() => listing(makeFacts(40)), same, same);
	await worker.run(id);
	const first = await readEstimate(id);
	expect(first?.estimate).not.toBeNull();
	for (let i = 0; i < 2; i += 1) {
		await ageBy(id, 2 * HOUR_MS);
		// A worker of its own each time: what is known is in the database.
		await createWorker(same).run(id);
	}
	const later = await readEstimate(id);
	expect(later?.perHour).toBeLessThan((first?.perHour ?? 0) / 3);
	expect(later?.estimate?.cost).toBeLessThan(0.8);
});

test('[Q15] who is looked at is polled sooner; a dear poll waits for its cap', async () => {
	const [seen, unseen] = [await addSource(), await addSource()];
	await setPrice(2);
	await setAttention(seen, 200);
	for (const id of [seen, unseen]) await createWorker(() => listing(makeFacts(2))).run(id);
	expect(await plannedInMs(seen)).toBeLessThan((await plannedInMs(unseen)) / 2);
	expect(await plannedInMs(unseen)).toBeLessThanOrEqual(5 * HOUR_MS + 1_000);
});

test('[Q15][W1] neither max-age nor the shortest interval is undercut, however many look', async () => {
	const id = await addSource({ minIntervalMs: 60_000 });
	await setPrice(1e-9);
	await setAttention(id, 50_000);
	await createWorker(() => makeAnswer({ maxAgeMs: 20 * MINUTE_MS })).run(id);
	expect(await plannedInMs(id)).toBeGreaterThanOrEqual(20 * MINUTE_MS - 50);
	await replanPoll({ sql: database.sql, queues }, { id, url: '' }, systemClock.now());
	expect(await plannedInMs(id)).toBeGreaterThanOrEqual(20 * MINUTE_MS - 50);
	await ageBy(id, 20 * MINUTE_MS);
	await createWorker(() => listing(makeFacts(1))).run(id);
	expect(await plannedInMs(id)).toBeGreaterThanOrEqual(59_950);
});

test('[Q15][W2] a silent source keeps its backoff and its Retry-After; no replan cuts it short', async () => {
	const id = await addSource();
	await createWorker(() => listing(makeFacts(2))).run(id);
	await setAttention(id, 5_000);
	await createWorker(() => makeSilence({ retryAfterMs: HOUR_MS })).run(id);
	const before = await plannedInMs(id);
	expect(before).toBeGreaterThan(50 * MINUTE_MS);
	expect(await replanPoll({ sql: database.sql, queues }, { id, url: '' }, systemClock.now())).toBe(
		false
	);
	expect(await plannedInMs(id)).toBe(before);
});

test('[Q10][Q15] the first viewer brings a poll forward; a job is armed for it', async () => {
	const id = await addSource();
	await setPrice(3);
	await createWorker(() => listing(makeFacts(2))).run(id);
	const before = await plannedInMs(id);
	await ageBy(id, 30 * MINUTE_MS);
	await setAttention(id, 300);
	armed.length = 0;
	expect(await replanPoll({ sql: database.sql, queues }, { id, url: '' }, systemClock.now())).toBe(
		true
	);
	expect(await plannedInMs(id)).toBeLessThan(before / 2);
	expect(armed).toMatchObject([{ sourceId: id }]);
	// Not later again: a plan is only brought forward.
	await setAttention(id, 0);
	expect(await replanPoll({ sql: database.sql, queues }, { id, url: '' }, systemClock.now())).toBe(
		false
	);
});

test('[Q8][Q15] a signal competes: for a watched source it brings the poll forward, for another it waits', async () => {
	const [seen, unseen] = [await addSource(), await addSource()];
	await setPrice(40);
	await setAttention(seen, 100);
	for (const id of [seen, unseen]) await createWorker(() => listing(makeFacts(2))).run(id);
	for (const id of [seen, unseen]) await ageBy(id, MINUTE_MS);
	const signal = { changes: 6, now: systemClock.now() };
	const deps = { sql: database.sql, queues };
	expect(await takeSignal(deps, { id: seen, url: '' }, signal)).toBe(true);
	await takeSignal(deps, { id: unseen, url: '' }, signal);
	expect(await plannedInMs(unseen)).toBeGreaterThan(10 * (await plannedInMs(seen)));
	expect(await takeSignal(deps, { id: SourceId.parse(987_654), url: '' }, signal)).toBe(false);
	await createWorker(() => listing(makeFacts(3))).run(seen);
	const [row] = await database.sql`
		select signalled, pushes from poll_estimates where source_id = ${seen}`;
	expect(row).toEqual({ signalled: 0, pushes: true });
});

const priceDeps = (perSecond: number, viewers = new Map<string, number>()) => ({
	sql: database.sql,
	queues,
	clock: systemClock,
	perSecond,
	hostPerSecond: 1_000,
	viewers: async () => viewers,
	everyMs: 0
});

test('[Q9][Q15] the price rises when less may be spent, counts viewers by room, and leaves dead sources out', async () => {
	const ids = [await addSource(), await addSource(), await addSource()];
	for (const [i, id] of ids.entries()) {
		await createWorker(() => listing(makeFacts(2 + i))).run(id);
	}
	const read = async () => {
		const [row] = await database.sql<{ hub: number; cap: number; fresh: boolean }[]>`
			select hub, cap_ms as cap, keeps_fresh as fresh from poll_prices`;
		return row ?? { hub: Number.NaN, cap: 0, fresh: false };
	};
	await setPollPrices(priceDeps(100))();
	expect(await read()).toMatchObject({ hub: 0, fresh: true });
	await setPollPrices(priceDeps(0.01))();
	const dear = await read();
	expect(dear.hub).toBeGreaterThan(0);
	expect(dear.cap).toBe(8 * 3 * 100_000);
	await database.sql`update sources set failures = ${OPENS_AFTER} where id <> ${ids[0] ?? 0}`;
	await setPollPrices(priceDeps(0.01))();
	expect((await read()).hub).toBeLessThan(dear.hub);
	await setPollPrices(priceDeps(0.01, new Map([['dermatology:us-mt', 7]])))();
	const rows = await database.sql<{ viewers: number }[]>`select viewers from poll_attention`;
	expect(rows.map(({ viewers }) => viewers)).toEqual([7, 7, 7]);
});

test('[Q9] two workers never set the price at once, and not before the turn has come', async () => {
	await addSource();
	const slow = { ...priceDeps(10), everyMs: MINUTE_MS };
	const results = await Promise.all([setPollPrices(slow)(), setPollPrices(slow)()]);
	expect(results.filter((result) => result !== null)).toHaveLength(1);
	expect(await setPollPrices(slow)()).toBeNull();
});

test('[Q10] a turn of the price brings forward what gained weight', async () => {
	const id = await addSource();
	await setPrice(3);
	await createWorker(() => listing(makeFacts(2))).run(id);
	await ageBy(id, 30 * MINUTE_MS);
	const before = await plannedInMs(id);
	expect(await setPollPrices(priceDeps(0.001, new Map([['dermatology:us-mt', 300]])))()).toBe(1);
	expect(await plannedInMs(id)).toBeLessThan(before);
});

test('[Q6] a source that can be kept fresh is not let age by a plan', async () => {
	const id = await addSource({ freshForMs: 5 * MINUTE_MS });
	await setPrice(1_000);
	await database.sql`update poll_prices set keeps_fresh = true`;
	await createWorker(() => listing(makeFacts(2))).run(id);
	expect(await plannedInMs(id)).toBeLessThanOrEqual(5 * MINUTE_MS);
});

test('[W19] an alarm counts from the planned poll on', async () => {
	const id = await addSource();
	await setPrice(1_000);
	await createWorker(() => listing(makeFacts(2))).run(id);
	await createWorker(() => makeSilence()).run(id);
	const back = (ms: number) => database.sql`
		update sources set checked_at = clock_timestamp() - ${ms} * interval '1 millisecond'`;
	await back(HOUR_MS);
	expect(await listOverdueSources(database.sql, 10)).toEqual([]);
	await back(5 * HOUR_MS + MINUTE_MS);
	expect(await listOverdueSources(database.sql, 10)).toMatchObject([{ id }]);
});

test('[Q15] what cannot be read is a newcomer again', async () => {
	const id = await addSource();
	const worker = createWorker(() => listing(makeFacts(2)), same);
	await worker.run(id);
	await database.sql`update poll_estimates set learned = '{"odd": true}'`;
	await ageBy(id, HOUR_MS);
	expect(await worker.run(id)).toMatchObject({ state: 'committed' });
	expect((await readEstimate(id))?.estimate).not.toBeNull();
	expect(worker.events()).not.toContain('poll_plan_failed');
});

test('[Q15] a policy that cannot be asked never fails a poll', async () => {
	const id = await addSource();
	const { log, events } = createTestLog();
	const policy = createPollPolicy({ sql: database.sql, log });
	const claim = await claimPoll(database.sql, id, 1_000);
	expect(claim).not.toBeNull();
	const gone = { sourceId: SourceId.parse(123_456), key: 'gone', url: '' };
	const polled = { ...gone, changes: 0, unchanged: false };
	const plan = await policy.plan({ ...polled, startedAt: toInstant(1e12), floorMs: 1_000 });
	expect(plan).toBeNull();
	expect(events()).toContain('poll_plan_failed');
});

test('[Q15] estimates and pools survive the way to the database and back', () => {
	const estimate = { ...newEstimate(flatPool, HOUR_MS), hot: [7], days: 3 };
	const releases = estimate.releases.map((_, mark) => (mark === 7 ? 1.5 : 0));
	const kept = parseEstimate(JSON.parse(JSON.stringify(storeEstimate({ ...estimate, releases }))));
	expect(kept).toEqual({ ...estimate, releases });
	expect(poolIn({ '': flatPool }, 'America/Denver')).toEqual(flatPool);
	expect(poolIn('odd', 'UTC')).toBe(flatPool);
	const busy = { ...flatPool, perHour: 9 };
	expect(poolIn({ '': flatPool, UTC: busy }, 'UTC')).toEqual(busy);
});
