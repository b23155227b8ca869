// The whole system of one test: its own database and Redis part, simulated clinics in this
// process, hubs and workers as real processes. Everything is closed with the test.
import type { SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import { slotStates, slotStateOf, type SlotStatus } from '#domain/slot.ts';
import { SourceSettings } from '#domain/source.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { upsertSource } from '#server/store/sources.ts';
import { sourceOf } from '../../demo/launch/publishers.ts';
import { startClinics, type RunningClinics } from '../../demo/clinics/start.ts';
import { findFreePort } from '../../ops/embedded/ports.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { mustClose } from './leaks.ts';
import { startProcess, type TestProcess } from './processes.ts';
import { createTestRedis, type TestRedis } from './redis.ts';
import type { SeenSlot } from './viewer.ts';

export type HubProcess = TestProcess & { url: string };

export type System = {
	database: Servers['database'];
	redis: Servers['redis'];
	clinics: RunningClinics;
	epoch: string;
	sourceIds: ReadonlyMap<string, SourceId>;
	startHub(port?: number): Promise<HubProcess>;
	startWorkers(): Promise<TestProcess>;
	/** Every room with its upcoming open and held slots, straight from the tables. */
	readTruth(): Promise<Map<string, Map<number, SeenSlot>>>;
	close(): Promise<void>;
};

export type SystemOptions = {
	seed?: number;
	organisations?: number;
	slotCount?: number;
	/** Only these clinics (keys of demo/clinics/profiles.ts). */
	keys?: readonly string[];
	/** How often each source may be polled, ms. */
	minIntervalMs?: number;
	env?: Record<string, string>;
	/** Servers of the test's own, for tests that kill them; the test closes them. */
	servers?: Servers;
};

/** What the system runs on. */
export type Servers = {
	readonly database: Pick<TestDatabase, 'url' | 'sql'>;
	readonly redis: Pick<TestRedis, 'url' | 'prefix'>;
};

type TruthRow = {
	room: string;
	id: number;
	status: SlotStatus;
	remaining: number;
	live: number;
	start_minute: number;
};

const readTruth = async (
	database: Servers['database']
): Promise<Map<string, Map<number, SeenSlot>>> => {
	const rows = await database.sql<TruthRow[]>`
		select r.name as room, s.id, s.status, s.remaining,
			(select count(*) from unnest(s.claim_untils) u where u > clock_timestamp())::int as live,
			floor(extract(epoch from s.starts_at) / 60)::int as start_minute
		from slots s
		join schedules c on c.id = s.schedule_id
		join rooms r on r.id = any (c.room_ids)
		where s.removed_at is null and s.starts_at > clock_timestamp()`;
	const truth = new Map<string, Map<number, SeenSlot>>();
	for (const row of rows) {
		const state = slotStateOf(row.status, row.remaining, row.live);
		if (state !== slotStates.open && state !== slotStates.held) continue;
		const room = truth.get(row.room) ?? new Map<number, SeenSlot>();
		room.set(row.id, { state, left: row.remaining - row.live, startMinute: row.start_minute });
		truth.set(row.room, room);
	}
	return truth;
};

/** Parts of the run's servers that nobody else uses. */
const createServers = async (): Promise<Servers & { close(): Promise<void> }> => {
	const database = await createTestDatabase();
	const redis = await createTestRedis();
	return {
		database,
		redis,
		close: async () => {
			await redis.close();
			await database.close();
		}
	};
};

export const startSystem = async (
	options: SystemOptions = {}
): Promise<System & AsyncDisposable> => {
	const own = options.servers === undefined ? await createServers() : null;
	const { database, redis } = own ?? must(options.servers);
	const clinics = await startClinics({
		seed: options.seed ?? 1,
		startAt: Date.now(),
		slotCount: options.slotCount ?? 240,
		...(options.organisations === undefined ? {} : { organisations: options.organisations }),
		...(options.keys === undefined ? {} : { keys: options.keys })
	});
	const sourceIds = new Map<string, SourceId>();
	for (const clinic of clinics.clinics) {
		const settings = SourceSettings.parse({
			...sourceOf(clinic),
			minIntervalMs: options.minIntervalMs ?? 250
		});
		sourceIds.set(clinic.key, await upsertSource(database.sql, settings));
	}
	const epoch = await ensureEpoch(database.sql);
	const env = {
		HUB_MODE: 'development',
		HUB_ALLOW_PRIVATE_SOURCES: 'true',
		HUB_DRAIN_MS: '2000',
		// All simulated clinics are one host.
		HUB_HOST_CONCURRENCY: '50',
		// Tests book for one invented person again and again.
		HUB_MAX_VISITS_PER_PERSON: '1000',
		DATABASE_URL: database.url,
		REDIS_URL: redis.url,
		HUB_REDIS_PREFIX: redis.prefix.replace(/[^a-z0-9-]/g, ''),
		...options.env
	};
	const running: TestProcess[] = [];
	return mustClose('system', {
		database,
		redis,
		clinics,
		epoch,
		sourceIds,
		startHub: async (wanted?: number) => {
			// Tests kill hubs and start them again where they were.
			const port = wanted ?? (await findFreePort());
			const started = await startProcess('server/main.ts', {
				env: { ...env, PORT: String(port) },
				ready: /"port":(\d+).*hub_ready/
			});
			running.push(started);
			return { ...started, url: `http://127.0.0.1:${started.ready[1]}` };
		},
		startWorkers: async () => {
			const started = await startProcess('workers/main.ts', { env, ready: /workers_ready/ });
			running.push(started);
			return started;
		},
		readTruth: () => readTruth(database),
		close: async () => {
			await Promise.all(running.map((one) => one.close()));
			await clinics.close();
			await own?.close();
		}
	});
};

/** Now, for cookies and links made by tests. */
export const testNow = (): ReturnType<typeof toInstant> => toInstant(Date.now());
