// What a person sees beyond a quota: a plain sentence, with and without scripts, and never a fault.
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { defaultLimits } from '#server/http/limits.ts';
import type { HttpLimits } from '#server/http/limits.ts';
import { loadPages } from '#server/http/pages.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';
import { createHubWorld, type HubWorld } from '../live/hub-world.ts';
import { createTestBrowser, untilLive, type TestBrowser } from './browser.ts';

let world: HubWorld;
let browser: TestBrowser;

beforeAll(async () => {
	[world, browser] = await Promise.all([createHubWorld(), createTestBrowser()]);
});
afterAll(async () => {
	await browser?.close();
	await world?.close();
});
beforeEach(async () => {
	await world.addSlot(world.scheduleId);
});

const enough = { quota: 100_000, windowS: 60 };
const none = { quota: 0, windowS: 60 };
const limits: HttpLimits = {
	...defaultLimits,
	address: enough,
	changes: enough,
	enter: enough,
	holds: enough
};

const startHub = async (over: Partial<HttpLimits>) => {
	const pages = await loadPages(join(projectRoot, 'build/handler.js'));
	const hub = await world.startHub({ pages, limits: { ...limits, ...over } });
	return Object.assign(hub, { board: `${hub.url}/board?specialty=dermatology&region=US-MT` });
};

test.each([true, false])('[X20] too many holds, scripts %s: the board says so', async (script) => {
	await using hub = await startHub({ holds: none });
	const { page, context } = await browser.open(hub.board, { javaScriptEnabled: script });
	if (script) await untilLive(page);
	await page.locator('.provider button.time').first().click();
	await page.getByText('Too many times were held from your network').waitFor();
	expect(await page.locator('.provider button.time').count()).toBeGreaterThan(0);
	await context.close();
});

test.each([true, false])('[X21] too many forms, scripts %s: a page says so', async (script) => {
	await using hub = await startHub({ changes: none });
	const { page, context } = await browser.open(hub.board, { javaScriptEnabled: script });
	if (script) await untilLive(page);
	await page.locator('.provider button.time').first().click();
	await page.getByText('That was a lot at once').waitFor();
	await context.close();
});
