// Holds: exclusive claims on places of slots, made and ended by one database function each
// (migrations/010-holds.sql), so that every hold is one statement, one transaction, one round trip.
import type { HoldState, HoldView, Overlap } from '#domain/hold.ts';
import type { DeviceKey, HoldId, RequestId, ScheduleId, SlotId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Queryable } from '../platform/postgres.ts';

export type HoldLimits = {
	readonly ttlMs: number;
	/** Live holds per device. */
	readonly maxLive: number;
	/** Holds a device may place in an hour. */
	readonly maxPerHour: number;
};

/** One device's request for one slot. */
export type HoldWish = {
	readonly device: DeviceKey;
	readonly slotId: SlotId;
	readonly requestId: RequestId;
};

export type PlacedHold =
	| {
			readonly outcome: 'granted';
			readonly hold: HoldView;
			/** Empty when the request was a repeat: its entries went out the first time. */
			readonly entries: readonly RoomEntry<unknown>[];
	  }
	| {
			readonly outcome:
				| 'slot_taken'
				| 'slot_gone'
				| 'slot_past'
				| 'too_soon'
				| 'hold_limit'
				| 'hour_limit'
				| 'request_reused';
	  };

type PlaceRow = {
	outcome: PlacedHold['outcome'];
	holdId: HoldId;
	scheduleId: ScheduleId;
	fence: number;
	state: HoldState;
	ttlMs: number;
	canExtend: boolean;
	isTaken: boolean;
	entries: RoomEntry<unknown>[];
};

/** `at` sets the instant of the decision, in tests of the very millisecond only. */
export const placeHold = async (
	sql: Queryable,
	asked: HoldWish,
	limits: HoldLimits,
	at: number | null = null
): Promise<PlacedHold> => {
	const [row] = await sql<PlaceRow[]>`
		select outcome, hold_id as "holdId", schedule_id as "scheduleId", fence, state,
			ttl_ms as "ttlMs", entries,
			-- A hold that this statement makes is not seen by it yet: null.
			state = 'held' and coalesce((select h.extended_at is null from holds h
				where h.id = hold_id), true) as "canExtend",
			coalesce((select h.is_taken from holds h where h.id = hold_id), false) as "isTaken"
		from place_hold_in_time(${asked.device}, ${asked.requestId}, ${asked.slotId}, ${limits.ttlMs},
			${limits.maxLive}, ${limits.maxPerHour},
			to_timestamp(${at}::double precision / 1000))`;
	if (row === undefined) throw new Error('place_hold_in_time() gave no row');
	if (row.outcome !== 'granted') return { outcome: row.outcome };
	const { holdId, entries, outcome: _outcome, ...rest } = row;
	const hold = { id: holdId, slotId: asked.slotId, ...rest };
	return { outcome: 'granted', hold, entries };
};

/**
 * Per wish, in their order: true = place_hold_in_time() would refuse it as taken at this moment and
 * for no other reason. Writes and locks nothing, so a crowd of losers costs one statement. `at` as
 * above.
 */
export const readTaken = async (
	sql: Queryable,
	wishes: readonly HoldWish[],
	limits: HoldLimits,
	at: number | null = null
): Promise<readonly boolean[]> => {
	// As JSON, of which Postgres always expects a hundred: of arrays it looks how many there are, and
	// makes a new plan each time, which takes longer than the looking.
	const listed = JSON.stringify(
		wishes.map(({ device, requestId, slotId }, nr) => ({
			device,
			request: requestId,
			slot: slotId,
			nr
		}))
	);
	const rows = await sql<{ isTaken: boolean }[]>`
		select s.id is not null and s.removed_at is null and s.status <> 'entered-in-error'
			and s.starts_at > now.at and s.starts_at - o.min_notice > now.at
			and not c.hidden @> s.starts_at
			and (s.status <> 'free' or live_claims(s.claim_untils, now.at) >= s.remaining)
			and not exists (select 1 from requests r
				where r.device_key = w.device and r.request_id = w.request)
			and (select count(*) < ${limits.maxPerHour} and count(*) filter (
					where h.state = 'held' and h.expires_at > now.at) < ${limits.maxLive}
				from holds h
				where h.device_key = w.device and h.placed_at > now.at - interval '1 hour')
			as "isTaken"
		from (select coalesce(to_timestamp(${at}::double precision / 1000), clock_timestamp()) as at
			offset 0) now
		cross join json_to_recordset(${listed}::text::json)
			as w (device text, request uuid, slot bigint, nr integer)
		left join slots s on s.id = w.slot
		left join sources o on o.id = s.source_id
		left join schedules c on c.id = s.schedule_id
		order by w.nr`;
	return rows.map((row) => row.isTaken);
};

