// Reading the board: rooms' positions, providers and their times out of one snapshot of the
// database, so that what a viewer is shown and the number it continues from belong together.
import type { VisitKind } from '#domain/codes.ts';
import type { ScheduleId, SlotId, SourceId } from '#domain/ids.ts';
import type { WireSlot } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import { slotStates } from '#domain/slot.ts';
import { MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';

/** One read-only snapshot for all statements of `work`. */
export const withSnapshot = <T>(sql: Sql, work: (tx: Tx) => Promise<T>): Promise<T> =>
	sql.begin('isolation level repeatable read read only', work) as Promise<T>;

export type SnapshotPoint = {
	readonly epoch: string;
	readonly asOf: Instant;
	readonly heads: Readonly<Record<RoomName, number>>;
};

/** Epoch, the database's time, and the position of every named room (0 = nothing logged yet). */
export const readPoint = async (
	sql: Queryable,
	rooms: readonly RoomName[]
): Promise<SnapshotPoint> => {
	const [row] = await sql<{ epoch: string | null; asOf: Instant; heads: Record<string, number> }[]>`
		select (select epoch from epochs) as epoch, clock_timestamp() as "asOf",
			coalesce((select jsonb_object_agg(name, seq) from rooms where name = any (${[...rooms]})), '{}')
				as heads`;
	if (row === undefined) throw new Error('no snapshot point');
	const heads = Object.fromEntries(rooms.map((room) => [room, row.heads[room] ?? 0]));
	return { epoch: row.epoch ?? '', asOf: row.asOf, heads };
};

export type ScheduleRow = {
	readonly id: ScheduleId;
	readonly sourceId: SourceId;
	readonly practitionerName: string;
	readonly organizationName: string;
	readonly kinds: readonly VisitKind[];
	readonly languages: readonly string[];
	readonly regions: readonly string[];
	readonly specialtyIds: readonly string[];
	readonly planIds: readonly string[] | null;
	readonly zone: string;
	readonly phone: string | null;
	readonly booking: 'fhir' | 'link' | 'phone';
	/** When its source last gave a good answer; null = never. */
	readonly checkedAt: Instant | null;
	readonly freshForMs: number;
	/** Its clinic has taken it off (K26), or a twin is shown instead (E20). */
	readonly isOff: boolean;
	/** K25: until then it takes no more visits here; null = it takes them. */
	readonly closedUntil: Instant | null;
};

const scheduleColumns = (sql: Queryable) => sql`
	c.id, c.source_id as "sourceId", c.practitioner_name as "practitionerName",
	c.organization_name as "organizationName", c.kinds, c.languages, c.regions,
	c.specialty_ids as "specialtyIds", c.plan_ids as "planIds", c.zone, c.phone, o.booking,
	o.checked_at as "checkedAt", o.fresh_for_ms as "freshForMs", upper_inf(c.hidden) as "isOff",
	case when c.hidden @> clock_timestamp() then upper(c.hidden) end as "closedUntil"`;

/**
 * Providers whose times are offered in any of the rooms. Those of a paused source stay, with their age
 * (E7); those of a removed one are in no room.
 */
export const readSchedulesOfRooms = (
	sql: Queryable,
	rooms: readonly RoomName[]
): Promise<ScheduleRow[]> =>
	sql<ScheduleRow[]>`
		select ${scheduleColumns(sql)}
		from schedules c join sources o on o.id = c.source_id
		where c.room_ids && (select coalesce(array_agg(id), '{}') from rooms
				where name = any (${[...rooms]}))
		order by c.id`;

export const readSchedulesById = (
	sql: Queryable,
	ids: readonly ScheduleId[]
): Promise<ScheduleRow[]> =>
	sql<ScheduleRow[]>`
		select ${scheduleColumns(sql)}
		from schedules c join sources o on o.id = c.source_id
		where c.id = any (${[...ids]}::bigint[]) order by c.id`;

export type Neighbourhood = {
	/** The database's time of this reading. */
	readonly asOf: Instant;
	/** Of the slot asked about. */
	readonly scheduleId: ScheduleId;
	readonly minute: number;
	/** Providers offered in the rooms. */
	readonly rows: readonly ScheduleRow[];
};

/**
 * Where to look for other times than a slot's: its own schedule's rooms, or `rooms`. One statement,
 * because each one who lost a race asks; undefined = never heard of the slot, or nobody is in the
 * rooms.
 */
export const readNeighbourhood = async (
	sql: Queryable,
	slotId: SlotId,
	rooms: readonly RoomName[] | null
): Promise<Neighbourhood | undefined> => {
	type Row = ScheduleRow & { asOf: Instant; wantedSchedule: ScheduleId; minute: number };
	const found = await sql<Row[]>`
		select ${scheduleColumns(sql)}, clock_timestamp() as "asOf", w.schedule_id as "wantedSchedule",
			w.minute
		from (
			select s.schedule_id, start_minute(s.starts_at)::integer as minute,
				${
					rooms === null
						? sql`(select k.room_ids from schedules k where k.id = s.schedule_id)`
						: sql`(select coalesce(array_agg(id), '{}') from rooms
							where name = any (${[...rooms]}))`
				} as room_ids
			from slots s where s.id = ${slotId} offset 0
		) w
		join schedules c on c.room_ids && w.room_ids
		join sources o on o.id = c.source_id
		order by c.id`;
	const [first] = found;
	if (first === undefined) return undefined;
	const rows = found.map(({ asOf: _at, wantedSchedule: _id, minute: _minute, ...row }) => row);
	return { asOf: first.asOf, scheduleId: first.wantedSchedule, minute: first.minute, rows };
};

/** Nearly every slot has no claims: those are spared the call. */
const liveClaims = (sql: Queryable, at: Instant) => sql`
	case when s.claim_untils = '{}' then 0 else live_claims(s.claim_untils, ${at}) end`;

const wireColumns = (sql: Queryable, at: Instant) => sql`
	s.id, s.schedule_id, start_minute(s.starts_at)::integer, slot_minutes(s.starts_at, s.ends_at),
	slot_state(s.status, s.remaining, ${liveClaims(sql, at)}, s.removed_at is not null) as state,
	case when s.status = 'free' and s.removed_at is null
		then greatest(0, s.remaining - ${liveClaims(sql, at)}) else 0 end as places`;

/** Rows as positional arrays: exactly what travels. */
const asWire = (rows: unknown): readonly WireSlot[] => rows as readonly WireSlot[];

/** Open and held times of these schedules that start in (at, at + windowMs), soonest first. */
export const readOpenSlots = async (
	sql: Queryable,
	schedules: readonly ScheduleId[],
	at: Instant,
	windowMs: number
): Promise<readonly WireSlot[]> =>
	schedules.length === 0
		? []
		: asWire(
				await sql`
					select ${wireColumns(sql, at)}
					from slots s join sources o on o.id = s.source_id
						join schedules c on c.id = s.schedule_id
					where s.schedule_id = any (${[...schedules]}::bigint[])
						and s.removed_at is null and not c.hidden @> s.starts_at
						and s.starts_at > ${at}::timestamptz + o.min_notice
						and s.starts_at < ${at}::timestamptz + ${windowMs} * interval '1 millisecond'
						and ((s.status = 'free' and s.remaining > 0) or s.status = 'busy-tentative')
					order by s.starts_at, s.id`.values()
			);

/** One slot, in whatever state (0 = no longer listed, or hidden); undefined = never heard of it. */
export const readWireSlot = async (
	sql: Queryable,
	id: SlotId,
	at: Instant
): Promise<WireSlot | undefined> =>
	asWire(
		await sql`
			select id, schedule_id, start_minute, slot_minutes,
				case when state = ${slotStates.open} and is_hidden then 0 else state end, places
			from (
				select ${wireColumns(sql, at)}, c.hidden @> s.starts_at as is_hidden
				from slots s join schedules c on c.id = s.schedule_id where s.id = ${id}
			) slot`.values()
	)[0];

const wantedAt = (minute: number): Instant => toInstant(minute * MINUTE_MS);

const isOpen = (sql: Queryable, at: Instant) => sql`
	s.schedule_id = k.id and s.removed_at is null and s.status = 'free'
	and s.starts_at > ${at}::timestamptz + o.min_notice
	and ${liveClaims(sql, at)} < s.remaining and not k.hidden @> s.starts_at`;

/** Open times near an instant: those of `first` before all others, then by distance. */
export const readNearestSlots = async (
	sql: Queryable,
	near: {
		readonly schedules: readonly ScheduleId[];
		readonly first: ScheduleId;
		readonly minute: number;
		readonly at: Instant;
		readonly limit: number;
	}
): Promise<readonly WireSlot[]> =>
	asWire(
		await sql`
			select ${wireColumns(sql, near.at)}
			from schedules k join sources o on o.id = k.source_id
			cross join lateral (
				(select s.* from slots s
				where ${isOpen(sql, near.at)} and s.starts_at >= ${wantedAt(near.minute)}
				order by s.starts_at, s.id limit ${near.limit})
				union all
				(select s.* from slots s
				where ${isOpen(sql, near.at)} and s.starts_at < ${wantedAt(near.minute)}
				order by s.starts_at desc, s.id limit ${near.limit})
			) s
			where k.id = any (${[...near.schedules]}::bigint[])
			order by s.schedule_id <> ${near.first},
				abs(start_minute(s.starts_at) - ${near.minute}), s.starts_at, s.id
			limit ${near.limit}`.values()
	);
