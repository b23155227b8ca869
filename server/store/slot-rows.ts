// Reading and writing many slots of one source at once: the rows behind a poll's commit.
import type { ScheduleId, SlotId, SourceId } from '#domain/ids.ts';
import type { SlotFact, SlotKey } from '#domain/slot.ts';
import type { Tx } from '../platform/postgres.ts';
import { VERSION_TRUST_MS, type SlotBefore, type SlotOutcome } from './slot-outcome.ts';
import type { SlotFacts, SlotTimes } from './wire.ts';

/** Rows in one statement: keeps its text below a few megabytes. */
const ROWS_PER_STATEMENT = 5_000;

const inParts = <T>(list: readonly T[]): T[][] => {
	const parts: T[][] = [];
	for (let at = 0; at < list.length; at += ROWS_PER_STATEMENT) {
		parts.push(list.slice(at, at + ROWS_PER_STATEMENT));
	}
	return parts;
};

/** A locked slot that is told and not judged. */
export type UpcomingSlot = SlotTimes & SlotFacts;

export type LockedSlot = UpcomingSlot & SlotBefore & { readonly key: SlotKey };

/** Locks the source's slots under these keys, in ascending id, until the transaction ends. */
export const lockSlots = async (
	tx: Tx,
	source: { readonly id: SourceId; readonly since: string; readonly keepsPushed: boolean },
	keys: readonly SlotKey[]
): Promise<Map<SlotKey, LockedSlot>> => {
	const found = new Map<SlotKey, LockedSlot>();
	for (const part of inParts(keys)) {
		const rows = await tx<LockedSlot[]>`
			select id, key, schedule_id as "scheduleId", starts_at as "startsAt", ends_at as "endsAt",
				status, remaining, removed_at is not null as "isRemoved",
				(select count(*)::int from unnest(claim_untils) u where u > clock_timestamp())
					as "liveClaims",
				own_changed_at > ${source.since}::text::timestamptz as "isOwnNewer",
				${source.keepsPushed} and pushed_at > ${source.since}::text::timestamptz
					as "isPushNewer", version, source_slot_id as "sourceSlotId",
				changed_at > clock_timestamp() - ${VERSION_TRUST_MS} * interval '1 millisecond'
					as "isRecent"
			from slots where source_id = ${source.id} and key = any(${part})
			order by id for update`;
		for (const row of rows) found.set(row.key, row);
	}
	return found;
};

/** Short names, because they are repeated for each row of a statement's text. */
const factJson = (fact: SlotFact) => ({
	st: fact.status,
	c: fact.capacity,
	r: fact.remaining,
	i: fact.sourceSlotId,
	v: fact.version,
	k: fact.kinds,
	u: fact.bookUrl,
	p: fact.bookPhone
});

export type NewSlot = {
	readonly key: SlotKey;
	readonly scheduleId: ScheduleId;
	readonly fact: SlotFact;
};

export const insertSlots = async (
	tx: Tx,
	sourceId: SourceId,
	slots: readonly NewSlot[]
): Promise<Map<SlotKey, SlotId>> => {
	const ids = new Map<SlotKey, SlotId>();
	for (const part of inParts(slots)) {
		const json = part.map(({ key, scheduleId, fact }) => ({
			...factJson(fact),
			y: key,
			sc: scheduleId,
			sv: fact.service,
			a: fact.startsAt,
			z: fact.endsAt
		}));
		const rows = await tx<{ id: SlotId; key: SlotKey }[]>`
			insert into slots (source_id, schedule_id, key, service, starts_at, ends_at, status,
				capacity, remaining, source_slot_id, version, kinds, book_url, book_phone)
			select ${sourceId}, x.sc, x.y, x.sv, to_timestamp(x.a / 1000.0),
				to_timestamp(x.z / 1000.0), x.st, x.c, x.r, x.i, x.v, x.k, x.u, x.p
			from json_to_recordset(${JSON.stringify(json)}::text::json) as x(sc bigint, y text,
				sv text, a bigint, z bigint, st text, c int, r int, i text, v text, k text[], u text,
				p text)
			returning id, key`;
		for (const row of rows) ids.set(row.key, row.id);
	}
	return ids;
};

export type SlotUpdate = {
	readonly id: SlotId;
	/** null = no longer listed. */
	readonly fact: SlotFact | null;
	readonly takenAt: SlotOutcome['takenAt'];
};

export const updateSlots = async (tx: Tx, updates: readonly SlotUpdate[]): Promise<void> => {
	const told = updates.filter((update) => update.fact !== null);
	for (const part of inParts(told)) {
		const json = part.map(({ id, fact, takenAt }) => ({
			...(fact === null ? {} : factJson(fact)),
			id,
			t: takenAt
		}));
		await tx`
			update slots set status = x.st, capacity = x.c, remaining = x.r, source_slot_id = x.i,
				version = x.v, kinds = x.k, book_url = x.u, book_phone = x.p, removed_at = null,
				taken_at = case x.t when 'now' then clock_timestamp() when 'keep' then taken_at end,
				changed_at = clock_timestamp()
			from json_to_recordset(${JSON.stringify(json)}::text::json) as x(id bigint, st text,
				c int, r int, i text, v text, k text[], u text, p text, t text)
			where slots.id = x.id`;
	}
	for (const part of inParts(updates.filter((update) => update.fact === null))) {
		const closed = part.filter((update) => update.takenAt === 'now').map(({ id }) => id);
		await tx`
			update slots set removed_at = clock_timestamp(), changed_at = clock_timestamp(),
				taken_at = case when id = any(${closed}) then clock_timestamp() else taken_at end
			where id = any(${part.map(({ id }) => id)})`;
	}
};

/**
 * S10: where the source calls a slot not free or lists it no longer (`isBusy`), claims of bookings
 * that stand are dropped: the source knows them now. Claims of bookings that are not settled yet stay.
 */
export const dropKnownClaims = async (
	tx: Tx,
	sourceId: SourceId,
	isBusy: (key: SlotKey) => boolean
): Promise<void> => {
	const claims = await tx<{ slotId: SlotId; key: SlotKey; fence: number }[]>`
		select s.id as "slotId", s.key, b.fence
		from bookings b join slots s on s.id = b.slot_id
		where b.source_id = ${sourceId} and b.starts_at > clock_timestamp() and b.state = 'booked'
			and b.fence = any(s.claim_fences)
		order by s.id`;
	for (const claim of claims.filter(({ key }) => isBusy(key))) {
		await tx`
			update slots set (claim_fences, claim_untils) = (
				select coalesce(array_agg(c.fence order by c.fence), '{}'),
					coalesce(array_agg(c.until order by c.fence), '{}')
				from unnest(claim_fences, claim_untils) as c (fence, until)
				where c.fence <> ${claim.fence}
			)
			where id = ${claim.slotId}`;
	}
};

/**
 * Upcoming slots of schedules that move between rooms. Locked, so that a hold under way is told
 * where its schedule goes: the move waits for it, or it for the move.
 */
export const readUpcoming = (
	tx: Tx,
	scheduleIds: readonly ScheduleId[]
): Promise<readonly UpcomingSlot[]> => tx<UpcomingSlot[]>`
	select id, schedule_id as "scheduleId", starts_at as "startsAt", ends_at as "endsAt",
		status, remaining, false as "isRemoved",
		(select count(*)::int from unnest(claim_untils) u where u > clock_timestamp()) as "liveClaims"
	from slots
	where schedule_id = any(${[...scheduleIds]}) and removed_at is null
		and starts_at > clock_timestamp()
	order by id for update`;
