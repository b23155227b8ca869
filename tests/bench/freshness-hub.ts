// One side of the live comparison: a database, a part of Redis and a worker process of its own, people
// who watch, hold and wait, and what the worker wrote as the database tells it.
import { randomUUID } from 'node:crypto';
import { AlertSubscriptionId, DeviceKey, RequestId, type SlotId } from '#domain/ids.ts';
import { weightOf } from '#domain/polling/importance.ts';
import type { RoomName } from '#domain/room.ts';
import { MINUTE_MS } from '#domain/time.ts';
import { slotStates } from '#domain/slot.ts';
import type { SourceSettings } from '#domain/source.ts';
import { createViewerCounts } from '#server/feed/viewer-counts.ts';
import { createRedis } from '#server/platform/redis.ts';
import { insertSubscription } from '#server/store/alerts.ts';
import { placeHold } from '#server/store/holds.ts';
import { upsertSource } from '#server/store/sources.ts';
import type { Poll, Timeline } from './freshness-figures.ts';
import { startWorkers } from './hub-process.ts';
import { createBenchDatabase } from './world.ts';

/** Who looks, waits and holds, the same on both sides. */
export type People = {
	readonly viewers: ReadonlyMap<RoomName, number>;
	readonly alerts: readonly { readonly specialty: string; readonly region: string }[];
	/** Slots that are held for the whole run: source key and the clinic's slot id. */
	readonly holds: readonly { readonly source: string; readonly slot: string }[];
};

export type Side = {
	/** What its User-Agent holds. */
	readonly agent: string;
	readonly setInterval: (ms: number) => Promise<void>;
	readonly isRead: () => Promise<boolean>;
	readonly rooms: () => Promise<readonly string[]>;
	readonly openSlots: () => Promise<People['holds']>;
	readonly addPeople: (people: People) => Promise<void>;
	/** Weight per source key, as the price saw it last. */
	readonly weights: () => Promise<ReadonlyMap<string, number>>;
	readonly polls: () => ReadonlyMap<string, readonly Poll[]>;
	/** Per source key, per slot id of the clinic. */
	readonly shown: () => Promise<ReadonlyMap<string, ReadonlyMap<string, Timeline>>>;
	readonly price: () => Promise<string>;
	readonly close: () => Promise<void>;
};

export type SideOptions = {
	readonly name: 'policy' | 'fixed';
	readonly redisUrl: string;
	readonly pollsPerSecond: number;
	readonly sources: readonly SourceSettings[];
};

const LOOK_EVERY_MS = 250;
/** Rooms of more sources are left out: watched and unwatched clinics would be alike. */
const MOST_SOURCES_OF_ROOM = 3;
const HOLD_MS = 30 * MINUTE_MS;
const device = DeviceKey.parse('b'.repeat(64));

type Database = Awaited<ReturnType<typeof createBenchDatabase>>;

/** Looks so often that no poll of a source, seconds apart, can pass unseen. */
const watchPolls = ({ sql }: Database) => {
	const polls = new Map<string, Poll[]>();
	const look = async (): Promise<void> => {
		const rows = await sql<(Poll & { key: string })[]>`
			select key, (extract(epoch from poll_started_at) * 1000)::float8 as "startedAt",
				(extract(epoch from checked_at) * 1000)::float8 as "committedAt"
			from sources where committed_gen = poll_gen and committed_gen > 0`;
		for (const { key, ...poll } of rows) {
			const of = polls.get(key) ?? [];
			if (of.at(-1)?.startedAt !== poll.startedAt) of.push(poll);
			polls.set(key, of);
		}
	};
	let last: Promise<void> = Promise.resolve();
	const timer = setInterval(() => {
		last = look().catch(() => {});
	}, LOOK_EVERY_MS);
	return {
		polls: () => polls,
		close: async () => {
			clearInterval(timer);
			await last;
		}
	};
};

type ShownRow = { source: string; slot: string; at: number; open: boolean };

/** From the change log, which is written with the slots. Held, here or at the clinic, is not open. */
const readShown = async ({ sql }: Database): Promise<Map<string, Map<string, Timeline>>> => {
	const rows = await sql<ShownRow[]>`
		select o.key as source, s.source_slot_id as slot, l.at, l.state = ${slotStates.open} as open
		from (
			select distinct (extract(epoch from l.at) * 1000)::float8 as at, (c ->> 0)::bigint as id,
				(c ->> case when jsonb_array_length(c) = 2 then 1 else 4 end)::int as state
			from change_log l, jsonb_array_elements(l.changes) c
			where jsonb_typeof(c -> 0) = 'number'
		) l
		join slots s on s.id = l.id join sources o on o.id = s.source_id
		order by l.at`;
	const shown = new Map<string, Map<string, { at: number; open: boolean }[]>>();
	for (const { source, slot, at, open } of rows) {
		const of = shown.get(source) ?? new Map<string, { at: number; open: boolean }[]>();
		const line = of.get(slot) ?? [];
		if (line.at(-1)?.open !== open) line.push({ at, open });
		of.set(slot, line);
		shown.set(source, of);
	}
	return shown;
};

