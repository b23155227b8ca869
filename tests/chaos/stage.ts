// The stage of a chaos run: a durable Postgres, a Redis, two hubs behind lossy doors, workers and one
// FHIR clinic, all real processes that can be killed and come back at the same address.
import { rmSync } from 'node:fs';
import { must } from '#domain/result.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { migrate } from '#server/store/migrate.ts';
import type { RunningClinic } from '../../demo/clinics/start.ts';
import { createEmbeddedPostgres, type EmbeddedPostgres } from '../../ops/embedded/postgres.ts';
import { makeRunFolder } from '../../ops/embedded/paths.ts';
import { findFreePort } from '../../ops/embedded/ports.ts';
import { mustClose } from '../support/leaks.ts';
import { startProcess, type TestProcess } from '../support/processes.ts';
import type { Random } from '../support/random.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { createMortalRedis, type MortalRedis } from '../workers/mortal-redis.ts';
import { openLossyDoor, type LossyDoor } from './lossy-door.ts';

/** The shortest hold the hub allows: expiry happens all the time. */
export const HOLD_TTL_MS = 1_000;
const HUBS = 2;
const POOL = 8;
/** Every change of a clinic waits for the commit of the one before: three get through more. */
const CLINICS = ['bluestem', 'prairie-lantern', 'cedar-harbor'];
/** Slots about to begin are left alone. */
const MARGIN = '2 hours';

export type Stage = {
	readonly sql: Sql;
	readonly system: System;
	readonly clinics: readonly RunningClinic[];
	readonly redis: MortalRedis;
	readonly doors: readonly LossyDoor[];
	readonly hubs: TestProcess[];
	workers: TestProcess;
	postgres: EmbeddedPostgres;
	startHub(nr: number): Promise<void>;
	startWorkers(): Promise<void>;
	startPostgres(): Promise<void>;
	/** Our free slots with the clinic's own ids, soonest first. */
	freeSlots(): Promise<{ id: number; clinicId: string; places: number }[]>;
	close(): Promise<void>;
};

export type StageOptions = {
	readonly random: Random;
	readonly slotCount: number;
	readonly replyLoss: number;
	readonly requestLoss: number;
};

const hubEnv = (databaseUrl: string, redis: { url: string; prefix: string }) => ({
	HUB_MODE: 'development',
	HUB_ALLOW_PRIVATE_SOURCES: 'true',
	HUB_LOG_LEVEL: 'warn',
	HUB_DATABASE_POOL: String(POOL),
	HUB_HOLD_TTL_MS: String(HOLD_TTL_MS),
	DATABASE_URL: databaseUrl,
	REDIS_URL: redis.url,
	HUB_REDIS_PREFIX: redis.prefix
});

type FreeSlot = { id: number; clinicId: string; places: number };

const freeSlots = (sql: Sql): Promise<FreeSlot[]> =>
	sql<FreeSlot[]>`
		select id, source_slot_id as "clinicId", capacity as places from slots
		where status = 'free' and removed_at is null
			and starts_at > now() + ${MARGIN}::interval order by starts_at, id`;

/** Starts everything and waits until the clinic has been read. */
export const createStage = async (options: StageOptions): Promise<Stage & AsyncDisposable> => {
	const folder = makeRunFolder('chaos');
	const port = await findFreePort();
	const startPostgres = () => createEmbeddedPostgres({ dataDir: folder, port, durable: true });
	const postgres = await startPostgres();
	const sql = createPostgres(postgres.url, { max: 4, applicationName: 'chaos' });
	await migrate(sql);
	const redis = await createMortalRedis();
	const servers = {
		database: { url: postgres.url, sql },
		redis: { url: redis.url, prefix: 'chaos' }
	};
	const system = await startSystem({
		keys: CLINICS,
		slotCount: options.slotCount,
		minIntervalMs: 1_000,
		servers
	});
	const ports = await Promise.all(Array.from({ length: HUBS }, () => findFreePort()));
	const doors: LossyDoor[] = [];
	for (const hub of ports) doors.push(await openLossyDoor({ ...options, port: hub }));
	const started: TestProcess[] = [];
	const startHub = async (nr: number): Promise<TestProcess> => {
		const hub = await startProcess('tests/bench/hub-entry.ts', {
			env: { ...hubEnv(postgres.url, servers.redis), PORT: String(must(ports[nr])) },
			ready: /hub_ready port=(\d+)/,
			timeoutMs: 60_000
		});
		started.push(hub);
		return hub;
	};
	const stage: Stage = {
		sql,
		system,
		clinics: system.clinics.clinics,
		redis,
		doors,
		hubs: await Promise.all(ports.map((_, nr) => startHub(nr))),
		workers: await system.startWorkers(),
		postgres,
		startHub: async (nr) => {
			stage.hubs[nr] = await startHub(nr);
		},
		startWorkers: async () => {
			stage.workers = await system.startWorkers();
		},
		startPostgres: async () => {
			stage.postgres = await startPostgres();
		},
		freeSlots: () => freeSlots(sql),
		close: async () => {
			await Promise.all(doors.map((door) => door.close()));
			await Promise.all(started.map((hub) => hub.close()));
			await system.close();
			await redis.close();
			await sql.end({ timeout: 2 });
			await stage.postgres.close();
			rmSync(folder, { recursive: true, force: true });
		}
	};
	const isRead = async (): Promise<boolean> => {
		const [row] = await sql<{ silent: number }[]>`
			select count(*)::int as silent from sources where checked_at is null`;
		return row?.silent === 0;
	};
	await until(isRead, { timeoutMs: 60_000 });
	return mustClose('chaos stage', stage);
};
