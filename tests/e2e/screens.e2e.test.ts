// How the screens behave: accessible in both themes, still under a pointer, honest about age and
// line, right with a wrong phone clock.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { must } from '#domain/result.ts';
import { until } from '../support/until.ts';
import {
	createTestBrowser,
	desktop,
	untilLive,
	violationsEverywhere,
	type TestBrowser
} from './browser.ts';
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

describe('[U19] axe-core in both themes, as wide as a phone and as a desk', () => {
	test('[U19][U43] every screen', async () => {
		const { page, context } = await browser.open(`${town.hub.url}/`);
		const seen: string[] = await violationsEverywhere(page);
		const look = async (path: string): Promise<void> => {
			await page.goto(new URL(path, town.hub.url).href);
			seen.push(...(await violationsEverywhere(page)).map((one) => `${path} ${one}`));
		};
		await look(`/?q=zzzz&region=US-MT`);
		await look(town.board);
		await look(`${town.board}&plan=medicaid&only=1&when=evening&lang=ko`);
		await look(must(await firstHref(page, town.board), 'provider'));
		await page.goto(town.board);
		await page.locator('.provider button.time:not([aria-disabled])').first().click();
		await page.waitForURL(/\/hold\//);
		seen.push(...(await violationsEverywhere(page)));
		const hold = page.url();
		await look(town.board);
		await look(hold);
		await page.getByRole('button', { name: 'Let go' }).click();
		await page.waitForURL(/\/board/);
		await look(hold);
		await look('/alerts');
		await look('/waiting');
		await look('/clinics');
		await look('/clinics?region=US-WY');
		await look('/no-such-page');
		await look(town.linkOf({ role: 'clinic' }));
		await look(town.linkOf({ role: 'operator' }));
		expect(seen).toEqual([]);
		await context.close();
	}, 480_000);

	test('[U19][U43] the pages of a booked visit', async () => {
		const { page, context } = await browser.open(town.board);
		const seen: string[] = [];
		const look = async (): Promise<void> => {
			const path = new URL(page.url()).pathname;
			seen.push(...(await violationsEverywhere(page)).map((one) => `${path} ${one}`));
		};
		await page.locator('.provider button.time:not([aria-disabled])').first().click();
		await page.waitForURL(/\/hold\//);
		for (const [name, value] of Object.entries(rosa)) await page.fill(`#${name}`, value);
		await page.getByRole('button', { name: 'Confirm this visit' }).click();
		await page.waitForURL(/\/visit\//);
		const visit = page.url();
		const cancel = page.getByRole('link', { name: 'Cancel this visit' });
		await until(async () => {
			await page.reload();
			return (await cancel.count()) === 1;
		});
		await look();
		const link = await page
			.getByRole('link', { name: 'Your link to this visit' })
			.getAttribute('href');
		await page.getByRole('link', { name: 'Change the time' }).click();
		await page.getByRole('heading', { name: 'Change the time' }).waitFor();
		await look();
		await page.locator('button[name=slot]').first().click();
		await page.getByRole('heading', { name: 'Move your visit to this time?' }).waitFor();
		await look();
		await page.getByRole('button', { name: 'No, keep my visit' }).click();
		await page.goto(`${town.hub.url}/manage${new URL(link ?? '').search}`);
		await look();
		await page.goto(visit);
		await cancel.click();
		await page.getByRole('button', { name: 'Yes, cancel it' }).waitFor();
		await look();
		await page.getByRole('button', { name: 'Yes, cancel it' }).click();
		await page.waitForURL(/\/visit\/[^/]+$/);
		await look();
		expect(seen).toEqual([]);
		await context.close();
	}, 300_000);
});

const firstHref = async (page: Page, board: string): Promise<string | null> => {
	await page.goto(board);
	return await page.locator('.provider h3 a').first().getAttribute('href');
};

test('[U22] under a stream of changes nothing below the pointer moves', async () => {
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	const chips = page.locator('.provider button.time');
	await chips.nth(2).hover();
	// What the browser itself calls a shift of a time, a provider or a day, from here on. Words
	// inside a time may change; the time stays where it is.
	await page.evaluate(() => {
		Reflect.set(window, 'shifted', []);
		new PerformanceObserver((list) => {
			for (const entry of list.getEntries()) {
				const sources: { node?: Element }[] = Reflect.get(entry, 'sources');
				const moved = sources.flatMap(({ node }) =>
					node instanceof Element && node.matches('.time, .provider, .day, h2, h3')
						? [node.outerHTML.slice(0, 80)]
						: []
				);
				Reflect.get(window, 'shifted').push(...moved);
			}
		}).observe({ type: 'layout-shift', buffered: false });
	});
	const before = await chips.nth(2).boundingBox();
	const [first, second, ...rest] = await town.openSlots();
	const gone = await town.clinicSlotOf(must(first, 'slot'));
	const others = await Promise.all(
		[second, ...rest.slice(0, 3)].map((id) => town.clinicSlotOf(must(id, 'slot')))
	);
	for (const id of [gone, ...others]) town.clinic.setSlotStatus(id, 'busy');
	await page.locator('button.time.went').first().waitFor();
	for (const id of others) town.clinic.setSlotStatus(id, 'free');
	await until(async () => (await page.locator('button.time.went').count()) <= 1);
	expect(await chips.nth(2).boundingBox()).toEqual(before);
	expect(await page.evaluate(() => Reflect.get(window, 'shifted'))).toEqual([]);
	// Away from the list, it may tidy up.
	town.clinic.setSlotStatus(gone, 'free');
	await page.mouse.move(1, 1);
	await until(async () => (await page.locator('button.time.went').count()) === 0);
	await context.close();
});

test('[U22] a new time waits behind a count while the pointer is over the list', async () => {
	const [first] = await town.openSlots();
	const slotId = must(first, 'slot');
	const clinicSlot = await town.clinicSlotOf(slotId);
	town.clinic.setSlotStatus(clinicSlot, 'busy');
	await until(async () => !(await town.openSlots()).includes(slotId));
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	expect(await page.locator(`button[name=slot][value="${slotId}"]`).count()).toBe(0);
	const under = page.locator('.provider button.time').nth(1);
	await under.hover();
	const before = await under.boundingBox();
	town.clinic.setSlotStatus(clinicSlot, 'free');
	const show = page.getByRole('button', { name: '1 new time · show' });
	await show.waitFor();
	expect(await under.boundingBox()).toEqual(before);
	expect(await page.locator(`button[name=slot][value="${slotId}"]`).count()).toBe(0);
	await show.click();
	await page.locator(`button[name=slot][value="${slotId}"]`).waitFor();
	await context.close();
});

test('[U26] the countdown does not ask the phone what time it is', async () => {
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	await page.addInitScript(() => {
		const wrong = 86_400_000;
		const now = Date.now.bind(Date);
		Date.now = () => now() + wrong;
	});
	await page.locator('.provider button.time:not([aria-disabled])').first().click();
	await page.waitForURL(/\/hold\//);
	await page.reload();
	const timer = page.getByRole('timer');
	await until(async () => /^\d:\d\d left$/.test(await timer.innerText()));
	expect(await timer.innerText()).toMatch(/^4:[345]\d left$|^5:00 left$/);
	await page.getByRole('button', { name: 'Let go' }).click();
	await page.waitForURL(/\/board/);
	await context.close();
});

test('[U28] with data saver on there is no live link until it is asked for', async () => {
	const { page, context } = await browser.open(town.board, {
		extraHTTPHeaders: { 'save-data': 'on' }
	});
	const sockets: string[] = [];
	page.on('request', (request) => sockets.push(request.url()));
	await page.reload({ waitUntil: 'networkidle' });
	await page.getByText('Live updates are off to save data.').waitFor();
	expect(sockets.filter((url) => url.includes('socket.io'))).toEqual([]);
	await page.getByRole('button', { name: 'Turn live updates on' }).click();
	await untilLive(page);
	await context.close();
});

test('[U29][U45] a cut line is told, also to who taps, and caught up with when it is back', async () => {
	const { page, context } = await browser.open(town.board);
	await untilLive(page);
	const shown = page.locator('.provider button.time:not([aria-disabled])').first();
	const slotId = must(await shown.getAttribute('value'), 'slot');
	await context.setOffline(true);
	await page.getByText('Not live').waitFor();
	town.clinic.setSlotStatus(await town.clinicSlotOf(Number(slotId)), 'busy');
	await until(async () => !(await town.openSlots()).includes(Number(slotId) as never));
	await context.setOffline(false);
	await untilLive(page);
	await page.locator(`button[name=slot][value="${slotId}"] s`).waitFor();
	town.clinic.setSlotStatus(await town.clinicSlotOf(Number(slotId)), 'free');
	await context.setOffline(true);
	await page.locator('.provider button.time:not([aria-disabled])').last().click();
	await page.getByRole('heading', { name: 'That did not get through' }).waitFor();
	// The browser's own word for it, once, and nothing else.
	expect(browser.takeFaults()).toEqual([expect.stringContaining('Failed to fetch')]);
	await context.setOffline(false);
	await page.getByRole('link', { name: 'Check again' }).click();
	await untilLive(page);
	await context.close();
});

test('[H43][H2] who holds a time that the clinic gives away is told at once, with a wrong clock too', async () => {
	const { page, context } = await browser.open(town.board);
	// A phone that is a year ahead.
	await page.addInitScript(() => {
		const year = 31_536_000_000;
		const now = Date.now.bind(Date);
		Date.now = () => now() + year;
	});
	await page.reload();
	await untilLive(page);
	const button = page.locator('.provider button.time:not([aria-disabled])').first();
	const clinicSlot = await town.clinicSlotOf(Number(await button.getAttribute('value')));
	await button.click();
	await page.getByRole('heading', { name: 'Your time is held' }).waitFor();
	await page.getByLabel('First name').fill('Rosa');
	await page
		.getByText(/4:\d\d/)
		.first()
		.waitFor();
	town.clinic.setSlotStatus(clinicSlot, 'busy');
	await page.getByRole('heading', { name: 'This time was taken at the clinic' }).waitFor();
	expect(await page.getByLabel('First name').inputValue()).toBe('Rosa');
	await page.locator('main button.time').first().waitFor();
	town.clinic.setSlotStatus(clinicSlot, 'free');
	await context.close();
});

test('[U21][U42][U44] times of a source that fell silent are marked old, then not known, and never called none', async () => {
	const { sql } = town.system.database;
	town.clinic.setFault({ kind: 'http_500' });
	await until(async () => {
		const [row] = await sql<{ failures: number }[]>`select max(failures) as failures from sources`;
		return (row?.failures ?? 0) > 0;
	});
	await sql`update sources
		set fresh_for_ms = 300000, checked_at = clock_timestamp() - interval '20 minutes'`;
	const { page, context } = await browser.open(town.board);
	await page.locator('.stale').first().waitFor();
	expect(await page.locator('.stale').first().innerText()).toMatch(
		/old: checked 20 min ago. These times may be gone. You will know when you book./
	);
	expect(await page.locator('.dayhead .muted').first().innerText()).toMatch(/^\d+ times? shown$/);
	await sql`update sources set checked_at = clock_timestamp() - interval '40 minutes'`;
	await page.reload();
	await page.getByRole('heading', { name: 'We could not check' }).waitFor();
	await page.getByText(/^\d+ providers? we could not check$/).waitFor();
	expect(await page.getByText('no open time now').count()).toBe(0);
	town.clinic.setFault(null);
	await context.close();
});

/** Holds the scripts of a page back until released, as a slow line does. */
const holdScripts = async (page: Page): Promise<() => void> => {
	const gate = Promise.withResolvers<void>();
	await page.route(/\/_app\/.*\.js/, async (route) => {
		await gate.promise;
		await route.continue();
	});
	return gate.resolve;
};

describe('[U38] what was done before the scripts came stays', () => {
	const kept = { givenName: rosa.givenName, reason: 'A cough' };

	test('[U38] words and choices in the form of a held time', async () => {
		const { page, context } = await browser.open(town.board);
		await page.locator('.provider button.time:not([aria-disabled])').first().click();
		await page.waitForURL(/\/hold\//);
		const release = await holdScripts(page);
		await page.reload({ waitUntil: 'commit' });
		await page.fill('#givenName', kept.givenName);
		await page.fill('#reason', kept.reason);
		const planId = await page.locator('select[name=planId] option').last().getAttribute('value');
		await page.selectOption('select[name=planId]', planId);
		await page.check('input[name=forWhom] >> nth=1');
		release();
		// Only a script makes the clock tick.
		await page.locator('[role=timer]', { hasText: /\d:\d\d/ }).waitFor();
		expect(await page.inputValue('#givenName')).toBe(kept.givenName);
		expect(await page.inputValue('#reason')).toBe(kept.reason);
		expect(await page.inputValue('select[name=planId]')).toBe(planId);
		expect(await page.isChecked('input[name=forWhom] >> nth=1')).toBe(true);
		expect(await page.isChecked('input[name=forWhom] >> nth=0')).toBe(false);
		await page.unrouteAll();
		await page.getByRole('button', { name: 'Let go' }).click();
		await page.waitForURL(/\/board/);
		await context.close();
	});

	test('[U38] choices of a search; another search shows its own', async () => {
		const { page, context } = await browser.open(town.board, { viewport: desktop });
		const release = await holdScripts(page);
		await page.reload({ waitUntil: 'commit' });
		await page.check('input[name=kind][value=phone]');
		await page.selectOption('select[name=when]', 'morning');
		release();
		await untilLive(page);
		expect(await page.isChecked('input[name=kind][value=phone]')).toBe(true);
		expect(await page.inputValue('select[name=when]')).toBe('morning');
		await page.locator('.filters button.button').click();
		await page.waitForURL(/kind=phone/);
		await page.goBack();
		await page.waitForURL((url) => !url.search.includes('kind=phone'));
		await until(async () => !(await page.isChecked('input[name=kind][value=phone]')));
		expect(await page.inputValue('select[name=when]')).toBe('any');
		await context.close();
	});
});

test('[U39] where the times come from, without a script: current, then too old to be known', async () => {
	const { sql } = town.system.database;
	const { page, context } = await browser.open(town.board, { javaScriptEnabled: false });
	await page.getByRole('link', { name: 'Where the times come from' }).click();
	await page.getByText('1 of 1 clinics are up to date.').waitFor();
	const card = page.locator('section.figure');
	expect(await card.innerText()).toMatch(
		/Up to date\s+checked .+\s+Open times: \d+\. Providers: \d+\./
	);
	const region = must(new URLSearchParams(town.search).get('region'), 'region');
	await page.selectOption('select[name=region]', region);
	await page.getByRole('button', { name: 'Show' }).click();
	await page.waitForURL(/region=/);
	expect(await card.count()).toBe(1);
	town.clinic.setFault({ kind: 'http_500' });
	await until(async () => {
		await sql`update sources
			set fresh_for_ms = 60000, checked_at = clock_timestamp() - interval '20 minutes'`;
		await page.reload();
		return (await card.innerText()).includes('Open times: we do not know.');
	});
	expect(await card.innerText()).toContain('You can call the clinic.');
	town.clinic.setFault(null);
	await context.close();
});
