// From a change at a clinic to the screen, step by step; and from a commit to the last of 1,000
// viewers in 50 rooms at 200 changes a second. Real processes; all clocks are this machine's.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chromium, type Page } from 'playwright-core';
import { COALESCE_MS } from '#domain/protocol.ts';
import type { SlotId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { SourceSettings } from '#domain/source.ts';
import { createPublisher } from '#server/feed/publish.ts';
import { createLog } from '#server/platform/log.ts';
import { createRedis } from '#server/platform/redis.ts';
import { appendSlotChanges } from '#server/store/change-log.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { upsertSource } from '#server/store/sources.ts';
import { startClinics, type RunningClinic } from '../../demo/clinics/start.ts';
import { sourceOf } from '../../demo/launch/publishers.ts';
import { findChromium } from '../../ops/embedded/chromium.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { quantile, type BenchResult } from './bench.ts';
import { startHub, startWholeHub, startWorkers } from './hub-process.ts';
import { createBenchDatabase, fillWorld, type BenchDatabase } from './world.ts';

const VIEWERS = 1_000;
const ROOMS = 50;
const PER_SECOND = 200;
const SECONDS = 10;
const GOAL_P99_MS = 100;
/** Changes at the clinic, one after the other. */
const CHANGES = 15;
const POLL_EVERY_MS = 1_000;

type Arrivals = { readonly last: Record<string, number>; readonly viewers: number };

/** Wall time in fractions of a millisecond, comparable between processes of this machine. */
const wallMs = (): number => performance.timeOrigin + performance.now();

const commitChange = async (
	database: BenchDatabase,
	slotId: number,
	publish: ReturnType<typeof createPublisher>['publish']
): Promise<{ key: string; at: number }> => {
	const entries = await database.sql.begin(async (tx) => {
		await tx`
			update slots set status = case status when 'free' then 'busy' else 'free' end
			where id = ${slotId}`;
		return await appendSlotChanges(tx, [slotId as SlotId]);
	});
	const at = wallMs();
	publish(entries);
	const entry = must(entries[0], 'entry');
	return { key: `${entry.room} ${entry.seq}`, at };
};

const writeSteadily = async (
	database: BenchDatabase,
	publish: ReturnType<typeof createPublisher>['publish'],
	slots: number
): Promise<Map<string, number>> => {
	const commits = new Map<string, number>();
	const startedAt = performance.now();
	const underWay: Promise<void>[] = [];
	for (let nth = 0; nth < PER_SECOND * SECONDS; nth += 1) {
		const dueMs = startedAt + (nth * 1_000) / PER_SECOND - performance.now();
		if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
		// Another slot each time: two commits of one slot would wait for each other.
		const slotId = 1 + ((nth * 7) % slots);
		underWay.push(
			commitChange(database, slotId, publish).then(({ key, at }) => void commits.set(key, at))
		);
	}
	await Promise.all(underWay);
	return commits;
};

const fanOutLatency = async (): Promise<BenchResult[]> => {
	const database = await createBenchDatabase();
	const redisServer = await createEmbeddedRedis({ durable: false });
	const slots = 2_000;
	await fillWorld(database.sql, {
		sources: 12,
		schedules: 200,
		slotsEach: slots / 200,
		rooms: ROOMS,
		roomsEach: 1
	});
	const hub = await startHub({ databaseUrl: database.url, redisUrl: redisServer.url });
	const redis = createRedis(redisServer.url, { role: 'publisher' });
	const log = createLog({ name: 'bench', level: 'warn' });
	const epoch = await ensureEpoch(database.sql);
	const publisher = createPublisher({ redis, epoch, log });
	const rooms = await database.sql<{ name: string }[]>`select name from rooms order by id`;
	const child = fork(new URL('./end-to-end-viewers.ts', import.meta.url), [
		JSON.stringify({ url: hub.url, viewers: VIEWERS, rooms: rooms.map(({ name }) => name), epoch })
	]);
	try {
		await once(child, 'message');
		const commits = await writeSteadily(database, publisher.publish, slots);
		child.send('report');
		const [arrivals]: [Arrivals] = (await once(child, 'message')) as [Arrivals];
		const delays = [...commits].map(([key, at]) => (arrivals.last[key] ?? NaN) - at);
		const arrived = delays.filter(Number.isFinite);
		const p99 = quantile(arrived, 0.99);
		return [
			{
				name: `commit → last of ${VIEWERS} viewers in ${ROOMS} rooms, ${PER_SECOND} changes/s: p99`,
				unit: 'ms',
				ours: [p99],
				goal: `at most ${GOAL_P99_MS} ms beyond the ${COALESCE_MS} ms window`,
				met: p99 <= GOAL_P99_MS + COALESCE_MS && arrived.length === commits.size,
				note: `p50 ${quantile(arrived, 0.5).toFixed(0)} ms; ${arrived.length} of ${commits.size} changes reached everyone in their room`
			}
		];
	} finally {
		child.kill();
		await publisher.close();
		redis.disconnect();
		await hub.close();
		await redisServer.close();
		await database.close();
	}
};

type Steps = {
	pollWait: number[];
	ask: number[];
	diffAndCommit: number[];
	toScreen: number[];
	whole: number[];
};

type PollLine = { readonly at: number; readonly ms: number; readonly askMs: number };

/** Resolves with the wall time at which the chip of the slot said that it was gone. */
const watchChip = (page: Page, slotId: number): Promise<number> =>
	page.evaluate(
		(id) =>
			new Promise<number>((resolve) => {
				const find = (): Element | null =>
					document.querySelector(`button[name="slot"][value="${id}"]`);
				const look = (): void => {
					const chip = find();
					if (chip !== null && !chip.classList.contains('went')) return;
					observer.disconnect();
					resolve(performance.timeOrigin + performance.now());
				};
				const observer = new MutationObserver(look);
				observer.observe(document.body, { subtree: true, childList: true, attributes: true });
				look();
			}),
		slotId
	);

/** Reads the workers' log: how long the source took to answer, then that the poll was stored. */
const listenToPolls = (polls: PollLine[]): ((line: string) => void) => {
	let askMs = 0;
	return (line) => {
		if (!line.includes('"poll_')) return;
		const told: { event: string; time: string; ms: number; tookMs: number; changes: number } =
			JSON.parse(line);
		if (told.event === 'poll_asked') askMs = told.tookMs;
		if (told.event === 'poll_done' && told.changes > 0) {
			polls.push({ at: Date.parse(told.time), ms: told.ms, askMs });
		}
	};
};

/** The worker tells of its poll after it published the change, perhaps after it was drawn. */
const firstPoll = async (polls: readonly PollLine[]): Promise<PollLine> => {
	for (let tries = 0; tries < 500 && polls.length === 0; tries += 1) {
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	return must(polls[0], 'the poll that saw the change');
};

/** When the change was written into the log, inside its transaction. */
const newestLogTime = async ({ sql }: BenchDatabase): Promise<number> => {
	const [row] = await sql<{ at: number }[]>`
		select extract(epoch from max(at)) * 1000 as at from change_log`;
	return Number(row?.at);
};

const openChips = (page: Page): Promise<number[]> =>
	page
		.locator('button[name="slot"]:not(.went):not(.held)')
		.evaluateAll((chips) => chips.map((chip) => Number(chip.getAttribute('value'))));

const waitUntilLive = (page: Page): Promise<void> =>
	page.locator('.live .dot.on').waitFor({ state: 'attached' });

/** The page lists the first few times of each provider; when all are gone it is read anew. */
const anOpenSlot = async (page: Page): Promise<number> => {
	const [shown] = await openChips(page);
	if (shown !== undefined) return shown;
	await page.reload();
	await waitUntilLive(page);
	return must((await openChips(page))[0], 'an open slot on the page');
};

const measureChanges = async (
	page: Page,
	clinic: RunningClinic,
	database: BenchDatabase,
	polls: PollLine[]
): Promise<Steps> => {
	const steps: Steps = { pollWait: [], ask: [], diffAndCommit: [], toScreen: [], whole: [] };
	for (let nth = 0; nth < CHANGES; nth += 1) {
		const slotId = await anOpenSlot(page);
		const [row] = await database.sql<{ source_slot_id: string }[]>`
			select source_slot_id from slots where id = ${slotId}`;
		const seen = watchChip(page, slotId);
		polls.length = 0;
		const changedAt = wallMs();
		clinic.setSlotStatus(must(row).source_slot_id, 'busy');
		const renderedAt = await seen;
		const poll = await firstPoll(polls);
		const begunAt = poll.at - poll.ms;
		const loggedAt = await newestLogTime(database);
		steps.pollWait.push(begunAt - changedAt);
		steps.ask.push(poll.askMs);
		steps.diffAndCommit.push(loggedAt - begunAt - poll.askMs);
		steps.toScreen.push(renderedAt - loggedAt);
		steps.whole.push(renderedAt - changedAt);
	}
	return steps;
};

const clinicToScreen = async (): Promise<BenchResult[]> => {
	const database = await createBenchDatabase();
	const redis = await createEmbeddedRedis({ durable: false });
	const clinics = await startClinics({ keys: ['bluestem'], slotCount: 3_000, startAt: Date.now() });
	const clinic = must(clinics.clinics[0]);
	const settings = { ...sourceOf(clinic), minIntervalMs: POLL_EVERY_MS };
	await upsertSource(database.sql, SourceSettings.parse(settings));
	const polls: PollLine[] = [];
	const shared = { databaseUrl: database.url, redisUrl: redis.url };
	const hub = await startWholeHub(shared);
	const workers = await startWorkers({
		...shared,
		env: { HUB_LOG_LEVEL: 'debug' },
		onLine: listenToPolls(polls)
	});
	const browser = await chromium.launch(await findChromium());
	try {
		const page = await browser.newPage();
		await page.goto(`${hub.url}${await busiestBoard(database)}`);
		await waitUntilLive(page);
		const steps = await measureChanges(page, clinic, database, polls);
		const row = (name: string, ours: number[]): BenchResult => ({ name, unit: 'ms', ours });
		return [
			row(`clinic → screen: poll wait (one poll each ${POLL_EVERY_MS} ms)`, steps.pollWait),
			row('clinic → screen: fetch and read', steps.ask),
			row('clinic → screen: diff and commit', steps.diffAndCommit),
			row('clinic → screen: relay, window, socket, render', steps.toScreen),
			row('clinic → screen: whole', steps.whole)
		];
	} finally {
		await browser.close();
		await workers.close();
		await hub.close();
		await clinics.close();
		await redis.close();
		await database.close();
	}
};

/** Address of the board with the most open times; waits until there is one. */
const busiestBoard = async ({ sql }: BenchDatabase): Promise<string> => {
	for (let tries = 0; tries < 150; tries += 1) {
		const [row] = await sql<{ name: string }[]>`
			select r.name from rooms r join schedules c on r.id = any (c.room_ids)
			join slots s on s.schedule_id = c.id and s.status = 'free'
			where r.name ~ ':us-' group by r.name order by count(*) desc limit 1`;
		const [specialty, region] = row?.name.split(':') ?? [];
		if (specialty !== undefined && region !== undefined) {
			return `/board?specialty=${specialty}&region=${region.toUpperCase()}`;
		}
		await new Promise((resolve) => setTimeout(resolve, 200));
	}
	throw new Error('no poll brought any open time');
};

export const run = async (): Promise<BenchResult[]> => [
	...(await fanOutLatency()),
	...(await clinicToScreen())
];
