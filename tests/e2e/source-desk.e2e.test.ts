// The operator's desk: sources are tried, added, paused and removed by plain forms, and a secret that
// was typed is found nowhere afterwards.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { must } from '#domain/result.ts';
import { startOffice, type RunningOffice } from '../../demo/clinics/small/start.ts';
import { dumpRedis, dumpTables } from '../support/dumps.ts';
import { listenToRedis } from '../support/redis-monitor.ts';
import { connectRedis } from '../support/redis.ts';
import { startMoodyServer } from '../support/moody-server.ts';
import { until } from '../support/until.ts';
import { stages } from '../workers/connectors/office-stages.ts';
import { createTestBrowser, violationsEverywhere, type TestBrowser } from './browser.ts';
import { startTown, type Town } from './town.ts';

let town: Town;
let office: RunningOffice;
let browser: TestBrowser;

beforeAll(async () => {
	[town, office, browser] = await Promise.all([
		startTown({ slotCount: 60 }),
		startOffice('vendor'),
		createTestBrowser()
	]);
});
afterAll(async () => {
	await browser?.close();
	await office?.close();
	await town?.close();
});

const CANARY = 'zyx-canary-secret-0173';

/** A vendor that wants a key, as its mapping says. */
const keyedNotes = (): string => {
	const { notes } = must(stages.find(({ format }) => format === 'vendor'));
	const mapping = { ...notes.mapping, request: { secret: { header: 'x-api-key' } } };
	return JSON.stringify({ ...notes, mapping });
};

const fillIn = async (page: Page, key: string, secret: string): Promise<void> => {
	await page.getByRole('link', { name: 'Add a source' }).click();
	await page.fill('#key', key);
	await page.fill('#name', `Vendor ${key}`);
	await page.selectOption('select[name=kind]', 'mapped');
	await page.fill('#url', office.url);
	await page.fill('#notes', keyedNotes());
	await page.fill('#secret', secret);
	await page.fill('#interval', '1');
	await page.check('input[name=private]');
};

const openSlots = async (key: string): Promise<number> => {
	const [row] = await town.system.database.sql<{ open: number }[]>`
		select count(*) as open from slots s join sources o on o.id = s.source_id
		where o.key = ${key} and s.removed_at is null and s.status = 'free'`;
	return row?.open ?? 0;
};

const rowOf = (page: Page, name: string) => page.locator('tr', { hasText: name });

/** O22: the page of a try as it is while a worker has it, and that looking again asks nobody again. */
const seeItWait = async (page: Page): Promise<void> => {
	const { sql } = town.system.database;
	const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
	const countDrafts = async () => (await sql`select id from source_drafts`).length;
	const before = await countDrafts();
	const [{ report } = { report: null }] = await sql<{ report: string }[]>`
		select report::text as report from source_drafts where id = ${id}`;
	await sql`
		update source_drafts set report = null, taken_by = 'there:7',
			taken_until = clock_timestamp() + interval '1 hour' where id = ${id}`;
	await page.reload();
	await page.getByText('A worker asks the source and reads').waitFor();
	await page.getByText(/^Asked .* ago\. Worker: there:7\.$/).waitFor();
	expect(await page.getByText(office.url).count()).toBe(1);
	expect(await page.getByRole('button', { name: 'Save it and poll it' }).count()).toBe(0);
	await page.getByRole('link', { name: 'Look again' }).click();
	await page.getByText('Worker: there:7.').waitFor();
	await sql`
		update source_drafts set report = ${report}::text::jsonb, taken_until = null where id = ${id}`;
	// By itself.
	await page.getByText('It answered in full.').waitFor();
	expect(await countDrafts()).toBe(before);
};

