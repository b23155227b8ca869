// Recorded publications of real publishers, polled by real workers into a real database. The
// recordings are no part of this project: they are looked for beside it.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { AnswerFlags } from '#domain/answer.ts';
import { upsertSource } from '#server/store/sources.ts';
import { startReplay } from '../../demo/replay.ts';
import { createTestDatabase } from '../support/database.ts';
import { mustClose } from '../support/leaks.ts';
import { startProcess } from '../support/processes.ts';
import { createTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const folder = resolve(import.meta.dirname, '../../../shared/fixtures');
const isPresent = existsSync(folder);
const title = isPresent
	? 'the facts of recorded publications stand at their sources'
	: `recordings absent at ${folder}: nothing polled`;

type Row = { key: string; outcome: string; flags: AnswerFlags; schedules: number; open: number };

const pollRecordings = async (): Promise<Map<string, Row>> => {
	await using database = await createTestDatabase();
	await using redis = await createTestRedis();
	await using replay = mustClose('replay', await startReplay(folder));
	for (const source of replay.sources) await upsertSource(database.sql, source);
	await using workers = await startProcess('workers/main.ts', {
		env: {
			HUB_MODE: 'development',
			HUB_ALLOW_PRIVATE_SOURCES: 'true',
			DATABASE_URL: database.url,
			REDIS_URL: redis.url,
			HUB_REDIS_PREFIX: redis.prefix.replace(/[^a-z0-9-]/g, '')
		},
		ready: /workers_ready/
	});
	expect(workers.pid).toBeGreaterThan(0);
	const rows = await until(async () => {
		const found = await database.sql<Row[]>`
			select s.key, s.outcome, s.flags,
				(select count(*)::int from schedules c where c.source_id = s.id) as schedules,
				(select count(*)::int from slots t where t.source_id = s.id and t.status = 'free'
					and t.starts_at > now()) as open
			from sources s where s.checked_at is not null`;
		return found.length === replay.sources.length ? found : null;
	});
	return new Map(rows.map((row) => [row.key, row]));
};

test(`[Z12] ${title}`, async () => {
	expect(existsSync(folder)).toBe(isPresent);
	if (!isPresent) return;
	const found = await pollRecordings();
	const riteAid = found.get('smart-riteaid-nj');
	expect(riteAid?.flags).toMatchObject({
		records: 1_542,
		repeatedIds: 1_542 - 112,
		duplicates: 0,
		badRecords: 0,
		offsetMismatches: 1_542
	});
	expect(riteAid?.schedules).toBe(112);
	expect(found.get('smart-kroger')?.flags).toMatchObject({ records: 4, offsetMismatches: 0 });
	expect(found.get('smart-cvs')?.flags).toMatchObject({ records: 2, badRecords: 0 });
	expect(found.get('fhir-nhs-bars')?.flags).toMatchObject({ records: 3 });
	expect([...found.values()].map(({ open }) => open)).toEqual([...found.keys()].map(() => 0));
});