export const releaseHold = async (
	sql: Queryable,
	device: DeviceKey,
	holdId: HoldId
): Promise<{
	readonly outcome: 'released' | 'hold_unknown' | 'hold_expired';
	readonly entries: readonly RoomEntry<unknown>[];
}> => {
	const [row] = await sql<
		{ outcome: 'released' | 'hold_unknown' | 'hold_expired'; entries: RoomEntry<unknown>[] }[]
	>`select outcome, entries from release_hold(${device}, ${holdId})`;
	if (row === undefined) throw new Error('release_hold() gave no row');
	return row;
};

export type Extension = 'extended' | 'hold_extended' | 'hold_unknown' | 'hold_expired';

/** H15. `at` sets the instant of the decision, in tests of the very millisecond only. */
export const extendHold = async (
	sql: Queryable,
	asked: { readonly device: DeviceKey; readonly holdId: HoldId; readonly ttlMs: number },
	at: number | null = null
): Promise<Extension> => {
	const [row] = await sql<{ outcome: Extension }[]>`
		select extend_hold(${asked.device}, ${asked.holdId}, ${asked.ttlMs},
			to_timestamp(${at}::double precision / 1000)) as outcome`;
	if (row === undefined) throw new Error('extend_hold() gave no row');
	return row.outcome;
};

export type EndedHold = {
	readonly holdId: HoldId;
	readonly deviceKey: DeviceKey;
	/** H43: not by time; the clinic gave it to somebody else. */
	readonly isTaken: boolean;
};

export type ExpiredHolds = {
	readonly ended: readonly EndedHold[];
	/** Slots of handed-over bookings given back to their publisher's word. */
	readonly handedBack: number;
	readonly entries: readonly RoomEntry<unknown>[];
};

/** Ends at most `limit` (500) holds whose time is over or was taken elsewhere; what others have locked waits. */
export const expireHolds = async (sql: Queryable, limit: number): Promise<ExpiredHolds> => {
	const [row] = await sql<ExpiredHolds[]>`
		select ended, handed_back as "handedBack", entries from expire_holds(${limit})`;
	if (row === undefined) throw new Error('expire_holds() gave no row');
	return row;
};

/** A device's hold, or its live holds when `holdId` is null. H1 and H2 by the database's clock. */
export const readHolds = (
	sql: Queryable,
	device: DeviceKey,
	holdId: HoldId | null
): Promise<HoldView[]> =>
	sql<HoldView[]>`
		select h.id, h.slot_id as "slotId", s.schedule_id as "scheduleId", h.fence,
			case when h.state = 'held' and h.expires_at <= now.at then 'expired' else h.state end
				as state,
			case when h.state = 'held'
				then greatest(0, extract(epoch from h.expires_at - now.at) * 1000)::bigint
				else 0 end as "ttlMs",
			h.state = 'held' and h.expires_at > now.at and h.extended_at is null as "canExtend",
			h.is_taken as "isTaken"
		from holds h
		join slots s on s.id = h.slot_id
		cross join (select clock_timestamp() as at offset 0) now
		where h.device_key = ${device}
			and (h.id = ${holdId} or (${holdId}::uuid is null
				and h.state = 'held' and h.expires_at > now.at
				and h.placed_at > now.at - interval '1 day'))
		order by h.expires_at limit 20`;

/** H17: the device's other live holds and visits that overlap the time of a hold, at most 5. */
export const readOverlaps = (
	sql: Queryable,
	device: DeviceKey,
	holdId: HoldId
): Promise<Overlap[]> =>
	sql<Overlap[]>`
		with asked as (
			select h.id, s.starts_at, s.ends_at from holds h join slots s on s.id = h.slot_id
			where h.id = ${holdId} and h.device_key = ${device}
		), others as (
			select 'held' as kind, s.starts_at, s.ends_at, s.schedule_id, h.id as hold_id
			from holds h join slots s on s.id = h.slot_id
			where h.device_key = ${device} and h.state = 'held' and h.expires_at > clock_timestamp()
				and h.placed_at > clock_timestamp() - interval '1 day'
			union all
			select 'booked', b.starts_at, b.ends_at, b.schedule_id, b.hold_id from bookings b
			where b.device_key = ${device}
				and b.shown_state in ('confirming', 'unconfirmed', 'booked', 'handed_over')
		)
		select o.kind, (extract(epoch from o.starts_at) * 1000)::bigint as "startsAt",
			c.practitioner_name as "practitionerName"
		from asked a
		join others o on o.hold_id <> a.id and o.starts_at < a.ends_at and o.ends_at > a.starts_at
		join schedules c on c.id = o.schedule_id
		order by o.starts_at, c.practitioner_name limit 5`;
