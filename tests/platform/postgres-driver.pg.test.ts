// The Postgres client when its connections are cut: queries fail, nothing hangs, nobody dies.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createPostgres } from '#server/platform/postgres.ts';
import { repairDriver } from '#server/platform/postgres-driver.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());

test('[W25] the fault is mended in the version that is installed', () => {
	const entry = createRequire(import.meta.url).resolve('postgres');
	const text = readFileSync(join(dirname(entry), '../../src/connection.js'), 'utf8');
	const mended = repairDriver(text);
	expect(mended).toContain('if (socket === null) {');
	expect(mended?.match(/chunk = nextWriteTimer = null/g)).toHaveLength(3);
	expect(repairDriver(text.replace('socket.write(chunk', 'socket.send(chunk'))).toBeNull();
});

test('[W25] connections are cut under load: every query ends, and the pool works on', async () => {
	const sql = createPostgres(database.url, { max: 4, applicationName: 'victim' });
	const faults: unknown[] = [];
	const onFault = (error: unknown) => void faults.push(error);
	process.on('uncaughtException', onFault);
	onTestFinished(async () => {
		process.off('uncaughtException', onFault);
		await sql.end({ timeout: 1 });
	});
	const ended = { well: 0, badly: 0 };
	const stop = new AbortController();
	const ask = async (): Promise<void> => {
		while (!stop.signal.aborted) {
			try {
				await sql.begin(async (tx) => {
					await tx`select 1`;
					await tx`select ${'x'.repeat(50)}::text`;
				});
				ended.well += 1;
			} catch {
				ended.badly += 1;
			}
		}
	};
	const asking = Array.from({ length: 8 }, ask);
	for (let cut = 0; cut < 15; cut += 1) {
		const before = ended.well;
		await database.sql`
			select pg_terminate_backend(pid) from pg_stat_activity
			where datname = current_database() and application_name = 'victim'`;
		await until(() => ended.well > before + 4);
	}
	stop.abort();
	await Promise.all(asking);
	expect(faults).toEqual([]);
	expect(ended.badly).toBeGreaterThan(0);
	expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
});
