// How many people wait for a clinic's practitioners: what its console shows and is told of.
import type { RoomId, SourceId } from '#domain/ids.ts';
import type { ClinicChange, RoomEntry } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import { clinicRoom } from '#domain/room.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';
import { appendChanges, roomIds } from './change-log.ts';

/** People in line for any of a source's practitioners, now. */
export const countWaiting = async (sql: Queryable, sourceId: SourceId): Promise<number> => {
	const [row] = await sql<{ count: number }[]>`
		select count(*)::int as count from waiting_entries e
		where e.state <> 'paused' and exists (select 1 from schedules c
			where c.source_id = ${sourceId} and may_want(e, c))`;
	return row?.count ?? 0;
};

/** One count at a time in the whole system, until the transaction ends. */
export const tryLockCounting = async (tx: Tx): Promise<boolean> => {
	const [row] = await tx<{ locked: boolean }[]>`
		select pg_try_advisory_xact_lock(hashtextextended('waiting counts', 2)) as locked`;
	return row?.locked === true;
};

type Count = { readonly id: SourceId; readonly count: number };

/**
 * Sources of which another number was told last. Wishes that are the same are counted once, and
 * matched with schedules by their fields and regions, so that a long line costs no more than a short one.
 */
const listChangedCounts = (tx: Tx): Promise<Count[]> => tx<Count[]>`
	with wishes as materialized (
		select specialty, region, schedule_id, count(*)::int as people,
			row_number() over () as nr
		from waiting_entries where state <> 'paused' group by 1, 2, 3
	), near as materialized (
		select id, source_id, specialty_ids, regions from schedules
		where specialty_ids && (select array_agg(distinct specialty) from wishes)
	), wanted as (
		select distinct c.source_id, w.nr, w.people
		from near c cross join unnest(c.specialty_ids) s (name)
		join wishes w on w.specialty = s.name
			and (cardinality(c.regions) = 0 or w.region = any (c.regions))
			and (w.schedule_id is null or w.schedule_id = c.id)
	), counted as (
		select source_id, sum(people)::int as people from wanted group by source_id
	)
	select o.id, coalesce(n.people, 0) as count
	from sources o left join counted n on n.source_id = o.id
	where o.removed_at is null and o.waiting_count <> coalesce(n.people, 0)
	order by o.id limit 1000`;

/** G15: tells the consoles whose number changed; publish the entries after the commit. */
export const tellWaitingCounts = async (tx: Tx): Promise<RoomEntry<unknown>[]> => {
	const changed = await listChangedCounts(tx);
	if (changed.length === 0) return [];
	await tx`
		update sources o set waiting_count = x.count
		from json_to_recordset(${JSON.stringify(changed)}::text::json) as x (id bigint, count int)
		where o.id = x.id`;
	const rooms = await roomIds(
		tx,
		changed.map(({ id }) => clinicRoom(id))
	);
	const news = new Map<RoomId, ClinicChange[]>();
	for (const { id, count } of changed) {
		news.set(must(rooms.get(clinicRoom(id)), 'room'), [{ kind: 'waiting', count }]);
	}
	return await appendChanges(tx, news);
};
