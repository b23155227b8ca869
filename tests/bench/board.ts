// The first load of the live board, as the network sees it: bytes with headers, and requests, from
// the real hub to a real browser.
import { chromium, type Page } from 'playwright-core';
import { regions, specialties } from '#domain/codes.ts';
import { SLOTS_PER_BOARD } from '#domain/board.ts';
import { must } from '#domain/result.ts';
import { findChromium } from '../../ops/embedded/chromium.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import type { BenchResult } from './bench.ts';
import { startWholeHub } from './hub-process.ts';
import { createBenchDatabase, fillWorld, type BenchDatabase } from './world.ts';

const ROUNDS = 3;
const KB = 1_024;
/** Gates of the byte budget: everything on the live board, and its requests. */
const GATE_BYTES = 75 * KB;
const GATE_REQUESTS = 20;

type Seen = { bytes: number; bodyBytes: number; requests: number };
type Load = Readonly<Seen> & { readonly paintMs: number };

const fillBoard = async ({ sql }: BenchDatabase): Promise<string> => {
	const specialty = must(specialties[0]).id;
	const region = must(regions[0]).code;
	await fillWorld(sql, { sources: 2, schedules: 12, slotsEach: 20, rooms: 1, roomsEach: 1 });
	await sql`update schedules set specialty_ids = ${[specialty]}, regions = ${[region]}`;
	return `/board?specialty=${specialty}&region=${region}`;
};

const listen = async (page: Page): Promise<Seen> => {
	const seen = { bytes: 0, bodyBytes: 0, requests: 0 };
	const session = await page.context().newCDPSession(page);
	await session.send('Network.enable');
	session.on('Network.requestWillBeSent', () => {
		seen.requests += 1;
	});
	session.on('Network.loadingFinished', ({ encodedDataLength }) => {
		seen.bytes += encodedDataLength;
		seen.bodyBytes += encodedDataLength;
	});
	// At this moment only the headers have come.
	session.on('Network.responseReceived', ({ response }) => {
		seen.bodyBytes -= response.encodedDataLength;
	});
	return seen;
};

const firstPaint = (page: Page): Promise<number> =>
	page.evaluate(
		() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN
	);

const measureLoad = async (url: string): Promise<Load> => {
	const browser = await chromium.launch(await findChromium());
	try {
		const page = await browser.newPage();
		const seen = await listen(page);
		await page.goto(url);
		await page.locator('.live .dot.on').first().waitFor({ state: 'attached' });
		await page.waitForLoadState('networkidle');
		const shown = await page.locator('button[name="slot"]').count();
		if (shown !== SLOTS_PER_BOARD) throw new Error(`the board shows ${shown} times`);
		return { ...seen, paintMs: await firstPaint(page) };
	} finally {
		await browser.close();
	}
};

export const run = async (): Promise<BenchResult[]> => {
	const database = await createBenchDatabase(false);
	const redis = await createEmbeddedRedis({ durable: false });
	const path = await fillBoard(database);
	const hub = await startWholeHub({ databaseUrl: database.url, redisUrl: redis.url });
	try {
		const loads: Load[] = [];
		for (let round = 0; round < ROUNDS; round += 1) {
			loads.push(await measureLoad(`${hub.url}${path}`));
		}
		const bytes = loads.map((load) => load.bytes);
		const bodies = loads.map((load) => load.bodyBytes);
		const requests = loads.map((load) => load.requests);
		return [
			{
				name: `board of ${SLOTS_PER_BOARD} times: first load, live link included`,
				unit: 'B',
				ours: bodies,
				goal: `at most ${GATE_BYTES} B`,
				met: Math.max(...bodies) <= GATE_BYTES && Math.min(...bodies) > 0,
				note: `compressed as the hub sends it; with headers ${Math.max(...bytes)} B`
			},
			{
				name: `board of ${SLOTS_PER_BOARD} times: requests`,
				unit: 'requests',
				ours: requests,
				goal: `at most ${GATE_REQUESTS}`,
				met: Math.max(...requests) <= GATE_REQUESTS
			},
			{
				name: 'board: first contentful paint, no throttling',
				unit: 'ms',
				ours: loads.map((load) => load.paintMs)
			}
		];
	} finally {
		await hub.close();
		await redis.close();
		await database.close();
	}
};
