// Closings in Postgres: which schedules of a clinic take no (more) visits here, and what viewers are
// told when that changes. No patient is read here.
import type { ClinicSchedule, Closing } from '#domain/closing.ts';
import type { ScheduleId, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';
import { appendAudit } from './audit.ts';
import { tellHidden, type Rehidden } from './hidden-times.ts';

/** Midnight before and after now, where the schedule is. */
const today = (sql: Queryable) => sql`
	tstzrange(date_trunc('day', clock_timestamp(), c.zone),
		((clock_timestamp() at time zone c.zone)::date + 1)::timestamp at time zone c.zone)`;

/** More than this do not stand on a page. */
const MAX_SCHEDULES = 500;

export const listClinicSchedules = (sql: Queryable, source: SourceId): Promise<ClinicSchedule[]> =>
	sql<ClinicSchedule[]>`
		select c.id, c.practitioner_name as "practitionerName", c.zone,
			case when upper_inf(c.closed) then 'off'
				when c.closed @> clock_timestamp() then 'today' end as closing,
			(select count(*)::int from slots s
				where s.schedule_id = c.id and s.removed_at is null and s.status = 'free'
					and s.starts_at > clock_timestamp() and s.starts_at <@ ${today(sql)}
					and live_claims(s.claim_untils, clock_timestamp()) < s.remaining) as "openToday"
		from schedules c where c.source_id = ${source}
		order by c.practitioner_name, c.id limit ${MAX_SCHEDULES}`;

export const isOwnSchedule = async (
	sql: Queryable,
	source: SourceId,
	schedule: ScheduleId
): Promise<boolean> => {
	const rows = await sql`
		select 1 from schedules where id = ${schedule} and source_id = ${source}`;
	return rows.length > 0;
};

const writeClosing = (
	tx: Tx,
	wish: { readonly source: SourceId; readonly schedule: ScheduleId | null },
	closing: Closing | null
): Promise<Rehidden[]> => tx<Rehidden[]>`
	with wanted as (
		select c.id, c.hidden as before, case ${closing}::text
			when 'today' then ${today(tx)} when 'off' then '(,)'::tstzrange else 'empty' end as closed
		from schedules c
		where c.source_id = ${wish.source}
			and (${wish.schedule}::bigint is null or c.id = ${wish.schedule})
	)
	update schedules c set closed = w.closed from wanted w
	where c.id = w.id and w.closed <> c.closed
	returning c.id, c.room_ids as "roomIds", w.before::text, c.hidden::text as after`;

export type ClosingDone = {
	readonly touched: readonly ScheduleId[];
	readonly entries: readonly RoomEntry[];
};

/**
 * K25: closes (or, with null, opens) one schedule of a clinic, or all of them. Locks the source
 * first, as polls and pushes do, so that none of them tells of a time in between.
 */
export const setClosing = async (
	tx: Tx,
	wish: { readonly source: SourceId; readonly schedule: ScheduleId | null },
	closing: Closing | null
): Promise<ClosingDone> => {
	await tx`select 1 from sources where id = ${wish.source} for no key update`;
	const touched = await writeClosing(tx, wish, closing);
	if (touched.length === 0) return { touched: [], entries: [] };
	const objects = touched.map(({ id }) => `schedule:${id}` as const);
	const action = closing === null ? 'schedule_opened' : 'schedule_closed';
	await appendAudit(tx, `clinic:${wish.source}`, action, objects);
	return { touched: touched.map(({ id }) => id), entries: await tellHidden(tx, touched) };
};
