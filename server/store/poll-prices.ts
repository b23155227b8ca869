// The hub-wide side of the polling policy: who pays what for a poll, and the price that one worker
// sets for all in turn.
import type { SourceId } from '#domain/ids.ts';
import type { Attention } from '#domain/polling/importance.ts';
import type { Sql, Tx } from '../platform/postgres.ts';

export type PricedSource = Attention & {
	readonly id: SourceId;
	readonly url: string;
	readonly minIntervalMs: number;
	readonly freshForMs: number;
	readonly failures: number;
	/** null = nothing is learned of it yet. */
	readonly perHour: number | null;
	readonly cost: number;
	readonly zone: string | null;
	/** From the last good poll to the next planned one, ms. */
	readonly plannedMs: number | null;
	/** What its standing plan was made on. */
	readonly planWeight: number | null;
	readonly planPrice: number | null;
};

const MOST_SOURCES = 50_000;

/** All enabled sources, with the viewers given per room. */
export const readPricedSources = async (
	tx: Tx,
	viewers: ReadonlyMap<string, number>
): Promise<PricedSource[]> => {
	const rows = await tx<PricedSource[]>`
		with watched as (
			select r.id, v.value::int as viewers
			from jsonb_each_text(${JSON.stringify(Object.fromEntries(viewers))}::text::jsonb) v
			join rooms r on r.name = v.key
		), seen as (
			select source_id, sum(viewers) as viewers from (
				select distinct c.source_id, w.id, w.viewers
				from watched w join schedules c on c.room_ids @> array[w.id]
			) by_room group by source_id
		), waiting as (
			select c.source_id, count(distinct a.id) as subscribers
			from alert_subscriptions a
			join schedules c on (a.schedule_id is null or a.schedule_id = c.id)
				and a.specialty = any(c.specialty_ids) and a.region = any(c.regions)
			group by c.source_id
		), held as (
			select s.source_id, count(*) as live
			from holds h join slots s on s.id = h.slot_id
			where h.state in ('held', 'confirming') and h.expires_at > clock_timestamp()
			group by s.source_id
		)
		select o.id, o.url, o.min_interval_ms as "minIntervalMs",
			o.fresh_for_ms as "freshForMs", o.failures,
			e.per_hour as "perHour", coalesce(e.cost, 1) as cost,
			coalesce(o.notes ->> 'zone', e.zone) as zone,
			(extract(epoch from o.next_poll_at - o.checked_at) * 1000)::float8 as "plannedMs",
			e.weight as "planWeight", e.price as "planPrice",
			coalesce(seen.viewers, 0)::int as viewers,
			coalesce(waiting.subscribers, 0)::int as subscribers,
			coalesce(held.live, 0)::int as "liveHolds"
		from sources o
		left join poll_estimates e on e.source_id = o.id
		left join seen on seen.source_id = o.id
		left join waiting on waiting.source_id = o.id
		left join held on held.source_id = o.id
		where o.enabled order by o.id limit ${MOST_SOURCES}`;
	return [...rows];
};

export type StoredPrice = {
	readonly hub: number;
	readonly trim: number;
	readonly pools: unknown;
	/** Since the pools were made, ms. */
	readonly pooledAgoMs: number;
};

/**
 * Runs `work` for the worker whose turn it is; null for the others. A turn comes every `everyMs`,
 * and two workers never set a price at once.
 */
export const takePriceTurn = <T>(
	sql: Sql,
	everyMs: number,
	work: (tx: Tx, last: StoredPrice | null) => Promise<T>
): Promise<T | null> =>
	sql.begin(async (tx) => {
		const [lock] = await tx<{ got: boolean }[]>`
			select pg_try_advisory_xact_lock(5107040) as got`;
		if (lock?.got !== true) return null;
		const [last] = await tx<(StoredPrice & { ageMs: number })[]>`
			select hub, trim, pools,
				(extract(epoch from clock_timestamp() - set_at) * 1000)::float8 as "ageMs",
				least(1e12, extract(epoch from clock_timestamp()
					- greatest(pooled_at, '1970-01-01')) * 1000)::float8 as "pooledAgoMs"
			from poll_prices`;
		if (last !== undefined && last.ageMs < everyMs) return null;
		return await work(tx, last ?? null);
	}) as Promise<T | null>;

export type NewPrice = {
	readonly hub: number;
	readonly hosts: ReadonlyMap<string, number>;
	readonly trim: number;
	readonly capMs: number;
	readonly keepsFresh: boolean;
	/** null = the pools stay. */
	readonly pools: unknown;
};

/** Sets the price, and what sources are worth until the next one. */
export const writePrice = async (
	tx: Tx,
	price: NewPrice,
	sources: readonly PricedSource[]
): Promise<void> => {
	const hosts = JSON.stringify(Object.fromEntries(price.hosts));
	const pools = price.pools === null ? null : JSON.stringify(price.pools);
	await tx`
		insert into poll_prices as p (hub, hosts, trim, cap_ms, keeps_fresh, pools, pooled_at, set_at)
		values (${price.hub}, ${hosts}::text::jsonb, ${price.trim}, ${price.capMs}, ${price.keepsFresh},
			coalesce(${pools}::text::jsonb, '{}'),
			case when ${pools}::text is null then '-infinity'::timestamptz
				else clock_timestamp() end, clock_timestamp())
		on conflict (one) do update set hub = excluded.hub, hosts = excluded.hosts,
			trim = excluded.trim, cap_ms = excluded.cap_ms,
			keeps_fresh = excluded.keeps_fresh, set_at = excluded.set_at,
			pools = case when ${pools}::text is null then p.pools else excluded.pools end,
			pooled_at = case when ${pools}::text is null then p.pooled_at else excluded.pooled_at end`;
	await tx`
		insert into poll_attention as a (source_id, viewers, subscribers, live_holds)
		select * from unnest(${sources.map(({ id }) => id)}::bigint[],
			${sources.map(({ viewers }) => viewers)}::int[],
			${sources.map(({ subscribers }) => subscribers)}::int[],
			${sources.map(({ liveHolds }) => liveHolds)}::int[])
		on conflict (source_id) do update set viewers = excluded.viewers,
			subscribers = excluded.subscribers, live_holds = excluded.live_holds
		where (a.viewers, a.subscribers, a.live_holds)
			<> (excluded.viewers, excluded.subscribers, excluded.live_holds)`;
};

const MOST_POOLED = 2_000;

/** Estimates to pool, by zone; a part of them when there are very many. */
export const readLearned = async (
	tx: Tx
): Promise<readonly { readonly zone: string; readonly learned: unknown }[]> => {
	const rows = await tx<{ zone: string; learned: unknown }[]>`
		select coalesce(o.notes ->> 'zone', e.zone) as zone, e.learned
		from poll_estimates e join sources o on o.id = e.source_id
		order by md5(o.id::text) limit ${MOST_POOLED}`;
	return [...rows];
};

/** Each source without a zone of its own takes the one that most of its schedules are in. */
export const settleZones = async (tx: Tx): Promise<void> => {
	await tx`
		update poll_estimates e set zone = m.zone
		from (
			select source_id, mode() within group (order by zone) as zone
			from schedules group by source_id
		) m
		where m.source_id = e.source_id and e.zone <> m.zone`;
};
