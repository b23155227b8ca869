// The change log: numbered entries of every room, written in the transaction of what they tell.
// A room's numbers have no holes, because its counter row is locked until the commit; counters are
// taken last and in ascending order, so that transactions do not wait for each other in a ring.
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import { RoomId } from '#domain/ids.ts';
import { MAX_CHANGES_PER_ENTRY } from '#domain/protocol.ts';
import type { ClinicChange, RoomEntry, WireChange } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import type { RoomName } from '#domain/room.ts';
import type { SlotStatus } from '#domain/slot.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';
import { wireChangeOf, wireViewOf } from './wire.ts';

export type RoomChanges = ReadonlyMap<RoomId, readonly (WireChange | ClinicChange)[]>;

export type RoomNews = Map<RoomId, WireChange[]>;

/** Adds a change to what each of the rooms will be told. */
export const tell = (news: RoomNews, rooms: readonly RoomId[], change: WireChange): void => {
	for (const room of rooms) {
		const changes = news.get(room);
		if (changes === undefined) news.set(room, [change]);
		else changes.push(change);
	}
};

/**
 * Ids of rooms by name; rooms that nobody has named before are made. Call it before
 * `appendChanges`: making a room may wait for a transaction that makes the same one.
 */
export const roomIds = async (
	sql: Queryable,
	names: readonly RoomName[]
): Promise<Map<RoomName, RoomId>> => {
	const wanted = [...new Set(names)].toSorted();
	if (wanted.length === 0) return new Map();
	const read = () =>
		sql<{ id: number; name: RoomName }[]>`select id, name from rooms where name = any(${wanted})`;
	let rows = await read();
	if (rows.length < wanted.length) {
		await sql`insert into rooms (name) select unnest(${wanted}::text[])
			on conflict (name) do nothing`;
		rows = await read();
	}
	return new Map(rows.map((row) => [row.name, RoomId.parse(row.id)]));
};

const inParts = <T>(list: readonly T[], size: number): T[][] => {
	const parts: T[][] = [];
	for (let at = 0; at < list.length; at += size) parts.push(list.slice(at, at + size));
	return parts;
};

/**
 * Numbers and writes the changes. The last statement of its transaction, called once: whoever
 * needs rooms of several kinds passes them together. Publish what it returns after the commit.
 */
export const appendChanges = async (tx: Tx, perRoom: RoomChanges): Promise<RoomEntry[]> => {
	const ids = [...perRoom].filter(([, changes]) => changes.length > 0).map(([id]) => id);
	if (ids.length === 0) return [];
	const rooms = await tx<{ id: RoomId; name: RoomName; seq: number }[]>`
		select id, name, seq from rooms where id = any(${ids}) order by id for update`;
	if (rooms.length < ids.length) throw new Error('a change names a room that does not exist');
	const heads: { id: number; seq: number }[] = [];
	const rows: { r: number; s: number; c: readonly unknown[] }[] = [];
	const entries: RoomEntry[] = [];
	for (const room of rooms) {
		let seq = room.seq;
		const changes = must(perRoom.get(room.id), 'changes of a room');
		for (const part of inParts(changes, MAX_CHANGES_PER_ENTRY)) {
			seq += 1;
			rows.push({ r: room.id, s: seq, c: part });
			entries.push({ room: room.name, seq, changes: part as readonly WireChange[] });
		}
		heads.push({ id: room.id, seq });
	}
	await tx`
		with bumped as (
			update rooms set seq = h.seq
			from json_to_recordset(${JSON.stringify(heads)}::text::json) as h(id bigint, seq bigint)
			where rooms.id = h.id
		)
		insert into change_log (room_id, seq, changes)
		select e.r, e.s, e.c
		from json_to_recordset(${JSON.stringify(rows)}::text::json) as e(r bigint, s bigint, c jsonb)`;
	return entries;
};

