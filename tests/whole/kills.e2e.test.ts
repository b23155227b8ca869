// Every process is killed without warning, one after the other, while a browser watches the board:
// hub, workers, Redis, Postgres. Each time a clinic changes in the dark, and each time the page
// catches up by itself.
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { migrate } from '#server/store/migrate.ts';
import { createEmbeddedPostgres, type EmbeddedPostgres } from '../../ops/embedded/postgres.ts';
import { makeRunFolder } from '../../ops/embedded/paths.ts';
import { findFreePort } from '../../ops/embedded/ports.ts';
import { createTestBrowser, untilLive } from '../e2e/browser.ts';
import type { HubProcess, System } from '../support/system.ts';
import { startSystem } from '../support/system.ts';
import type { TestProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { createMortalRedis } from '../workers/mortal-redis.ts';

type Page = Awaited<ReturnType<Awaited<ReturnType<typeof createTestBrowser>>['open']>>['page'];

const folder = makeRunFolder('kills');
let port: number;
let postgres: EmbeddedPostgres;
let sql: Sql;

const startPostgres = (): Promise<EmbeddedPostgres> =>
	createEmbeddedPostgres({ dataDir: folder, port, durable: true });

beforeAll(async () => {
	port = await findFreePort();
	postgres = await startPostgres();
	sql = createPostgres(postgres.url, { max: 3, applicationName: 'test-kills' });
	await migrate(sql);
});

afterAll(async () => {
	await sql.end({ timeout: 2 });
	await postgres.close();
	rmSync(folder, { recursive: true, force: true });
});

/** After a poll died with its worker the source is free again when its claim has run out. */
const CATCH_UP = { timeoutMs: 60_000 };

const openSlots = (page: Page): Promise<string[]> =>
	page
		.locator('button[name="slot"]:not(.went):not(.held)')
		.evaluateAll((chips) => chips.map((chip) => chip.getAttribute('value') ?? ''));

/** A time that the page shows is taken at the clinic. */
const takeOne = async (system: System, page: Page): Promise<string> => {
	const slotId = must((await openSlots(page))[0], 'an open time on the page');
	const [row] = await sql<{ id: string }[]>`
		select source_slot_id as id from slots where id = ${Number(slotId)}`;
	must(system.clinics.clinics[0]).setSlotStatus(must(row).id, 'busy');
	return slotId;
};

const expectCaughtUp = async (page: Page, slotId: string): Promise<void> => {
	await until(async () => !(await openSlots(page)).includes(slotId), CATCH_UP);
	await untilLive(page);
};

const boardPath = async (): Promise<string> => {
	const found = await until(async () => {
		const [row] = await sql<{ name: string }[]>`
			select r.name from rooms r join schedules c on r.id = any (c.room_ids)
			join slots s on s.schedule_id = c.id and s.status = 'free'
			where r.name ~ ':us-' group by r.name order by count(*) desc limit 1`;
		return row?.name;
	}, CATCH_UP);
	const [specialty, region = ''] = found.split(':');
	return `/board?specialty=${specialty}&region=${region.toUpperCase()}`;
};

test('[Z10] a watching page outlives every process: hub, workers, Redis, Postgres', async () => {
	await using redis = await createMortalRedis();
	const servers = { database: { url: postgres.url, sql }, redis: { url: redis.url, prefix: 'k' } };
	await using system = await startSystem({ keys: ['bluestem'], slotCount: 1_500, servers });
	let hub: HubProcess = await system.startHub();
	let workers: TestProcess = await system.startWorkers();
	await using browser = await createTestBrowser();
	const { page } = await browser.open(`${hub.url}${await boardPath()}`);
	await untilLive(page);

	await workers.kill('SIGKILL');
	let taken = await takeOne(system, page);
	workers = await system.startWorkers();
	await expectCaughtUp(page, taken);

	await hub.kill('SIGKILL');
	taken = await takeOne(system, page);
	await page.locator('.live .dot.on').waitFor({ state: 'detached' });
	hub = await system.startHub(Number(new URL(hub.url).port));
	await expectCaughtUp(page, taken);

	await redis.kill();
	taken = await takeOne(system, page);
	await redis.revive();
	await expectCaughtUp(page, taken);

	process.kill(postgres.pid, 'SIGKILL');
	await postgres.exited;
	const slotId = must((await openSlots(page))[0], 'an open time on the page');
	postgres = await startPostgres();
	taken = await until(() => takeOne(system, page), CATCH_UP);
	await expectCaughtUp(page, taken);
	expect(slotId).not.toBe('');
	expect(workers.output()).not.toContain('uncaught_exception');
});
