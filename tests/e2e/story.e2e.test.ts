// The whole story, seen through real browsers: clinic, board, hold, booking, console.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
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

const chip = (page: Page, slotId: string | number) =>
	page.locator(`button[name=slot][value="${slotId}"]`);
const openChips = (page: Page) =>
	page.locator('.provider button.time:not([aria-disabled]):not(.yours)');
const idOf = async (page: Page, at = 0): Promise<string> =>
	must(await openChips(page).nth(at).getAttribute('value'), 'slot');

const fillIn = async (page: Page): Promise<void> => {
	for (const [name, value] of Object.entries(rosa)) await page.fill(`#${name}`, value);
};

test('[U16] a change at the clinic reaches the board, a booking reaches clinic and console', async () => {
	const { page } = await browser.open(town.board);
	const staff = await browser.open(town.linkOf({ role: 'clinic' }), { viewport: desktop });
	await untilLive(page);
	await untilLive(staff.page);

	// Somebody books elsewhere: the time is struck through here.
	const elsewhere = await idOf(page, 1);
	town.clinic.setSlotStatus(await town.clinicSlotOf(Number(elsewhere)), 'busy');
	await chip(page, elsewhere).locator('s').waitFor();
	expect(await chip(page, elsewhere).innerText()).toMatch(/taken|gone/);

	const slotId = await idOf(page);
	await chip(page, slotId).click();
	await page.waitForURL(/\/hold\//);
	expect(await page.getByRole('timer').innerText()).toMatch(/^[45]:\d\d left$/);
	await staff.page.locator('#held ~ ul b').first().waitFor();

	await fillIn(page);
	await page.getByRole('button', { name: 'Confirm this visit' }).click();
	await page.getByRole('heading', { name: 'Your visit is booked' }).waitFor();
	await staff.page.getByText('Rosa M.', { exact: true }).waitFor();
	const appointments = await until(() => town.clinic.appointments().length === 1);
	expect(appointments).toBe(true);

	const link = page.getByRole('link', { name: 'Add to your calendar' });
	const href = must(await link.getAttribute('href'), 'href');
	const calendar = await page.request.get(new URL(href, town.hub.url).href);
	expect(await calendar.text()).toMatch(/^BEGIN:VCALENDAR/);
	expect(await calendar.text()).not.toMatch(/Rosa|Martin|rash/);

	await staff.page.getByRole('button', { name: /as seen/ }).click();
	await staff.page.getByText('No new bookings').waitFor();
	await page.context().close();
	await staff.context.close();
});

test('[U23] what one window holds, the other shows held, then open again', async () => {
	const one = await browser.open(town.board);
	const other = await browser.open(town.board);
	await untilLive(other.page);
	const slotId = await idOf(one.page);
	await chip(one.page, slotId).click();
	await one.page.waitForURL(/\/hold\//);
	await other.page.locator(`button.held[name=slot][value="${slotId}"]`).waitFor();
	await one.page.getByRole('button', { name: 'Let go' }).click();
	await one.page.waitForURL(/\/board/);
	await other.page.locator(`button[name=slot]:not(.held)[value="${slotId}"]`).waitFor();
	await one.context.close();
	await other.context.close();
});

test('[U20] who loses a race is told so and can hold a near time instead', async () => {
	const fast = await browser.open(town.board);
	const slow = await browser.open(town.board, { javaScriptEnabled: false });
	const slotId = await idOf(fast.page);
	await chip(fast.page, slotId).click();
	await fast.page.waitForURL(/\/hold\//);
	await chip(slow.page, slotId).click();
	const note = slow.page.locator('.note.amber[role=alert]');
	expect(await note.innerText()).toMatch(/Someone else is booking .* pick one of these instead/);
	expect(await note.locator('button.time').count()).toBe(3);
	await note.locator('button.time').first().click();
	await slow.page.waitForURL(/\/hold\//);
	await fast.page.getByRole('button', { name: 'Let go' }).click();
	await fast.context.close();

	// The hold runs out while the form is being filled in: what was typed is still there.
	await slow.page.fill('#givenName', rosa.givenName);
	await town.system.database.sql`
		update holds set expires_at = clock_timestamp() - interval '1 second' where state = 'held'`;
	await town.system.database.sql`
		update slots set claim_untils = array_fill(clock_timestamp() - interval '1 second',
			array[cardinality(claim_untils)]) where claim_untils <> '{}' and not 'infinity' = any (claim_untils)`;
	for (const [name, value] of Object.entries(rosa)) await slow.page.fill(`#${name}`, value);
	await slow.page.getByRole('button', { name: 'Confirm this visit' }).click();
	await slow.page.getByText('Your minutes ran out. Hold a time again').waitFor();
	expect(await slow.page.inputValue('#givenName')).toBe(rosa.givenName);
	await slow.page.locator('[role=alert] button.time').first().click();
	await slow.page.getByText('You now hold this time').waitFor();
	expect(await slow.page.inputValue('#familyName')).toBe(rosa.familyName);
	expect(await slow.page.inputValue('#reason')).toBe(rosa.reason);
	await slow.page.getByRole('button', { name: 'Let go' }).click();
	await slow.context.close();
});

/** Two open times that overlap, with different providers, and the pages they are on. */
const overlappingPair = async () => {
	const open = await town.openSlots();
	const pair = await town.system.database.sql<{ id: number; page: string }[]>`
		with pair as (
			select a.id as a, b.id as b from slots a
			join slots b on b.schedule_id > a.schedule_id
				and b.starts_at < a.ends_at and b.ends_at > a.starts_at
			where a.id = any (${open}) and b.id = any (${open})
			order by a.starts_at, a.id, b.id limit 1
		)
		select s.id, '/board/provider/' || s.schedule_id as page
		from pair join slots s on s.id in (pair.a, pair.b)`;
	return pair.map(({ id, page }) => ({ id, url: `${town.hub.url}${page}?${town.search}` }));
};

test('[H17] who holds a second time that overlaps is told of the first', async () => {
	const { page, context } = await browser.open(town.board);
	const shown: boolean[] = [];
	const holds: string[] = [];
	for (const { id, url } of await overlappingPair()) {
		await page.goto(url);
		await page.locator(`button.time[value="${id}"]`).click();
		await page.waitForURL(/\/hold\//);
		shown.push(await page.getByText('You have something else at this time').isVisible());
		holds.push(page.url());
	}
	expect(shown).toEqual([false, true]);
	await page.getByText(/You hold .+ with .+\./).waitFor();
	for (const hold of holds) {
		await page.goto(hold);
		await page.getByRole('button', { name: 'Let go' }).click();
		await page.waitForURL(/\/board/);
	}
	await context.close();
});

test('[U17][U41] without JavaScript a person searches, holds, confirms, sees the visit booked and finds it again', async () => {
	const before = town.clinic.appointments().length;
	const { page, context } = await browser.open(`${town.hub.url}/`, { javaScriptEnabled: false });
	const search = new URLSearchParams(town.search);
	await page.selectOption('select[name=region]', must(search.get('region'), 'region'));
	await page.locator(`button[name=specialty][value="${search.get('specialty')}"]`).click();
	await page.waitForURL(/\/board\?/);
	await page.getByRole('link', { name: 'Check again' }).click();
	await openChips(page).first().click();
	await page.waitForURL(/\/hold\//);
	expect(await page.getByRole('timer').innerText()).toBe('about 5 minutes left');
	await fillIn(page);
	await page.getByRole('button', { name: 'Confirm this visit' }).click();
	await page.waitForURL(/\/visit\//);
	await until(async () => {
		await page.reload();
		return (await page.locator('h1').innerText()) === 'Your visit is booked';
	});
	expect(town.clinic.appointments().length).toBe(before + 1);
	const visit = new URL(page.url()).pathname;
	await page.goto(`${town.hub.url}/`);
	await page.getByRole('region', { name: 'Your visits' }).getByRole('link').click();
	expect(new URL(page.url()).pathname).toBe(visit);
	await context.close();
});

test.each([true, false])(
	'[U37] more time for the form, once, with everything typed kept (JavaScript: %s)',
	async (javaScriptEnabled) => {
		const { page, context } = await browser.open(town.board, { javaScriptEnabled });
		await openChips(page).first().click();
		await page.waitForURL(/\/hold\//);
		await page.fill('#givenName', rosa.givenName);
		const late = await context.newPage();
		await late.goto(page.url());
		await page.getByRole('button', { name: 'I need more time' }).click();
		await page.getByText('The clock began anew').waitFor();
		expect(await page.inputValue('#givenName')).toBe(rosa.givenName);
		expect(await page.getByRole('button', { name: 'I need more time' }).count()).toBe(0);
		await page.goto(page.url().replace('&/extend', ''));
		expect(await page.getByRole('button', { name: 'I need more time' }).count()).toBe(0);
		// A page that does not know it yet is told.
		await late.getByRole('button', { name: 'I need more time' }).click();
		await late.getByText('The clock can begin anew only once').waitFor();
		await page.getByRole('button', { name: 'Let go' }).click();
		await page.waitForURL(/\/board/);
		await context.close();
	}
);

test('[U18] with the keyboard alone: filter, hold, let go; the focus is never lost', async () => {
	const { page, context } = await browser.open(town.board, { viewport: desktop });
	await untilLive(page);
	const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
	await page.keyboard.press('Tab');
	expect(await focused()).toBe('Skip to the content');
	const tabTo = async (selector: string): Promise<void> => {
		for (let presses = 0; presses < 80; presses += 1) {
			if (await page.evaluate((s) => document.activeElement?.matches(s) === true, selector)) return;
			await page.keyboard.press('Tab');
		}
		throw new Error(`no way by key to ${selector}`);
	};
	await tabTo('input[name=kind][value=phone]');
	await page.keyboard.press('Space');
	await tabTo('.filters button.button');
	await page.keyboard.press('Enter');
	await page.waitForURL(/kind=phone/);
	await page.locator('.provider').first().waitFor();
	await tabTo('.provider button.time');
	expect(await focused()).toMatch(/[ap]\.m\.|noon|midnight/);
	await page.keyboard.press('Enter');
	await page.waitForURL(/\/hold\//);
	await tabTo('button[formaction*="release"]');
	await page.keyboard.press('Enter');
	await page.waitForURL(/\/board/);
	await context.close();
});

test('[U30] an alert is kept on this device, shows up in its list and can be removed', async () => {
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	await page.getByRole('button', { name: 'Tell me when new times open' }).click();
	await page.getByText('We will tell you').waitFor();
	await page.getByRole('link', { name: 'See your alerts' }).click();
	await page.getByRole('heading', { name: 'What you asked for' }).waitFor();
	await page.getByRole('button', { name: /^Remove/ }).click();
	await page.getByText('You have no alerts yet').waitFor();
	await context.close();
});

test('[U27] without a private link, or with one that ran out, console and status say so', async () => {
	for (const path of ['/console', '/status', '/enter?token=old']) {
		const { page, context } = await browser.open(`${town.hub.url}${path}`);
		expect(await page.locator('h1').innerText()).toBe('This page needs a private link');
		expect(page.url()).not.toContain('token');
		await context.close();
	}
});
