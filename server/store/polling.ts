// What the polling policy knows, in Postgres: one estimate per source, one price for the hub. A plan
// reads all it needs in one round trip.
import type { SourceId } from '#domain/ids.ts';
import type { Attention } from '#domain/polling/importance.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Sql } from '../platform/postgres.ts';

export type PollBasis = Attention & {
	/** null = never polled well, or forgotten. */
	readonly learned: unknown;
	readonly zone: string | null;
	readonly lastGoodAt: Instant | null;
	/** Since when changes are counted: the last poll of the whole window. */
	readonly countedFrom: Instant | null;
	readonly signalled: number;
	readonly pushes: boolean;
	/** Changes that pushes and near polls wrote since `countedFrom`. */
	readonly told: number;
	/** Prices; null = none was set yet, so that every source is asked at its shortest interval. */
	readonly hub: number | null;
	readonly hosts: Readonly<Record<string, number>> | null;
	readonly trim: number | null;
	readonly capMs: number | null;
	readonly freshForMs: number;
	/** Whether plans keep the source fresh by its own terms. */
	readonly keepsFresh: boolean;
	readonly pools: unknown;
};

/** Live holds are counted now; viewers and subscribers as of the last price. */
export const readPollBasis = async (sql: Queryable, id: SourceId): Promise<PollBasis> => {
	const [row] = await sql<PollBasis[]>`
		select e.learned, coalesce(o.notes ->> 'zone', e.zone) as zone,
			e.last_good_at as "lastGoodAt",
			coalesce(e.counted_from, e.last_good_at) as "countedFrom", coalesce(e.signalled, 0) as signalled,
			coalesce(e.pushes, false) as pushes, coalesce(e.told, 0) as told,
			coalesce(a.viewers, 0) as viewers,
			coalesce(a.subscribers, 0) as subscribers,
			(select count(*)::int from holds h join slots s on s.id = h.slot_id
				where h.state in ('held', 'confirming') and h.expires_at > clock_timestamp()
					and s.source_id = o.id) as "liveHolds",
			p.hub, p.hosts, p.trim, p.cap_ms as "capMs", p.pools,
			o.fresh_for_ms as "freshForMs", coalesce(p.keeps_fresh, true) as "keepsFresh"
		from sources o
		left join poll_estimates e on e.source_id = o.id
		left join poll_attention a on a.source_id = o.id
		left join poll_prices p on true
		where o.id = ${id}`;
	if (row === undefined) throw new Error('the source is gone');
	return row;
};

export type PollLesson = {
	readonly sourceId: SourceId;
	readonly learned: unknown;
	readonly zone: string;
	readonly perHour: number;
	readonly cost: number;
	readonly lastGoodAt: Instant;
	/** Shortest interval or max-age from now, ms. */
	readonly floorMs: number;
	readonly plannedMs: number;
	/** Q41: changes that a poll of the near days found, to be counted with the next whole one; null = it was whole. */
	readonly nearChanges: number | null;
	/** Y12: the source had not told of what the poll found. */
	readonly isUntold: boolean;
	readonly weight: number;
	readonly price: number;
};

/**
 * Keeps what a good poll taught. Signals told of before it began are answered by it. Does not wait for
 * the disk: a lesson lost in a crash is learned again, and each poll waits for two commits already. So
 * it takes a connection and no transaction, which would not wait either.
 */
export const saveLesson = async (sql: Sql, lesson: PollLesson): Promise<void> => {
	await sql`
		insert into poll_estimates as e (source_id, learned, zone, per_hour, cost, last_good_at,
			not_before, planned_ms, weight, price)
		select o.id, ${JSON.stringify(lesson.learned)}::text::jsonb, ${lesson.zone},
			${lesson.perHour}, ${lesson.cost}, ${lesson.lastGoodAt},
			clock_timestamp() + ${lesson.floorMs} * interval '1 millisecond',
			${lesson.plannedMs}, ${lesson.weight}, ${lesson.price}
		from sources o, set_config('synchronous_commit', 'off', true)
		where o.id = ${lesson.sourceId}
		on conflict (source_id) do update set
			learned = excluded.learned, zone = excluded.zone, per_hour = excluded.per_hour,
			cost = excluded.cost, last_good_at = excluded.last_good_at,
			not_before = excluded.not_before, planned_ms = excluded.planned_ms, weight = excluded.weight,
			price = excluded.price, pushes = e.pushes and not ${lesson.isUntold},
			told = case when ${lesson.nearChanges !== null}
				then least(100000, e.told + ${lesson.nearChanges ?? 0}::int) else 0 end,
			counted_from = case when ${lesson.nearChanges !== null}
				then coalesce(e.counted_from, e.last_good_at) end,
			signalled = case when e.signalled_at > excluded.last_good_at then e.signalled else 0 end
		where e.last_good_at <= excluded.last_good_at`;
};

/**
 * A push or another signal told of changes: they wait as known staleness until the next poll. Returns
 * false for a source that was never polled well: its first poll is due anyway.
 */
export const noteSignal = async (
	sql: Queryable,
	sourceId: SourceId,
	changes: number
): Promise<boolean> => {
	const rows = await sql`
		update poll_estimates e set signalled = least(100000, signalled + ${Math.max(1, changes)}::int),
			signalled_at = clock_timestamp(),
			-- One that fell silent, or said that it is out of order, is not relied on.
			pushes = not exists (select 1 from push_links l where l.source_id = e.source_id
				and (l.silent or l.status in ('error', 'off')))
		where source_id = ${sourceId} returning 1`;
	return rows.length === 1;
};

/**
 * Brings a planned poll forward, never later and never before the source allows; null = it stays as
 * it is. A source that failed keeps its backoff, one under suspicion its second look.
 */
export const hastenPoll = async (
	sql: Queryable,
	sourceId: SourceId,
	at: Instant,
	basis: { readonly weight: number; readonly price: number }
): Promise<{ readonly gen: number; readonly waitMs: number } | null> => {
	const [row] = await sql<{ gen: number; waitMs: number }[]>`
		with planned as (
			update poll_estimates set weight = ${basis.weight}, price = ${basis.price}
			where source_id = ${sourceId}
			returning greatest(${at}, not_before, clock_timestamp()) as wanted
		)
		update sources o set next_poll_at = planned.wanted
		from planned
		where o.id = ${sourceId} and o.enabled and o.failures = 0 and o.suspect is null
			and (o.polling_until is null or o.polling_until <= clock_timestamp())
			and o.next_poll_at > planned.wanted + interval '1 second'
		returning o.poll_gen as gen,
			(extract(epoch from o.next_poll_at - clock_timestamp()) * 1000)::float8 as "waitMs"`;
	return row ?? null;
};