test('[E12][E4][E13][O22] without scripts a source is tried, added, paused, resumed and removed', async () => {
	const { page, context } = await browser.open(town.linkOf({ role: 'operator' }), {
		javaScriptEnabled: false
	});
	await fillIn(page, 'Not A Key', '');
	await page.getByRole('button', { name: 'Try it' }).click();
	await page.getByText('Use 2 to 60 lower-case letters').waitFor();
	expect(await page.inputValue('#name')).toBe('Vendor Not A Key');
	await page.fill('#key', 'vendor-one');
	await page.getByRole('button', { name: 'Try it' }).click();
	// Without its secret the vendor gives nothing: the way back, and the form as it was.
	await page.getByText('It was not read. Nothing is published.').waitFor();
	await page.getByText('Something on the form does not fit this source.').waitFor();
	expect(await page.getByRole('button', { name: 'Save it anyway' }).count()).toBe(1);
	await page.getByRole('link', { name: 'Change the form' }).click();
	expect(await page.inputValue('#key')).toBe('vendor-one');
	await page.fill('#secret', 'a-key');
	await page.getByRole('button', { name: 'Try it' }).click();
	await page.getByText('It answered in full.').waitFor();
	expect(await openSlots('vendor-one')).toBe(0);
	await seeItWait(page);
	await page.getByRole('button', { name: 'Save it and poll it' }).click();
	await page.waitForURL(/\/status$/);
	await until(async () => (await openSlots('vendor-one')) > 0, { timeoutMs: 60_000 });

	const row = rowOf(page, 'Vendor Not A Key');
	await page.reload();
	await row.locator('summary', { hasText: /^Why\s/ }).click();
	await row.getByLabel('Reason to pause it').fill('Their calendar moves.');
	await row.getByRole('button', { name: /^Pause/ }).click();
	await row.locator('summary', { hasText: /^Why\s/ }).click();
	await row.getByText('Their calendar moves.').waitFor();
	await row.getByRole('button', { name: /^Resume/ }).click();
	await row.locator('summary', { hasText: /^Why\s/ }).click();
	await row.getByRole('link', { name: /^Remove/ }).click();
	await page.getByRole('link', { name: 'No, keep it' }).click();
	expect(await openSlots('vendor-one')).toBeGreaterThan(0);
	await row.locator('summary', { hasText: /^Why\s/ }).click();
	await row.getByRole('link', { name: /^Remove/ }).click();
	await page.getByRole('button', { name: 'Yes, remove it' }).click();
	await page.waitForURL(/\/status$/);
	expect(await row.count()).toBe(0);
	expect(await openSlots('vendor-one')).toBe(0);
	await context.close();
	const acts = await town.system.database.sql<{ act: string }[]>`
		select action as act from audit where actor like 'operator:page %' order by id`;
	expect(acts.map(({ act }) => act)).toEqual([
		'source_added',
		'secret_saved',
		'source_paused',
		'source_resumed',
		'source_removed'
	]);
});

test('[O29][O30] without scripts a failed try says what to do, and is tried again by one button', async () => {
	await using source = await startMoodyServer(office.url);
	const { page, context } = await browser.open(town.linkOf({ role: 'operator' }), {
		javaScriptEnabled: false
	});
	await fillIn(page, 'again', 'a-key');
	await page.fill('#url', source.url);
	await page.uncheck('input[name=private]');
	await page.getByRole('button', { name: 'Try it' }).click();
	await page.getByText('The hub may not read from this address.').waitFor();
	await page.getByText('It was not read. Nothing is published.').waitFor();
	expect(await page.locator('main').innerText()).not.toMatch(/[a-z]_[a-z]|It was read/);
	// Figures of what was not read would only mislead.
	expect(await page.getByText('Schedules', { exact: true }).count()).toBe(0);
	expect(source.asked()).toBe(0);
	await page.getByRole('link', { name: 'Change the form' }).click();
	await page.check('input[name=private]');
	await page.fill('#secret', 'a-key');
	source.become('broken');
	await page.getByRole('button', { name: 'Try it' }).click();
	await page.getByText('Its server answered with an error.').waitFor();
	const address = page.url();
	const asked = source.asked();
	expect(asked).toBeGreaterThan(0);
	source.become('fine');
	await page.reload();
	expect(source.asked()).toBe(asked);
	await page.getByRole('button', { name: 'Try again' }).click();
	await page.getByText('It answered in full.').waitFor();
	expect(page.url()).toBe(address);
	expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
	await page.getByText('With the secret you typed.').waitFor();
	await context.close();
});

