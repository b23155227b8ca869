// Several workers poll the same clinics in turn: what one committed the next recognises, whatever each
// of them has kept, and nothing that changed is ever missed.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { readKnownSlots } from '#server/store/slots.ts';
import { upsertSource } from '#server/store/sources.ts';
import { createPollSource } from '#workers/jobs/poll-source.ts';
import { startClinics, type RunningClinics } from '../../../demo/clinics/start.ts';
import { sourceOf } from '../../../demo/launch/publishers.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { mustClose } from '../../support/leaks.ts';
import { seededRandom } from '../../support/random.ts';
import { makeConnectors } from '../connectors/poll-once.ts';
import { createTestLog } from '../fakes.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());

/** One worker process; `run` polls at once, whatever was planned, and says how many bytes it read. */
const startWorker = (keptBytes?: number) => {
	const { log, lines } = createTestLog();
	const connectors = makeConnectors(keptBytes === undefined ? {} : { keptBytes });
	const poll = createPollSource({
		sql: database.sql,
		connectors,
		publish: () => {},
		queues: { addPoll: async () => true, addAlerts: async () => {} },
		log
	});
	const run = async (id: SourceId) => {
		await database.sql`update sources set next_poll_at = clock_timestamp() where id = ${id}`;
		const report = await poll(id, new AbortController().signal);
		const asked = lines.findLast(({ event }) => event === 'poll_asked');
		return { ...report, bytes: Number(asked?.['bytes']) };
	};
	return { run, close: connectors.close };
};
type Worker = ReturnType<typeof startWorker>;

