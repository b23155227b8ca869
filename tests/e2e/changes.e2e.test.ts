// Changing a booked visit, in a browser: cancelled with and without JavaScript.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { until } from '../support/until.ts';
import { createTestBrowser, untilLive, type TestBrowser } from './browser.ts';
import { rosa, startTown, type Town } from './town.ts';

let town: Town;
let browser: TestBrowser;
beforeAll(async () => {
	[town, browser] = await Promise.all([startTown(), createTestBrowser()]);
});
afterAll(async () => {
	await browser.close();
	await town.close();
});
type Page = Awaited<ReturnType<TestBrowser['open']>>['page'];

/** A clinic's answer on a slow machine. */
const PATIENCE = { timeoutMs: 60_000 };

/** Holds the first open time, confirms it, and waits until the clinic has booked. */
const bookIn = async (page: Page): Promise<void> => {
	await page.locator('button[name=slot]:not(.held)').first().click();
	await page.waitForURL(/\/hold\//);
	for (const [name, value] of Object.entries(rosa)) await page.fill(`#${name}`, value);
	await page.getByRole('button', { name: 'Confirm this visit' }).click();
	await page.waitForURL(/\/visit\//);
	await until(async () => {
		if ((await page.locator('h1').innerText()) === 'Your visit is booked') return true;
		await page.reload();
		return false;
	}, PATIENCE);
};

const ownWords: Readonly<Record<string, RegExp>> = {
	video: /Try camera and sound/,
	phone: /Keep your phone charged/,
	chat: /Have good signal/
};

test.each(['video', 'phone', 'chat'])(
	'[J28][J26] a %s visit for a child: what to have ready, and the clinic sees that a parent calls',
	async (kind) => {
		const { page, context } = await browser.open(`${town.board}&kind=${kind}`);
		await page.locator('button[name=slot]:not(.held)').first().click();
		await page.waitForURL(/\/hold\//);
		for (const [name, value] of Object.entries(rosa)) await page.fill(`#${name}`, value);
		await page.getByLabel('My child').check();
		const chosen = page.locator(`input[name=kind][value=${kind}]`);
		if ((await chosen.getAttribute('type')) === 'radio') await chosen.check();
		await page.getByRole('button', { name: 'Confirm this visit' }).click();
		await page.waitForURL(/\/visit\//);
		await untilTitle(page, 'Your visit is booked');
		const ready = (await page.locator('ul.dots li').allInnerTexts()).join(' ');
		expect(ready).toContain('Find a quiet place');
		for (const [each, words] of Object.entries(ownWords)) {
			expect(words.test(ready)).toBe(each === kind);
		}
		const staff = await browser.open(town.linkOf({ role: 'clinic' }));
		const id = new URL(page.url()).pathname.split('/').at(-1);
		await staff.page.locator(`[data-booking="${id}"]`).getByText('a parent calls').waitFor();
		await staff.context.close();
		await context.close();
	}
);

const untilTitle = (page: Page, title: string) =>
	until(async () => {
		await page.reload();
		return (await page.locator('h1').innerText()) === title;
	}, PATIENCE);

test.each([true, false])(
	'[J6] "are you sure", then cancelled at the clinic and on the console (JavaScript: %s)',
	async (javaScriptEnabled) => {
		const before = town.clinic.appointments().filter(({ status }) => status === 'cancelled');
		const staff = await browser.open(town.linkOf({ role: 'clinic' }));
		const { page, context } = await browser.open(town.board, { javaScriptEnabled });
		await bookIn(page);
		await page.getByRole('link', { name: 'Cancel this visit' }).click();
		await page.getByRole('heading', { name: 'Cancel this visit?' }).waitFor();
		await page.getByRole('link', { name: 'No, keep my visit' }).click();
		await page.getByRole('heading', { name: 'Your visit is booked' }).waitFor();
		await page.getByRole('link', { name: 'Cancel this visit' }).click();
		await page.getByRole('button', { name: 'Yes, cancel it' }).click();
		await page.waitForURL(/\/visit\/[^/]+$/);
		await untilTitle(page, 'This visit is cancelled');
		const after = town.clinic.appointments().filter(({ status }) => status === 'cancelled');
		expect(after).toHaveLength(before.length + 1);
		// The console was open all the time.
		const id = new URL(page.url()).pathname.split('/').at(-1);
		const card = staff.page.locator(`[data-booking="${id}"]`);
		await card.getByText(/^cancelled/).waitFor();
		await card.getByRole('button', { name: /as seen/ }).click();
		await card.waitFor({ state: 'detached' });
		await context.close();
		await staff.context.close();
	}
);

test.each([true, false])(
	'[J15] another time is picked, held, and taken; both pages say what became of both (JavaScript: %s)',
	async (javaScriptEnabled) => {
		const { page, context } = await browser.open(town.board, { javaScriptEnabled });
		await bookIn(page);
		const oldUrl = page.url();
		await page.getByRole('link', { name: 'Change the time' }).click();
		await page.locator('button[name=slot]').first().click();
		await page.waitForURL(/\?hold=/);
		await page.getByRole('button', { name: 'Pick another time' }).click();
		await page.waitForURL(/\/move\?(?!hold)/);
		await page.locator('button[name=slot]').nth(1).click();
		await page.getByRole('heading', { name: 'Move your visit to this time?' }).waitFor();
		await page.getByRole('button', { name: 'Yes, move it' }).click();
		await page.waitForURL((url) => /\/visit\/[^/]+$/.test(url.pathname));
		expect(page.url()).not.toBe(oldUrl);
		await until(async () => {
			await page.reload();
			return await page.getByText(/Your old time, .*, was given back/).isVisible();
		});
		expect(await page.locator('h1').innerText()).toBe('Your visit is booked');
		await page.getByRole('link', { name: 'See the other visit' }).click();
		await page.getByText(/You moved this visit to/).waitFor();
		expect(await page.locator('h1').innerText()).toBe('This visit is cancelled');
		await context.close();
	}
);

test.each([true, false])(
	'[J20] the link on another device: a wrong date is told, the right one opens (JavaScript: %s)',
	async (javaScriptEnabled) => {
		const { page, context } = await browser.open(town.board, { javaScriptEnabled });
		await bookIn(page);
		const visit = new URL(page.url()).pathname;
		const link = await page
			.getByRole('link', { name: 'Your link to this visit' })
			.getAttribute('href');
		const path = new URL(link ?? '').pathname + new URL(link ?? '').search;
		await context.close();
		const other = await browser.open(`${town.hub.url}${path}`, { javaScriptEnabled });
		expect(await other.page.locator('main').innerText()).not.toMatch(
			/Rosa|Dr\.|Clinic|a\.m\.|p\.m\./
		);
		await other.page.fill('#bornOn', '1980-01-01');
		await other.page.getByRole('button', { name: 'Show the visit' }).click();
		await other.page.getByText('You can try 4 more times').first().waitFor();
		await other.page.fill('#bornOn', rosa.bornOn);
		await other.page.getByRole('button', { name: 'Show the visit' }).click();
		await other.page.waitForURL((url) => url.pathname === visit);
		await other.page.getByRole('heading', { name: 'Your visit is booked' }).waitFor();
		await other.context.close();
	}
);

test('[K23] staff make a private calendar address on the console and end it, without scripts', async () => {
	const { page, context } = await browser.open(town.linkOf({ role: 'clinic' }), {
		javaScriptEnabled: false
	});
	await page.getByRole('button', { name: 'Make a private address' }).click();
	const address = await page.getByLabel('Your private address').inputValue();
	const { pathname } = new URL(address);
	const asked = () => fetch(new URL(pathname, page.url()));
	expect((await asked()).status).toBe(200);
	await page.getByText('Copy it now: we show it only this once.').waitFor();
	await page.getByRole('button', { name: 'End the address' }).click();
	await page.getByText('The address is ended.').waitFor();
	expect((await asked()).status).toBe(410);
	expect(await page.getByLabel('Your private address').count()).toBe(0);
	await context.close();
});

test('[K25][K26][K27] staff take somebody off and put them back by plain forms; who watches sees it at once', async () => {
	const staff = await browser.open(town.linkOf({ role: 'clinic' }), { javaScriptEnabled: false });
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	const card = page.locator('article.provider').first();
	const name = must((await card.locator('h3').textContent())?.trim());
	const theirs = page.locator('article.provider', { has: page.getByRole('heading', { name }) });
	const open = theirs.locator('button.time:not([aria-disabled])');
	expect(await open.count()).toBeGreaterThan(0);
	await staff.page.getByRole('link', { name: 'Who takes visits here' }).click();
	const row = staff.page.getByRole('listitem').filter({ hasText: name });
	const button = row.getByRole('button', { name: `Take off: ${name}` });
	expect((await button.boundingBox())?.height).toBeGreaterThanOrEqual(48);
	await button.click();
	await row.getByText('Off: patients do not see this person here.').waitFor();
	await until(async () => (await open.count()) === 0);
	await row.getByRole('button', { name: `Take visits again: ${name}` }).click();
	await row.getByText('Takes visits.').waitFor();
	await until(async () => (await open.count()) > 0);
	await context.close();
	await staff.context.close();
});

test('[J29][J30] a clinic declines a visit on its console; on paper stands only the day', async () => {
	const staff = await browser.open(town.linkOf({ role: 'clinic' }), { javaScriptEnabled: false });
	const { page, context } = await browser.open(town.board);
	await bookIn(page);
	const id = new URL(page.url()).pathname.split('/').at(-1);
	await staff.page.reload();
	const card = staff.page.locator(`[data-booking="${id}"]`);
	await card.getByText('Decline', { exact: true }).click();
	await card.getByText('so please call.').waitFor();
	const button = card.getByRole('button', { name: 'Yes, decline it' });
	const box = await button.boundingBox();
	expect(box?.height).toBeGreaterThanOrEqual(48);
	await button.click();
	await untilTitle(page, 'This visit is cancelled');

	await staff.page.emulateMedia({ media: 'print' });
	expect(await staff.page.getByRole('heading', { name: 'Today' }).isVisible()).toBe(true);
	expect(await staff.page.locator('#new, #later, #held, #week').count()).toBe(4);
	for (const heading of await staff.page.locator('#new, #later, #held, #week').all()) {
		expect(await heading.isVisible()).toBe(false);
	}
	expect(await staff.page.getByRole('button').filter({ visible: true }).count()).toBe(0);
	await context.close();
	await staff.context.close();
});