test('[O20] without scripts a kept answer is read again, shown, and applied when confirmed', async () => {
	const { sql } = town.system.database;
	const { page, context } = await browser.open(town.linkOf({ role: 'operator' }), {
		javaScriptEnabled: false
	});
	await fillIn(page, 'kept', 'a-key');
	await page.fill('#interval', '3600');
	await page.getByRole('button', { name: 'Try it' }).click();
	await page.getByRole('button', { name: 'Save it and poll it' }).click();
	await until(async () => (await openSlots('kept')) > 0, { timeoutMs: 20_000 });
	const open = await openSlots('kept');
	await sql`update slots set status = 'busy', remaining = 0 where id = (
		select s.id from slots s join sources o on o.id = s.source_id
		where o.key = 'kept' and s.status = 'free' order by s.starts_at limit 1)`;
	await until(
		async () =>
			(
				await sql`
		select 1 from raw_answers r join sources o on o.id = r.source_id where o.key = 'kept'`
			).length > 0
	);
	await page.goto(`${town.hub.url}/status`);
	const row = rowOf(page, 'Vendor kept');
	await row.locator('summary', { hasText: /^Why\s/ }).click();
	await row.getByRole('link', { name: /^Read a kept answer/ }).click();
	await page.getByRole('button', { name: 'Read it again' }).first().click();
	await page.getByText('It was read. Nothing is changed yet.').waitFor();
	await page.getByText(/Ana Ruiz: busy, then free/).waitFor();
	expect(await openSlots('kept')).toBe(open - 1);
	await page.getByRole('button', { name: 'Yes, apply it' }).click();
	await page.getByText('It was applied: 1 time was changed.').waitFor();
	expect(await openSlots('kept')).toBe(open);
	expect(await page.getByRole('button', { name: 'Yes, apply it' }).count()).toBe(0);
	await context.close();
});

test('[E11] a secret typed into the form is found nowhere afterwards', async () => {
	const { system, hub } = town;
	const ear = await listenToRedis(system.redis.url);
	await using redis = connectRedis(system.redis.url);
	const { page, context } = await browser.open(town.linkOf({ role: 'operator' }));
	const pages: string[] = [];
	page.on('response', (response) => {
		void response.text().then(
			(text) => pages.push(text),
			() => {}
		);
	});
	await fillIn(page, 'canary', CANARY);
	await page.getByRole('button', { name: 'Try it' }).click();
	await page.getByText('It answered in full.').waitFor();
	const draft = await dumpTables(system);
	await page.getByRole('link', { name: 'Change the form' }).click();
	await page.getByText('Nothing is published before you say so.').waitFor();
	pages.push(await page.content());
	expect(await page.inputValue('#secret')).toBe('');
	await page.goBack();
	await page.getByRole('button', { name: 'Save it and poll it' }).click();
	await page.waitForURL(/\/status$/);
	await until(async () => (await openSlots('canary')) > 0, { timeoutMs: 60_000 });
	await page.reload();
	const row = rowOf(page, 'Vendor canary');
	await row.locator('summary', { hasText: /^Why\s/ }).click();
	await row.getByText('A secret is kept for it.').waitFor();
	pages.push(await page.content());
	const places = {
		redisCommands: ear.heard.join('\n'),
		redisValues: await dumpRedis(redis.client),
		draft,
		tables: await dumpTables(system),
		hubLog: hub.output(),
		workersLog: town.workers.output(),
		pages: pages.join('\n')
	};
	ear.close();
	await context.close();
	const shapes = [CANARY, Buffer.from(CANARY).toString('hex'), btoa(CANARY).slice(0, -4)];
	const found = Object.entries(places).flatMap(([place, text]) =>
		shapes.filter((shape) => text.includes(shape)).map((shape) => `${place}: ${shape}`)
	);
	expect(found).toEqual([]);
	for (const text of Object.values(places)) expect(text.length).toBeGreaterThan(100);
	// The search itself finds what is there.
	expect(places.tables).toContain('Vendor canary');
	expect(places.pages).toContain('Vendor canary');
});