const addHolds = async ({ sql }: Database, holds: People['holds']): Promise<void> => {
	for (const { source, slot } of holds) {
		const [row] = await sql<{ id: SlotId }[]>`
			select s.id from slots s join sources o on o.id = s.source_id
			where o.key = ${source} and s.source_slot_id = ${slot}`;
		if (row === undefined) continue;
		const requestId = RequestId.parse(randomUUID());
		const limits = { ttlMs: HOLD_MS, maxLive: 100, maxPerHour: 100 };
		await placeHold(sql, { device, slotId: row.id, requestId }, limits);
	}
};

const addAlerts = async ({ sql }: Database, alerts: People['alerts']): Promise<void> => {
	const rest = {
		scheduleId: null,
		kinds: ['video'],
		plan: null,
		language: null,
		dayPart: 'any',
		zone: 'America/Denver'
	} as const;
	for (const where of alerts) {
		const id = AlertSubscriptionId.parse(randomUUID());
		await sql.begin((tx) => insertSubscription(tx, device, id, { ...rest, ...where }));
	}
};

type Attended = { key: string; viewers: number; subscribers: number; liveHolds: number };

const readWeights = async ({ sql }: Database): Promise<Map<string, number>> => {
	const rows = await sql<Attended[]>`
		select o.key, a.viewers, a.subscribers, a.live_holds as "liveHolds"
		from poll_attention a join sources o on o.id = a.source_id`;
	return new Map(rows.map(({ key, ...attention }) => [key, weightOf(attention)]));
};

/** What the choice of rooms and holds is made from. */
const readFirst = ({ sql }: Database) => ({
	isRead: async () => {
		const [row] = await sql<{ left: number }[]>`
			select count(*) filter (where committed_gen = 0)::int as left from sources`;
		return row?.left === 0;
	},
	rooms: async () => {
		const rows = await sql<{ name: string }[]>`
			select r.name from rooms r join schedules c on c.room_ids @> array[r.id]
			where r.name like '%:us-%'
			group by r.name having count(distinct c.source_id) <= ${MOST_SOURCES_OF_ROOM}
			order by r.name`;
		return rows.map(({ name }) => name);
	},
	openSlots: async () => [
		...(await sql<{ source: string; slot: string }[]>`
			select distinct on (o.key) o.key as source, s.source_slot_id as slot
			from slots s join sources o on o.id = s.source_id
			where s.status = 'free' and s.removed_at is null order by o.key, s.starts_at desc`)
	],
	price: async () => {
		const [row] = await sql<{ hub: number; trim: number }[]>`select hub, trim from poll_prices`;
		return row === undefined ? 'none' : `${row.hub.toPrecision(3)} × ${row.trim.toPrecision(3)}`;
	}
});

/** Starts a side; its sources are polled from now on. */
export const startSide = async (options: SideOptions): Promise<Side> => {
	const { name, redisUrl, pollsPerSecond, sources } = options;
	const database = await createBenchDatabase();
	const { sql } = database;
	for (const source of sources) await upsertSource(sql, source);
	const workers = await startWorkers({
		databaseUrl: database.url,
		redisUrl,
		env: {
			HUB_REDIS_PREFIX: name,
			HUB_POLLS_PER_SECOND: String(pollsPerSecond),
			HUB_PUBLIC_URL: `http://${name}.example`
		}
	});
	const watch = watchPolls(database);
	const redis = createRedis(redisUrl, { role: 'publisher' });
	let viewers: People['viewers'] = new Map();
	const counts = createViewerCounts({ redis, prefix: name, id: 'bench', read: () => viewers });
	return {
		agent: `//${name}.example`,
		...readFirst(database),
		setInterval: async (ms) => {
			await sql`update sources set min_interval_ms = ${Math.round(ms)}`;
		},
		addPeople: async (people) => {
			viewers = people.viewers;
			await counts.tell();
			await addAlerts(database, people.alerts);
			await addHolds(database, people.holds);
		},
		weights: () => readWeights(database),
		polls: watch.polls,
		shown: () => readShown(database),
		close: async () => {
			await watch.close();
			counts.close();
			await workers.close();
			redis.disconnect();
			await database.close();
		}
	};
};
