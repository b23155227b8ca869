// An alert from end to end: asked for on a page, matched in the hub, raised by what a clinic does,
// shown on the page while it is open and kept in the list.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { findRegion } from '#domain/codes.ts';
import { must } from '#domain/result.ts';
import { until } from '../support/until.ts';
import { createTestBrowser, untilLive, type TestBrowser } from './browser.ts';
import { startTown, type Town } from './town.ts';

let town: Town;
let browser: TestBrowser;

beforeAll(async () => {
	[town, browser] = await Promise.all([
		startTown({ clinic: 'bluestem', slotCount: 1_200 }),
		createTestBrowser()
	]);
});
afterAll(async () => {
	await browser?.close();
	await town?.close();
});

type Supply = { scheduleId: number; name: string; search: string; ids: string[] };

/**
 * The provider with the most open times of the week that counts, and her open times soonest first:
 * of a day more than that week, for it moves on while the test runs.
 */
const fullest = async (): Promise<Supply> => {
	const [row] = await town.system.database.sql<(Supply & { specialty: string; region: string })[]>`
		select c.id as "scheduleId", c.practitioner_name as name, c.specialty_ids[1] as specialty,
			c.regions[1] as region, array_agg(s.source_slot_id order by s.starts_at) as ids
		from schedules c join slots s on s.schedule_id = c.id
		where s.status = 'free' and s.removed_at is null
			and s.starts_at between now() + interval '10 minutes' and now() + interval '8 days'
		group by 1, 2, 3, 4
		order by count(*) filter (where s.starts_at < now() + interval '6 days') desc, 1 limit 1`;
	const { specialty, region, ...supply } = must(row, 'an open time');
	const search = new URLSearchParams({
		specialty,
		region: must(findRegion(region), 'region').code
	}).toString();
	return { ...supply, search };
};

/** Enough for the soonest of them to be a supply, and to fill up. */
const ENOUGH = 12;

const setAll = (ids: readonly string[], status: 'free' | 'busy'): void => {
	for (const id of ids) town.clinic.setSlotStatus(id, status);
};

const notes = (page: Page, text: string) => page.locator('.toasts .note', { hasText: text });

test('[U30] [L1] a provider that fills up is told once to the page that asked', async () => {
	const { scheduleId, name, search, ids } = await fullest();
	expect(ids.length).toBeGreaterThan(ENOUGH);
	const asking = await browser.open(`${town.hub.url}/board/provider/${scheduleId}?${search}`);
	const other = await browser.open(town.board);
	await untilLive(asking.page);
	await untilLive(other.page);
	await asking.page
		.getByRole('button', { name: /^Tell me/ })
		.first()
		.click();
	await asking.page.getByText('We will tell you').waitFor();
	await untilLive(asking.page);

	setAll(ids.slice(2), 'busy');
	await notes(asking.page, `${name} is filling up`).waitFor({ timeout: 60_000 });
	expect(await notes(asking.page, name).innerText()).toMatch(/: \d+ of \d+ left\./);

	setAll(ids.slice(1, 2), 'busy');
	await until(async () => {
		const rows = await town.system.database.sql`
			select 1 from slots where schedule_id = ${scheduleId} and status = 'free'
				and starts_at < now() + interval '7 days'`;
		return rows.length <= 1;
	});
	expect(await notes(asking.page, name).count()).toBe(1);
	expect(await other.page.locator('.toasts .note').count()).toBe(0);

	await asking.page.goto(`${town.hub.url}/alerts`);
	await asking.page.getByText(`${name} is filling up`).waitFor();
	await asking.context.close();
	await other.context.close();
});

test('[U35] an alert raised while the line was down is shown once it is back', async () => {
	const { scheduleId, name, search, ids } = await fullest();
	expect(ids.length).toBeGreaterThan(ENOUGH);
	const board = `${town.hub.url}/board/provider/${scheduleId}?${search}`;
	const { page, context } = await browser.open(board);
	await untilLive(page);
	await page
		.getByRole('button', { name: /^Tell me/ })
		.first()
		.click();
	await page.getByText('We will tell you').waitFor();
	await untilLive(page);
	await context.setOffline(true);
	await page.getByText('Not live').waitFor();
	setAll(ids.slice(2), 'busy');
	await until(
		async () => {
			const rows = await town.system.database.sql`
				select 1 from alert_notices where schedule_id = ${scheduleId}`;
			return rows.length > 0;
		},
		{ timeoutMs: 60_000 }
	);
	expect(await notes(page, name).count()).toBe(0);
	await context.setOffline(false);
	await untilLive(page);
	await notes(page, `${name} is filling up`).waitFor();
	expect(await notes(page, name).count()).toBe(1);
	await context.close();
});
