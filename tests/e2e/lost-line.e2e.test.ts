// What a patient typed outlives a bad line and a busy hub: seen through real browsers.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { until } from '../support/until.ts';
import { createTestBrowser, untilLive, violationsEverywhere, type TestBrowser } from './browser.ts';
import { rosa, startTown, type Town } from './town.ts';

let town: Town;
let browser: TestBrowser;

beforeAll(async () => {
	[town, browser] = await Promise.all([startTown(), createTestBrowser()]);
});
afterAll(async () => {
	await browser?.close();
	await town?.close();
});

const CONFIRM = 'Confirm this visit';

const holdOne = async (page: Page): Promise<void> => {
	await page.locator('.provider button.time:not([aria-disabled])').first().click();
	await page.waitForURL(/\/hold\//);
};
const fillIn = async (page: Page): Promise<void> => {
	for (const [name, value] of Object.entries(rosa)) await page.fill(`#${name}`, value);
};
const typedOn = async (page: Page): Promise<Record<string, string>> => {
	const names = Object.keys(rosa);
	const values = await Promise.all(names.map((name) => page.inputValue(`#${name}`)));
	return Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']));
};
/** Only a script makes the clock tick. */
const untilScripted = (page: Page): Promise<void> =>
	page.locator('[role=timer]', { hasText: /\d:\d\d/ }).waitFor();
/** What the page keeps beyond itself, and where it was. */
const keptOutside = (page: Page): Promise<string> =>
	page.evaluate(() =>
		JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), location.href])
	);

/** From now on, until `heal`, Postgres says that it cannot be used just now (57P03, as while it starts). */
const makeBusy = async (): Promise<() => Promise<void>> => {
	const { sql } = town.system.database;
	await sql.unsafe(`
		create function be_busy() returns trigger language plpgsql as
			$$ begin raise exception 'not now' using errcode = '57P03'; end $$;
		create trigger be_busy before insert on bookings for each row execute function be_busy()`);
	return async () => {
		await sql.unsafe('drop trigger be_busy on bookings; drop function be_busy()');
	};
};

const bookingCount = async (): Promise<number> => {
	const [row] = await town.system.database.sql<{ count: number }[]>`
		select count(*)::int as count from bookings`;
	return row?.count ?? -1;
};

test('[U46] a tap on Confirm without a line loses nothing, and works when the line is back', async () => {
	const { page, context } = await browser.open(town.board);
	await holdOne(page);
	await untilScripted(page);
	await fillIn(page);
	await context.setOffline(true);
	const confirm = page.getByRole('button', { name: CONFIRM });
	await confirm.click();
	const note = page.locator('.trouble');
	await note.waitFor();
	expect(await note.innerText()).toMatch(
		/The line is down, .*still here\. Your time is held for about [45] more minutes\. When your signal is back, tap again\./s
	);
	// It has the focus, so that it is read out, and one step on is the button.
	expect(await note.evaluate((one) => one === document.activeElement)).toBe(true);
	await page.keyboard.press('Tab');
	expect(await confirm.evaluate((one) => one === document.activeElement)).toBe(true);
	expect(await typedOn(page)).toEqual(rosa);
	expect(await keptOutside(page)).not.toMatch(/Rosa|Martin|1961|0134|rash/);
	expect(browser.takeFaults()).toEqual([expect.stringContaining('Failed to fetch')]);
	expect(await violationsEverywhere(page)).toEqual([]);
	await context.setOffline(false);
	await confirm.click();
	await page.getByRole('heading', { name: 'Your visit is booked' }).waitFor();
	await context.close();
});