test('[E12] nothing of it opens without the operator’s link, or from a page of somebody else', async () => {
	const { page, context } = await browser.open(`${town.hub.url}/`);
	const { key } = town.clinic;
	for (const path of ['/status/add', `/status/remove/${key}`, `/status/again/${key}`]) {
		await page.goto(town.hub.url + path);
		await page.getByText('This page needs a private link').waitFor();
	}
	const post = async (path: string, origin: string, cookie = ''): Promise<number> => {
		const response = await fetch(town.hub.url + path, {
			method: 'POST',
			headers: { origin, cookie, 'content-type': 'application/x-www-form-urlencoded' },
			body: `key=${town.clinic.key}&because=x`,
			redirect: 'manual'
		});
		return response.status;
	};
	const removing = `/status/remove/${town.clinic.key}?/remove`;
	expect(await post(removing, town.hub.url)).toBe(403);
	const entered = await fetch(town.linkOf({ role: 'operator' }), { redirect: 'manual' });
	const cookie = entered.headers.getSetCookie().map((line) => line.split(';')[0] ?? '');
	const elsewhere = 'https://elsewhere.example';
	expect(await post(removing, elsewhere, cookie.join('; '))).toBe(403);
	expect(await post('/status?/pause', elsewhere, cookie.join('; '))).toBe(403);
	expect(await openSlots(town.clinic.key)).toBeGreaterThan(0);
	await context.close();
});

test('[W51][O31] a clinic that lists nothing twice in a row: the operator reads when and how many', async () => {
	const { clinic, workers } = town;
	const before = await openSlots(clinic.key);
	expect(before).toBeGreaterThan(10);
	const { page, context } = await browser.open(town.linkOf({ role: 'operator' }));
	clinic.setFault({ kind: 'empty_answer' });
	await until(() => workers.output().includes('source_emptied'), { timeoutMs: 30_000 });
	expect(workers.output()).toMatch(
		new RegExp(`"level":"warn".*"source":"${clinic.key}","removed":\\d+.*"source_emptied"`)
	);
	expect(await openSlots(clinic.key)).toBe(0);
	const said = page.getByText(
		/^It answered with no times at all twice in a row. All \d+ of its times were taken off on .+ UTC\./
	);
	await page.reload();
	await said.waitFor();
	expect(await violationsEverywhere(page)).toEqual([]);
	clinic.setFault(null);
	await until(async () => (await openSlots(clinic.key)) > 0, { timeoutMs: 30_000 });
	// By itself.
	await said.waitFor({ state: 'detached' });
	await context.close();
});

test('[E12] axe-core finds nothing, in both themes and widths', async () => {
	const { page, context } = await browser.open(town.linkOf({ role: 'operator' }));
	const seen: string[] = [];
	const look = async (): Promise<void> => {
		const path = new URL(page.url()).pathname;
		seen.push(...(await violationsEverywhere(page)).map((one) => `${path} ${one}`));
	};
	await page
		.locator('summary', { hasText: /^Why\s/ })
		.first()
		.click();
	await look();
	await fillIn(page, 'x', 'two words');
	await look();
	await page.getByRole('button', { name: 'Try it' }).click();
	await page.getByText('A secret has letters, digits and signs').waitFor();
	await look();
	await page.fill('#key', 'looked-at');
	await page.fill('#secret', 'a-key');
	await page.getByRole('button', { name: 'Try it' }).click();
	await page.getByText('It answered in full.').waitFor();
	await look();
	const { sql } = town.system.database;
	const draft = page.url().split('/').at(-1) ?? '';
	await sql`
		update source_drafts set report = null, taken_by = 'there:7',
			taken_until = clock_timestamp() + interval '1 hour' where id = ${draft}`;
	await page.reload();
	await page.getByText('Worker: there:7.').waitFor();
	await look();
	await sql`update source_drafts set why = 'lost' where id = ${draft}`;
	await page.reload();
	await page.getByText('It could not be read').waitFor();
	await page.getByRole('button', { name: 'Try again' }).waitFor();
	await look();
	await page.goto(`${town.hub.url}/status/remove/${town.clinic.key}`);
	await look();
	await page.goto(`${town.hub.url}/status/again/${town.clinic.key}`);
	await look();
	await page.getByRole('button', { name: 'Read it again' }).first().click();
	await page.getByText('It was read. Nothing is changed yet.').waitFor();
	await look();
	expect(seen).toEqual([]);
	await context.close();
}, 300_000);
