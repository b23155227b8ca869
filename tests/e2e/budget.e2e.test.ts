// The weight of the live board, from real answers of a real hub (experience: byte budgets).
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Response } from 'playwright-core';
import { createTestBrowser, untilLive, type TestBrowser } from './browser.ts';
import { startTown, type Town } from './town.ts';

let town: Town;
let browser: TestBrowser;

/** Eight providers with enough times come into the same search: a board as full as one can be. */
const crowd = async ({ system, search }: Town): Promise<void> => {
	const params = new URLSearchParams(search);
	const [specialty, region] = [params.get('specialty') ?? '', params.get('region') ?? ''];
	const { sql } = system.database;
	await sql`update sources set next_poll_at = clock_timestamp() + interval '1 day'`;
	await sql`
		update schedules set specialty_ids = array[${specialty}], regions = array[${region}],
			room_ids = (select room_ids from schedules
				where ${specialty} = any (specialty_ids) and ${region} = any (regions) limit 1)
		where id in (
			select schedule_id from slots
			where status = 'free' and removed_at is null and starts_at > clock_timestamp()
			group by 1 having count(*) >= 6 order by count(*) desc limit 8)`;
};

beforeAll(async () => {
	[town, browser] = await Promise.all([
		startTown({ clinic: 'all', slotCount: 6_000 }),
		createTestBrowser()
	]);
	await crowd(town);
});
afterAll(async () => {
	await browser?.close();
	await town?.close();
});

const kB = 1_024;
const gates = {
	html: 14 * kB,
	css: 10 * kB,
	firstScripts: 55 * kB,
	liveAddOn: 14 * kB,
	everything: 75 * kB,
	requests: 20
};

type Piece = {
	readonly url: string;
	readonly kind: string;
	readonly bytes: number;
	readonly text: string;
};

/** Everything is counted in brotli, as it leaves a hub behind any proxy. */
const pieceOf = async (response: Response): Promise<Piece> => {
	const body = await response.body();
	const kind = response.request().resourceType();
	const isScript = kind === 'script' || response.url().endsWith('.js');
	return {
		url: response.url(),
		kind: isScript ? 'script' : kind,
		bytes: brotliCompressSync(body).length,
		text: body.toString()
	};
};

const sum = (pieces: readonly Piece[]): number =>
	pieces.reduce((total, { bytes }) => total + bytes, 0);

test('[U24] the live board of 40 times fits its budgets', async () => {
	const { page, context } = await browser.open('about:blank');
	const responses: Response[] = [];
	page.on('response', (response) => responses.push(response));
	await page.goto(town.board);
	await untilLive(page);
	expect(await page.locator('.provider button[name=slot]').count()).toBe(40);
	const plain = responses.filter((one) => !one.url().includes('/socket.io/'));
	const pieces = await Promise.all(plain.map(pieceOf));
	const html = pieces.filter(({ kind }) => kind === 'document');
	const scripts = pieces.filter(({ kind }) => kind === 'script');
	const live = scripts.filter(({ text }) => text.includes('randomizationFactor'));
	const styles = [...(html[0]?.text ?? '').matchAll(/<style[^>]*>([^]*?)<\/style>/g)];
	const css = brotliCompressSync(styles.map(([, text]) => text).join('')).length;
	const addOn = live.filter(({ text }) => text.includes('engine') && text.length > 20_000);
	const measured = {
		html: sum(html),
		css,
		firstScripts: sum(scripts) - sum(addOn),
		liveAddOn: sum(addOn),
		everything: sum(pieces),
		requests: responses.length
	};
	process.stdout.write(`board budgets, brotli bytes: ${JSON.stringify(measured)}\n`);
	expect(addOn).toHaveLength(1);
	for (const [name, gate] of Object.entries(gates)) {
		expect.soft(measured[name as keyof typeof gates], name).toBeLessThanOrEqual(gate);
	}
	await context.close();
});

test('[U24] the hub itself sends pages and scripts compressed', async () => {
	const answer = await fetch(town.board, { headers: { 'accept-encoding': 'br' } });
	expect(answer.headers.get('content-encoding')).toBe('br');
	const page = await answer.text();
	const script = /\/_app\/immutable\/[^"']+\.js/.exec(page)?.[0] ?? '';
	const sent = await fetch(new URL(script, town.hub.url), { headers: { 'accept-encoding': 'br' } });
	expect(sent.headers.get('content-encoding')).toBe('br');
	expect(brotliDecompressSync(brotliCompressSync(page)).length).toBe(Buffer.byteLength(page));
});

test('[U24] the start page needs no script at all', async () => {
	const { page, context } = await browser.open('about:blank');
	const kinds: string[] = [];
	page.on('response', (response) => kinds.push(response.request().resourceType()));
	const first = await page.goto(`${town.hub.url}/`);
	await page.waitForLoadState('networkidle');
	expect(kinds).toEqual(['document']);
	expect(brotliCompressSync((await first?.body()) ?? '').length).toBeLessThanOrEqual(14 * kB);
	await context.close();
});