test('[U46] a line that swallows the tap without a word is told as down in the end', async () => {
	const { page, context } = await browser.open(town.board);
	await page.clock.install();
	await holdOne(page);
	await untilScripted(page);
	await fillIn(page);
	const gate = Promise.withResolvers<void>();
	await page.route(/confirm/, async (route) => {
		await gate.promise;
		await route.abort().catch(() => {});
	});
	await page.getByRole('button', { name: CONFIRM }).click();
	await page.getByText('Sending …').waitFor();
	await page.clock.runFor(31_000);
	await page.locator('.trouble', { hasText: 'The line is down' }).waitFor();
	expect(await page.getByText('Sending …').count()).toBe(0);
	expect(await typedOn(page)).toEqual(rosa);
	gate.resolve();
	await page.unrouteAll();
	await page.getByRole('button', { name: CONFIRM }).click();
	await page.waitForURL(/\/visit\//);
	await context.close();
});

test('[U46][K3] when the tap got through and only its answer was lost, another tap finds the visit', async () => {
	const { page, context } = await browser.open(town.board);
	await holdOne(page);
	await untilScripted(page);
	await fillIn(page);
	const before = await bookingCount();
	await page.route(/confirm/, async (route) => {
		await route.fetch({ maxRedirects: 0 });
		await route.abort();
	});
	await page.getByRole('button', { name: CONFIRM }).click();
	await page.locator('.trouble').waitFor();
	browser.takeFaults();
	await page.unrouteAll();
	// Changed in between: the clinic has the first words, and that is said.
	await page.fill('#reason', 'A cough');
	await page.getByRole('button', { name: CONFIRM }).click();
	await page.getByRole('heading', { name: 'You have confirmed this time' }).waitFor();
	await page.getByText('The clinic has what you sent first.').waitFor();
	await page.getByRole('link', { name: 'See your visit' }).click();
	await page.waitForURL(/\/visit\//);
	expect(await bookingCount()).toBe(before + 1);
	await context.close();
});

test('[U46] a hub that is busy is told as that, and what was typed stays', async () => {
	const { page, context } = await browser.open(town.board);
	await holdOne(page);
	await untilScripted(page);
	await fillIn(page);
	const heal = await makeBusy();
	await page.getByRole('button', { name: CONFIRM }).click();
	await page.locator('.trouble', { hasText: 'We are busy for a moment' }).waitFor();
	expect(await typedOn(page)).toEqual(rosa);
	await heal();
	await page.getByRole('button', { name: CONFIRM }).click();
	await page.waitForURL(/\/visit\//);
	await context.close();
});

test('[U48] without JavaScript a busy hub gives the form back as it was typed, and takes it then', async () => {
	const { page, context } = await browser.open(town.board, { javaScriptEnabled: false });
	await holdOne(page);
	await fillIn(page);
	const heal = await makeBusy();
	await page.getByRole('button', { name: CONFIRM }).click();
	await page.getByRole('heading', { name: 'That did not get through' }).waitFor();
	await page.getByText('We are busy for a moment').waitFor();
	expect(await typedOn(page)).toEqual(rosa);
	expect(page.url()).not.toMatch(/Rosa|Martin|1961|0134|rash/);
	const answer = page.waitForResponse(/confirm/);
	await page.getByRole('button', { name: 'Send it again' }).click();
	expect((await answer).status()).toBe(503);
	expect((await answer).headers()['cache-control']).toBe('private, no-store');
	expect(await typedOn(page)).toEqual(rosa);
	await heal();
	await page.getByRole('button', { name: 'Send it again' }).click();
	await page.waitForURL(/\/visit\//);
	await context.close();
});

test('[U47] a hold that runs out without a line keeps the form, and looks again when it is back', async () => {
	const { page, context } = await browser.open(town.board);
	await page.clock.install();
	await holdOne(page);
	await untilScripted(page);
	await fillIn(page);
	await context.setOffline(true);
	await page.clock.runFor(301_000);
	await page.getByRole('heading', { name: 'Your minutes ran out' }).waitFor();
	expect(await typedOn(page)).toEqual(rosa);
	await town.system.database.sql`
		update holds set expires_at = clock_timestamp() - interval '1 second' where state = 'held'`;
	await context.setOffline(false);
	await until(async () => (await page.locator('[role=alert] button.time').count()) > 1);
	expect(await typedOn(page)).toEqual(rosa);
	await context.close();
});

test('[U47] a page that looks again by itself stands while the hub does not answer', async () => {
	const operator = await browser.open(town.linkOf({ role: 'operator' }));
	const { page, context } = operator;
	await page.clock.install();
	await page.reload();
	let asked = 0;
	await page.route(/status/, async (route) => {
		asked += 1;
		await route.fulfill({ status: 503, body: '' });
	});
	await page.clock.runFor(11_000);
	await until(() => asked > 0);
	await page.clock.runFor(6_000);
	expect(await page.getByRole('heading', { name: 'Status of the hub' }).count()).toBe(1);
	await page.unrouteAll();
	const read = page.waitForResponse(/__data\.json/);
	await page.clock.runFor(6_000);
	expect((await read).status()).toBe(200);
	await context.close();
});

test('[U52] nothing on the board moves when the line goes and comes back', async () => {
	const { page, context } = await browser.open(town.board);
	const top = async (): Promise<number | undefined> =>
		(await page.locator('.provider').first().boundingBox())?.y;
	const drawn = await top();
	await untilLive(page);
	expect(await top()).toBe(drawn);
	await context.setOffline(true);
	await page.getByText('Not live').waitFor();
	expect(await top()).toBe(drawn);
	await context.setOffline(false);
	await untilLive(page);
	expect(await top()).toBe(drawn);
	await context.close();
});
