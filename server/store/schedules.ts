// Schedules of a source and the rooms in which their slots are offered.
import { roomsOf, type RoomName } from '#domain/room.ts';
import { sameSchedule, type ScheduleFact } from '#domain/schedule.ts';
import type { RoomId, ScheduleId, SourceId } from '#domain/ids.ts';
import type { HiddenSpan } from '#domain/hidden-span.ts';
import { must } from '#domain/result.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';
import { roomIds } from './change-log.ts';

/** Where a schedule's slots are told, and where that changed just now. */
export type ScheduleRooms = {
	readonly id: ScheduleId;
	/** Rooms it was in before and still is. */
	readonly stayed: readonly RoomId[];
	readonly joined: readonly RoomId[];
	readonly left: readonly RoomId[];
	/** Starts that nobody is shown (K25, E20). */
	readonly hidden: HiddenSpan | null;
	/** It was not stored like this before. */
	readonly isNews: boolean;
};

/**
 * Ids of all rooms these schedules need. Made outside the poll's transaction, because a new room
 * makes everybody wait who needs the same one; a room without entries harms nobody.
 */
export const ensureRooms = (
	sql: Queryable,
	facts: readonly ScheduleFact[]
): Promise<Map<RoomName, RoomId>> => roomIds(sql, facts.flatMap(roomsOf));

type Row = ScheduleFact & {
	readonly id: ScheduleId;
	readonly roomIds: readonly RoomId[];
	/** ms since 1970; null inside = without end. */
	readonly hidden: { readonly from: number | null; readonly to: number | null } | null;
};

const hiddenColumn = (sql: Queryable) => sql`
	case when not isempty(schedules.hidden) then jsonb_build_object(
		'from', extract(epoch from lower(schedules.hidden)) * 1000,
		'to', extract(epoch from upper(schedules.hidden)) * 1000) end as hidden`;

const spanOf = ({ hidden }: Pick<Row, 'hidden'>): HiddenSpan | null =>
	hidden === null ? null : { from: hidden.from ?? -Infinity, to: hidden.to ?? Infinity };

const readRows = (
	tx: Queryable,
	sourceId: SourceId,
	keys: readonly string[]
): Promise<readonly Row[]> => tx<Row[]>`
	select id, key, practitioner_name as "practitionerName", practitioner_npi as "practitionerNpi",
		organization_name as "organizationName", specialty_ids as "specialtyIds", regions, kinds,
		languages, plan_ids as "planIds", zone, phone, room_ids as "roomIds",
		${hiddenColumn(tx)}
	from schedules where source_id = ${sourceId} and key = any(${[...keys]})`;

type Placed = { readonly fact: ScheduleFact; readonly rooms: readonly RoomId[] };

const sameRooms = (a: readonly RoomId[], b: readonly RoomId[]): boolean =>
	a.length === b.length && a.every((room, index) => room === b[index]);

const write = async (
	tx: Tx,
	sourceId: SourceId,
	placed: readonly Placed[]
): Promise<Map<string, { readonly id: ScheduleId; readonly hidden: HiddenSpan | null }>> => {
	const json = placed.map(({ fact, rooms }) => ({ ...fact, rooms }));
	const rows = await tx<Pick<Row, 'key' | 'id' | 'hidden'>[]>`
		insert into schedules (source_id, key, practitioner_name, practitioner_npi,
			organization_name, specialty_ids, regions, kinds, languages, plan_ids, zone, phone, room_ids,
			closed)
		select ${sourceId}, x.key, x."practitionerName", x."practitionerNpi", x."organizationName",
			x."specialtyIds", x.regions, x.kinds, x.languages, x."planIds", x.zone, x.phone, x.rooms,
			-- K26: a newcomer at a clinic that has taken all of its people off is off too.
			case when (select bool_and(upper_inf(o.closed)) from schedules o
				where o.source_id = ${sourceId}) then '(,)'::tstzrange else 'empty' end
		from json_to_recordset(${JSON.stringify(json)}::text::json) as x(key text,
			"practitionerName" text, "practitionerNpi" text, "organizationName" text,
			"specialtyIds" text[], regions text[], kinds text[], languages text[], "planIds" text[],
			zone text, phone text, rooms bigint[])
		on conflict (source_id, key) do update set
			practitioner_name = excluded.practitioner_name,
			practitioner_npi = excluded.practitioner_npi,
			organization_name = excluded.organization_name,
			specialty_ids = excluded.specialty_ids, regions = excluded.regions,
			kinds = excluded.kinds, languages = excluded.languages, plan_ids = excluded.plan_ids,
			zone = excluded.zone, phone = excluded.phone, room_ids = excluded.room_ids,
			changed_at = clock_timestamp()
		returning key, id, ${hiddenColumn(tx)}`;
	return new Map(rows.map((row) => [row.key, { id: row.id, hidden: spanOf(row) }]));
};

const roomsFor = (fact: ScheduleFact, rooms: ReadonlyMap<RoomName, RoomId>): RoomId[] =>
	roomsOf(fact)
		.map((name) => must(rooms.get(name), 'room'))
		.toSorted((a, b) => a - b);

/**
 * S4: writes the schedules that differ from what is stored (a repeated key: the last one counts)
 * and tells which rooms each of `keys` and each moved one is in. Schedules of the source that
 * neither list names are left alone.
 */
export const syncSchedules = async (
	tx: Tx,
	sourceId: SourceId,
	told: { readonly facts: readonly ScheduleFact[]; readonly keys: readonly string[] },
	rooms: ReadonlyMap<RoomName, RoomId>
): Promise<Map<string, ScheduleRooms>> => {
	const facts = new Map(told.facts.map((fact) => [fact.key, fact]));
	const keys = [...new Set([...facts.keys(), ...told.keys])];
	if (keys.length === 0) return new Map();
	const rows = await readRows(tx, sourceId, keys);
	const known = new Map(rows.map((row) => [row.key, row]));
	const changed: Placed[] = [];
	for (const fact of facts.values()) {
		const row = known.get(fact.key);
		const wanted = roomsFor(fact, rooms);
		const isSame = row !== undefined && sameSchedule(row, fact) && sameRooms(row.roomIds, wanted);
		if (!isSame) changed.push({ fact, rooms: wanted });
	}
	const found = new Map<string, ScheduleRooms>();
	for (const row of rows) {
		found.set(row.key, {
			id: row.id,
			stayed: row.roomIds,
			joined: [],
			left: [],
			hidden: spanOf(row),
			isNews: false
		});
	}
	if (changed.length === 0) return found;
	const ids = await write(tx, sourceId, changed);
	for (const { fact, rooms: now } of changed) {
		const before = known.get(fact.key)?.roomIds ?? [];
		const isNew = !known.has(fact.key);
		const { id, hidden } = must(ids.get(fact.key), 'schedule');
		found.set(fact.key, {
			id,
			// Nobody was told of a new schedule: its slots are ordinary news, not a move.
			stayed: isNew ? now : now.filter((room) => before.includes(room)),
			joined: isNew ? [] : now.filter((room) => !before.includes(room)),
			left: before.filter((room) => !now.includes(room)),
			hidden,
			isNews: true
		});
	}
	return found;
};
