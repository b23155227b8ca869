// With the keyboard and by ear: the place is kept after every answer, and what happened is said.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Locator, Page } from 'playwright-core';
import { must } from '#domain/result.ts';
import { until } from '../support/until.ts';
import { createTestBrowser, desktop, untilLive, type TestBrowser } from './browser.ts';
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

/** By key, as who cannot point does: the browser knows the difference. */
const press = async (page: Page, one: Locator, key = 'Enter'): Promise<void> => {
	await page.keyboard.press('Tab');
	await one.focus();
	await page.keyboard.press(key);
};
const focused = (page: Page): Promise<string> =>
	page.evaluate(() => {
		const one = document.activeElement;
		return one === document.body
			? 'nothing'
			: (one?.getAttribute('aria-label') ?? one?.textContent ?? '');
	});
const untilFocused = async (page: Page, words: RegExp): Promise<void> => {
	await until(async () => words.test(await focused(page)), { what: `the focus on ${words}` });
};

test('[U49] on the board: an alert asked for, its note closed, a time let go', async () => {
	const { page, context } = await browser.open(town.board, { viewport: desktop });
	await untilLive(page);
	const tell = page.getByRole('button', { name: /^Tell me about new times of/ }).first();
	const name = must(await tell.getAttribute('aria-label'), 'label');
	await press(page, tell);
	await page.locator('[role=status]', { hasText: 'We will tell you' }).waitFor();
	expect(await focused(page)).toBe(name);
	await press(page, page.getByRole('button', { name: 'Close' }));
	await page.getByText('We will tell you').waitFor({ state: 'detached' });
	expect(await focused(page)).not.toBe('nothing');

	await press(page, page.locator('.provider button.time:not([aria-disabled])').first());
	await page.waitForURL(/\/hold\//);
	await page.getByRole('link', { name: 'See all times' }).click();
	await page.waitForURL(/\/board/);
	// The seconds are shown and not a part of any name, which would be read out again and again.
	const yours = page.locator('button.time.yours');
	await until(async () => /yours \d:\d\d/.test(await yours.innerText()));
	expect(await yours.ariaSnapshot()).toMatch(/Held for you/);
	expect(await yours.ariaSnapshot()).not.toMatch(/\d:\d\d"?$|yours/);
	await press(page, page.getByRole('button', { name: /^Let go of/ }));
	await page.locator('.pocket').waitFor({ state: 'detached' });
	await untilFocused(page, /^Today|^Tomorrow|^\w+day, /);
	await context.close();
});

test('[U49] new times let in by key: the focus is on the first of them', async () => {
	const [slotId] = await town.openSlots();
	const clinicSlot = await town.clinicSlotOf(must(slotId, 'slot'));
	town.clinic.setSlotStatus(clinicSlot, 'busy');
	await until(async () => !(await town.openSlots()).includes(must(slotId, 'slot')));
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	// A focused time: the list may not move, so the new one waits.
	await page.locator('.provider button.time').nth(1).focus();
	town.clinic.setSlotStatus(clinicSlot, 'free');
	await press(page, page.getByRole('button', { name: '1 new time · show' }));
	const chip = page.locator(`button[name=slot][value="${slotId}"]`);
	await chip.waitFor();
	await until(() => chip.evaluate((one) => one === document.activeElement));
	await context.close();
});

test('[U49] in the list of alerts, what is removed leaves the focus at its heading', async () => {
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	await page.getByRole('button', { name: 'Tell me when new times open' }).click();
	await page.getByRole('link', { name: 'See your alerts' }).click();
	await page.getByRole('heading', { name: 'What you asked for' }).waitFor();
	await press(page, page.getByRole('button', { name: /^Remove/ }), 'Space');
	await page.getByText('You have no alerts yet').waitFor();
	await untilFocused(page, /^What you asked for$/);
	await context.close();
});

test('[U49] on the console, a booking marked as seen or declined leaves the focus near it', async () => {
	const patient = await browser.open(town.board);
	await patient.page.locator('.provider button.time:not([aria-disabled])').last().click();
	await patient.page.waitForURL(/\/hold\//);
	for (const [name, value] of Object.entries(rosa)) await patient.page.fill(`#${name}`, value);
	await patient.page.getByRole('button', { name: 'Confirm this visit' }).click();
	await patient.page.getByRole('heading', { name: 'Your visit is booked' }).waitFor();
	const { page, context } = await browser.open(town.linkOf({ role: 'clinic' }));
	await untilLive(page);
	await press(page, page.getByRole('button', { name: /as seen/ }));
	await page.getByText('No new bookings').waitFor();
	await untilFocused(page, /^New$/);
	await press(page, page.locator('summary', { hasText: 'Decline' }), 'Space');
	await press(page, page.getByRole('button', { name: 'Yes, decline it' }));
	await page.getByText('being cancelled').or(page.getByText('cancelled')).first().waitFor();
	// The live feed reads the page anew by itself, and takes away what the focus was on.
	await page.locator('summary', { hasText: 'Decline' }).waitFor({ state: 'detached' });
	await until(async () => (await focused(page)) !== 'nothing');
	await context.close();
	await patient.context.close();
});

test('[U50] a line that goes is said once, and no control is named alike for two things', async () => {
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	const said = page.locator('p[role=status]');
	expect(await said.innerText()).toBe('');
	await context.setOffline(true);
	await page.getByText('Live updates have stopped for now.').waitFor();
	await context.setOffline(false);
	await untilLive(page);
	expect(await said.innerText()).toBe('');
	await context.close();
	const operator = await browser.open(town.linkOf({ role: 'operator' }), { viewport: desktop });
	await operator.page.locator('summary').first().waitFor();
	const names = await operator.page.locator('summary').allInnerTexts();
	expect(names[0]).toMatch(/^Why\s.+/);
	await operator.context.close();
});
