// What the store knows of a source's slots: the other side of the diff. Slots that were removed or
// have begun are no part of it, so a source that still lists them adds nothing and removes nothing.
import type { VisitKind } from '#domain/codes.ts';
import type { SourceId } from '#domain/ids.ts';
import type { SlotFact, SlotKey, SlotStatus } from '#domain/slot.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable } from '../platform/postgres.ts';

type Row = {
	readonly key: SlotKey;
	readonly schedule_key: string;
	readonly starts_at: Instant;
	readonly ends_at: Instant;
	readonly service: string;
	readonly status: SlotStatus;
	readonly capacity: number;
	readonly remaining: number;
	readonly source_slot_id: string;
	readonly version: string;
	readonly kinds: readonly VisitKind[] | null;
	readonly book_url: string | null;
	readonly book_phone: string | null;
};

const factOf = (row: Row): SlotFact => ({
	scheduleKey: row.schedule_key,
	startsAt: row.starts_at,
	endsAt: row.ends_at,
	service: row.service,
	status: row.status,
	capacity: row.capacity,
	remaining: row.remaining,
	sourceSlotId: row.source_slot_id,
	version: row.version,
	kinds: row.kinds,
	bookUrl: row.book_url,
	bookPhone: row.book_phone
});

type Wanted = {
	readonly keys: readonly SlotKey[] | null;
	/** Starts in [from, to). */
	readonly window: { readonly from: Instant; readonly to: Instant } | null;
};

const readSlots = async (
	sql: Queryable,
	sourceId: SourceId,
	{ keys = null, window = null }: Partial<Wanted>
): Promise<Map<SlotKey, SlotFact>> => {
	const rows = await sql<Row[]>`
		select s.key, c.key as schedule_key, s.starts_at, s.ends_at, s.service, s.status, s.capacity,
			s.remaining, s.source_slot_id, s.version, s.kinds, s.book_url, s.book_phone
		from slots s join schedules c on c.id = s.schedule_id
		where s.source_id = ${sourceId} and s.removed_at is null
			and s.starts_at > clock_timestamp()
			${keys === null ? sql`` : sql`and s.key = any(${[...keys]})`}
			${
				window === null
					? sql``
					: sql`and s.starts_at >= ${window.from} and s.starts_at < ${window.to}`
			}`;
	return new Map(rows.map((row) => [row.key, factOf(row)]));
};

/** Every upcoming slot of a source, as it last told it; `window`: only those. */
export const readKnownSlots = (
	sql: Queryable,
	sourceId: SourceId,
	window: Wanted['window'] = null
): Promise<Map<SlotKey, SlotFact>> => readSlots(sql, sourceId, { window });

/** The upcoming slots under these keys: what a delta is compared with. */
export const readSlotsByKeys = async (
	sql: Queryable,
	sourceId: SourceId,
	keys: readonly SlotKey[]
): Promise<Map<SlotKey, SlotFact>> =>
	keys.length === 0 ? new Map() : await readSlots(sql, sourceId, { keys });

/** Upcoming slots of the window [from, to) that the source calls free: for the shrink guard. */
export const countFree = async (
	sql: Queryable,
	sourceId: SourceId,
	window: { readonly from: Instant; readonly to: Instant }
): Promise<number> => {
	const [row] = await sql<{ free: number }[]>`
		select count(*) as free from slots
		where source_id = ${sourceId} and removed_at is null and status = 'free' and remaining > 0
			and starts_at > clock_timestamp()
			and starts_at >= ${window.from} and starts_at < ${window.to}`;
	return row?.free ?? 0;
};