type SlotRow = {
	readonly id: SlotId;
	readonly schedule_id: ScheduleId;
	readonly starts_at: Instant;
	readonly ends_at: Instant;
	readonly status: SlotStatus;
	readonly remaining: number;
	readonly is_removed: boolean;
	readonly live_claims: number;
	readonly room_ids: readonly RoomId[];
};

/**
 * Logs the present state of slots that this transaction changed, into all rooms of their
 * schedules; `extra` are changes of other rooms (the clinic's) of the same transaction. The last
 * statement of its transaction, like `appendChanges`.
 */
export const appendSlotChanges = async (
	tx: Tx,
	slotIds: readonly SlotId[],
	extra: RoomChanges = new Map()
): Promise<RoomEntry[]> => {
	const rows = await tx<SlotRow[]>`
		select s.id, s.schedule_id, s.starts_at, s.ends_at, s.status, s.remaining,
			s.removed_at is not null as is_removed,
			(select count(*) from unnest(s.claim_untils) u where u > clock_timestamp()) as live_claims,
			c.room_ids
		from slots s join schedules c on c.id = s.schedule_id
		where s.id = any(${[...slotIds]})
		order by s.id`;
	const perRoom = new Map<RoomId, (WireChange | ClinicChange)[]>();
	for (const [room, changes] of extra) perRoom.set(room, [...changes]);
	for (const row of rows) {
		const change = wireChangeOf(
			{
				id: row.id,
				scheduleId: row.schedule_id,
				startsAt: row.starts_at,
				endsAt: row.ends_at
			},
			wireViewOf({
				status: row.status,
				remaining: row.remaining,
				isRemoved: row.is_removed,
				liveClaims: row.live_claims
			})
		);
		for (const room of row.room_ids) {
			const changes = perRoom.get(room);
			if (changes === undefined) perRoom.set(room, [change]);
			else changes.push(change);
		}
	}
	return await appendChanges(tx, perRoom);
};

/** The newest number of each room; a room that nobody named yet stands at 0. One query. */
export const readHeads = async (
	sql: Queryable,
	rooms: readonly RoomName[]
): Promise<Map<RoomName, number>> => {
	const heads = new Map<RoomName, number>(rooms.map((room) => [room, 0]));
	if (rooms.length === 0) return heads;
	const rows = await sql<{ name: RoomName; seq: number }[]>`
		select name, seq from rooms where name = any(${[...rooms]})`;
	for (const row of rows) heads.set(row.name, row.seq);
	return heads;
};

export type LogPart = {
	readonly entries: RoomEntry[];
	/** When the newest of them was written; null = there is none. */
	readonly newestAt: Instant | null;
};

/** As `readEntries`, with the time of the newest entry. */
export const readLog = async (
	sql: Queryable,
	room: RoomName,
	afterSeq: number,
	limit: number
): Promise<LogPart | null> => {
	type Row = { head: number; seq: number | null; at: Instant; changes: WireChange[] };
	const rows = await sql<Row[]>`
		select r.seq as head, l.seq, l.at, l.changes
		from rooms r left join lateral (
			select seq, at, changes from change_log
			where room_id = r.id and seq > ${afterSeq} order by seq limit ${limit}
		) l on true
		where r.name = ${room}
		order by l.seq`;
	const head = rows[0]?.head ?? 0;
	if (afterSeq === head) return { entries: [], newestAt: null };
	const entries: RoomEntry[] = [];
	for (const row of rows) {
		if (row.seq !== afterSeq + entries.length + 1) return null;
		entries.push({ room, seq: row.seq, changes: row.changes });
	}
	return entries.length === 0 ? null : { entries, newestAt: rows.at(-1)?.at ?? null };
};

/**
 * Entries after `afterSeq`, oldest first, at most `limit`. null = they cannot be told: the log no
 * longer reaches back so far, or the position is not of this log.
 */
export const readEntries = async (
	sql: Queryable,
	room: RoomName,
	afterSeq: number,
	limit: number
): Promise<RoomEntry[] | null> => (await readLog(sql, room, afterSeq, limit))?.entries ?? null;
