// Closings in Postgres: which schedules of a clinic take no (more) visits here, and what viewers are
// told when that changes. No patient is read here.
import type { ClinicSchedule, Closing } from '#domain/closing.ts';
import type { RoomId, ScheduleId, SlotId, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { slotStates } from '#domain/slot.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';
import { appendAudit } from './audit.ts';
import { appendChanges, tell, type RoomNews } from './change-log.ts';
import type { LockedSlot } from './slot-rows.ts';
import { goneView, wireNewsOf, wireViewOf } from './wire.ts';

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

type Touched = {
	readonly id: ScheduleId;
	readonly roomIds: readonly RoomId[];
	readonly before: string;
	readonly after: string;
};

const writeClosing = (
	tx: Tx,
	wish: { readonly source: SourceId; readonly schedule: ScheduleId | null },
	closing: Closing | null
): Promise<Touched[]> => tx<Touched[]>`
	with wanted as (
		select c.id, c.closed as before, case ${closing}::text
			when 'today' then ${today(tx)} when 'off' then '(,)'::tstzrange else 'empty' end as after
		from schedules c
		where c.source_id = ${wish.source}
			and (${wish.schedule}::bigint is null or c.id = ${wish.schedule})
	)
	update schedules c set closed = w.after from wanted w
	where c.id = w.id and w.after <> w.before
	returning c.id, c.room_ids as "roomIds", w.before::text, w.after::text`;

type MovedSlot = LockedSlot & { readonly wasClosed: boolean; readonly isClosed: boolean };

/** Slots whose being closed changed. Locked, so that a hold under way is told in its turn. */
const readMoved = (tx: Tx, touched: readonly Touched[]): Promise<MovedSlot[]> => tx<MovedSlot[]>`
	select s.id, s.key, s.schedule_id as "scheduleId", s.starts_at as "startsAt",
		s.ends_at as "endsAt", s.status, s.remaining, false as "isRemoved", false as "isOwnNewer",
		false as "isPushNewer",
		(select count(*)::int from unnest(s.claim_untils) u where u > clock_timestamp())
			as "liveClaims",
		x.before @> s.starts_at as "wasClosed", x.after @> s.starts_at as "isClosed"
	from json_to_recordset(${JSON.stringify(touched)}::text::json)
		as x (id bigint, before tstzrange, after tstzrange)
	join slots s on s.schedule_id = x.id
	where s.removed_at is null and s.starts_at > clock_timestamp()
		and (x.before @> s.starts_at) <> (x.after @> s.starts_at)
	order by s.id for update of s`;

/** Times that come back are news to those who asked to hear of openings. */
const noteReopened = async (tx: Tx, ids: readonly SlotId[]): Promise<void> => {
	if (ids.length === 0) return;
	await tx`update slots set changed_at = clock_timestamp() where id = any (${[...ids]}::bigint[])`;
};

const tellMoved = async (tx: Tx, touched: readonly Touched[]): Promise<RoomEntry[]> => {
	const rooms = new Map(touched.map(({ id, roomIds }) => [id, roomIds]));
	const news: RoomNews = new Map();
	const reopened: SlotId[] = [];
	for (const slot of await readMoved(tx, touched)) {
		const view = wireViewOf(slot);
		const change = wireNewsOf(
			slot,
			slot.wasClosed ? goneView : view,
			slot.isClosed ? goneView : view
		);
		if (change === null) continue;
		if (!slot.isClosed && view.state === slotStates.open) reopened.push(slot.id);
		tell(news, rooms.get(slot.scheduleId) ?? [], change);
	}
	await noteReopened(tx, reopened);
	return await appendChanges(tx, news);
};

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
	return { touched: touched.map(({ id }) => id), entries: await tellMoved(tx, touched) };
};
