// The waiting list from end to end: joined from a page without times, offered when the clinic opens
// one, passed on to the next, taken by them.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findRegion } from '#domain/codes.ts';
import { must } from '#domain/result.ts';
import { until } from '../support/until.ts';
import { createTestBrowser, type TestBrowser } from './browser.ts';
import { startTown, type Town } from './town.ts';

let town: Town;
let browser: TestBrowser;

beforeAll(async () => {
	[town, browser] = await Promise.all([
		startTown({ clinic: 'bluestem', slotCount: 600 }),
		createTestBrowser()
	]);
});
afterAll(async () => {
	await browser?.close();
	await town?.close();
});

type Provider = { id: number; specialty: string; region: string; ids: string[] };

/** A provider with a few open times, none of them within the next hours. */
const providerWithFew = async (): Promise<Provider> => {
	const [row] = await town.system.database.sql<Provider[]>`
		select c.id, c.specialty_ids[1] as specialty, c.regions[1] as region,
			array_agg(s.source_slot_id order by s.starts_at desc) as ids
		from schedules c join slots s on s.schedule_id = c.id
		where s.status = 'free' and s.removed_at is null and s.capacity = 1
			and s.starts_at > now()
		group by 1 having max(s.starts_at) > now() + interval '1 day'
		order by count(*), c.id limit 1`;
	return must(row, 'a provider with open times');
};

test('[G12] joining, passing on, taking and leaving, with and without JavaScript', async () => {
	const provider = await providerWithFew();
	for (const id of provider.ids) town.clinic.setSlotStatus(id, 'busy');
	const countOpen = async (): Promise<number> => {
		const rows = await town.system.database.sql`
			select 1 from slots where schedule_id = ${provider.id} and status = 'free'
				and removed_at is null and starts_at > now()`;
		return rows.length;
	};
	await until(async () => (await countOpen()) === 0, { timeoutMs: 60_000 });
	const region = must(findRegion(provider.region), 'region').code;
	const search = new URLSearchParams({ specialty: provider.specialty, region });
	const address = `${town.hub.url}/board/provider/${provider.id}?${search}`;

	const plain = await browser.open(address, { javaScriptEnabled: false });
	await plain.page.getByRole('button', { name: 'Join the waiting list' }).click();
	await plain.page.waitForURL(/\/waiting$/);
	await plain.page.getByText('You are next.').waitFor();

	const live = await browser.open(address);
	await live.page.getByRole('button', { name: 'Join the waiting list' }).click();
	await live.page.waitForURL(/\/waiting$/);
	await live.page.getByText('1 person is before you.').waitFor();

	town.clinic.setSlotStatus(must(provider.ids[0]), 'free');
	await until(
		async () => {
			await plain.page.reload();
			return await plain.page.getByText('A time for you').isVisible();
		},
		{ timeoutMs: 60_000 }
	);
	// Kept for one person: the other still waits, and nobody else can take it.
	expect(await live.page.getByText('A time for you').count()).toBe(0);
	await plain.page.getByRole('button', { name: 'Not this one. Keep my place' }).click();
	await plain.page.getByText('You are next.').waitFor();

	await live.page.getByText('A time for you').waitFor({ timeout: 60_000 });
	await live.page.getByText('about 10 minutes left').waitFor();
	await live.page.getByRole('link', { name: 'Book this time' }).click();
	await live.page.waitForURL(/\/hold\//);
	await live.page.getByRole('button', { name: 'Let go' }).first().waitFor();

	await live.page.goto(`${town.hub.url}/waiting`);
	await live.page.getByRole('button', { name: /^Leave the list/ }).click();
	await live.page.getByText('You are in no waiting list.').waitFor();
	await plain.page.getByRole('button', { name: /^Leave the list/ }).click();
	await plain.page.getByText('You are in no waiting list.').waitFor();
	await until(async () => {
		const rows = await town.system.database.sql`
			select 1 from slots where schedule_id = ${provider.id} and status = 'free'
				and remaining > live_claims(claim_untils, clock_timestamp()) and starts_at > now()`;
		return rows.length === 1;
	});
	await plain.context.close();
	await live.context.close();
});