describe.each(['cedar-harbor', 'copper-mesa', 'delta-reach', 'larkspur-valley'])('%s', (key) => {
	let world: RunningClinics & AsyncDisposable;
	let sourceId: SourceId;
	let workers: Worker[] = [];
	/** New processes, which have kept nothing. */
	const start = async (...kept: (number | undefined)[]): Promise<Worker[]> => {
		await Promise.all(workers.map(({ close }) => close()));
		workers = kept.map(startWorker);
		return workers;
	};
	beforeAll(async () => {
		world = mustClose('clinics', await startClinics({ seed: 5, slotCount: 500, keys: [key] }));
		sourceId = await upsertSource(database.sql, {
			...sourceOf(must(world.clinics[0])),
			freshForMs: HOUR_MS
		});
	});
	afterEach(async () => {
		clinic().setFault(null);
		await start();
	});
	afterAll(() => world.close());

	const clinic = () => must(world.clinics[0]);
	const listed = () =>
		clinic()
			.truth()
			.slots.filter(({ startAt }) => startAt > world.now() + MINUTE_MS);
	const pickFree = () =>
		must(
			listed().find(
				({ status, startAt }) => status === 'free' && startAt > world.now() + 4 * DAY_MS
			)
		);
	const openNow = async () =>
		[...(await readKnownSlots(database.sql, sourceId)).values()]
			.filter(({ status, startsAt }) => status === 'free' && startsAt > world.now() + MINUTE_MS)
			.map(({ sourceSlotId }) => sourceSlotId)
			.toSorted();
	const openTruly = () =>
		listed()
			.filter(({ status }) => status === 'free')
			.map(({ id }) => id)
			.toSorted();
	const printed = async () =>
		(
			await database.sql<{ reach: string }[]>`
				select reach from fingerprints where source_id = ${sourceId} order by reach`
		).map(({ reach }) => reach);
	/** As long as it takes: near polls come between. */
	const runWhole = async ({ run }: Worker) => {
		for (let polls = 0; polls < 8; polls += 1) {
			const report = await run(sourceId);
			if (report.state !== 'committed' || !report.isNear) return report;
		}
		throw new Error('no whole poll');
	};
	/** From the beginning: the next poll is a whole one and reads everything. */
	const forget = () => database.sql`
		with gone as (delete from fingerprints)
		update sources set may_narrow = false where id = ${sourceId}`;

	test('[W43] what one worker read another recognises as unchanged, and writes nothing', async () => {
		await forget();
		const [first, second] = (await start(undefined, undefined)) as [Worker, Worker];
		const read = await first.run(sourceId);
		expect(read).toMatchObject({ state: 'committed', form: 'full' });
		expect(await printed()).toEqual(['whole']);
		await database.sql`update sources set may_narrow = false where id = ${sourceId}`;
		const again = await second.run(sourceId);
		expect(again).toMatchObject({ form: 'unchanged', changes: 0, isNear: false });
		expect(again.bytes).toBeLessThan(read.bytes / 10);
	});

	test('[W43] after an unchanged poll elsewhere a worker still reads by difference', async () => {
		await forget();
		const [first, second] = (await start(undefined, undefined)) as [Worker, Worker];
		await first.run(sourceId);
		await runWhole(second);
		clinic().setSlotStatus(pickFree().id, 'busy');
		expect(await runWhole(first)).toMatchObject({ form: 'delta', changes: 1 });
		// What the other one has kept is out of date now.
		clinic().setSlotStatus(pickFree().id, 'busy');
		expect(await runWhole(second)).toMatchObject({ form: 'full' });
		expect(await openNow()).toEqual(openTruly());
	});

	test('[W44] an hour after the last full reading everything is read again', async () => {
		await forget();
		const [only] = (await start(undefined)) as [Worker];
		await only.run(sourceId);
		const [other] = (await start(undefined)) as [Worker];
		await database.sql`update fingerprints set full_at = full_at - interval '59 minutes'`;
		expect(await runWhole(other)).toMatchObject({ form: 'unchanged' });
		await database.sql`update fingerprints set full_at = full_at - interval '1 minute'`;
		expect(await runWhole(other)).toMatchObject({ form: 'full', changes: 0 });
	});

	test('[S33] suspicion takes fingerprints away; silence, which changes nothing, does not', async () => {
		await forget();
		const [only] = (await start(undefined)) as [Worker];
		await only.run(sourceId);
		clinic().setFault({ kind: 'http_500' });
		expect(await runWhole(only)).toMatchObject({ state: 'silent' });
		expect(await printed()).toContain('whole');
		clinic().setFault(null);
		clinic().setFault({ kind: 'empty_answer' });
		await database.sql`update sources set may_narrow = false where id = ${sourceId}`;
		expect(await runWhole(only)).toMatchObject({ suspect: true });
		expect(await printed()).toEqual([]);
		clinic().setFault(null);
		expect(await runWhole(only)).toMatchObject({ form: 'full' });
	});

	test('[S33] other settings and a push: what was recognised before is read', async () => {
		await forget();
		await ((await start(undefined)) as [Worker])[0].run(sourceId);
		const source = sourceOf(must(world.clinics[0]));
		await upsertSource(database.sql, { ...source, freshForMs: HOUR_MS });
		expect(await printed()).toEqual([]);
		const [next] = (await start(undefined)) as [Worker];
		expect(await runWhole(next)).toMatchObject({ form: 'full' });
		await database.sql`update sources set pushed_at = clock_timestamp() where id = ${sourceId}`;
		expect(await runWhole(next)).toMatchObject({ form: 'full' });
	});

	test('[W43] whoever polls, and whatever each has kept, a whole poll leaves what the clinic lists', async () => {
		await forget();
		const random = seededRandom();
		await start(undefined, 1, 200_000);
		const forms = new Set<string>();
		for (let step = 0; step < 30; step += 1) {
			for (let edits = random.chance(0.4) ? random.int(1, 3) : 0; edits > 0; edits -= 1) {
				const near = listed().filter(({ startAt }) => startAt < world.now() + 4 * DAY_MS);
				const slot = random.pick(random.chance(0.5) && near.length > 0 ? near : listed());
				clinic().setSlotStatus(slot.id, random.pick(['free', 'free', 'busy', 'removed'] as const));
			}
			if (random.chance(0.1)) await start(undefined, 1, 200_000);
			const report = await random.pick(workers).run(sourceId);
			if (report.state !== 'committed') continue;
			forms.add(`${report.isNear ? 'near' : 'whole'} ${report.form}`);
			if (!report.isNear && !report.suspect) expect(await openNow()).toEqual(openTruly());
		}
		expect([...forms].some((form) => form.endsWith('unchanged'))).toBe(true);
	});
});
