// The waiting list in Postgres: who stands in line, for what, and which hold is their offer.
import type { DeviceKey, HoldId, ScheduleId, SlotId, WaitingId } from '#domain/ids.ts';
import { checkInsurance } from '#domain/insurance.ts';
import type { Instant } from '#domain/time.ts';
import type { FreeTime, WaitingCriteria, Waiter, WaitingView } from '#domain/waiting.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';

const criteriaObject = (sql: Queryable) => sql`
	jsonb_build_object(
		'specialty', e.specialty, 'region', e.region, 'scheduleId', e.schedule_id,
		'kinds', e.kinds, 'plan', e.plan, 'language', e.language,
		'dayPart', e.day_part, 'zone', e.zone
	) as criteria`;

export const insertWaiting = async (
	tx: Tx,
	device: DeviceKey,
	id: WaitingId,
	criteria: WaitingCriteria
): Promise<void> => {
	await tx`
		insert into waiting_entries
			(id, device_key, specialty, region, schedule_id, kinds, plan, language, day_part, zone)
		values (${id}, ${device}, ${criteria.specialty}, ${criteria.region},
			${criteria.scheduleId}, ${[...criteria.kinds]}::text[], ${criteria.plan},
			${criteria.language}, ${criteria.dayPart}, ${criteria.zone})`;
};

type Row = Omit<WaitingView, 'offer'> & {
	readonly holdId: HoldId | null;
	readonly slotId: SlotId;
	readonly offeredScheduleId: ScheduleId;
	readonly practitionerName: string;
	readonly zone: string;
	readonly startsAt: Instant;
	readonly ttlMs: number;
	readonly planIds: readonly string[] | null;
};

const viewOf = ({ id, criteria, state, joinedAt, ahead, ...row }: Row): WaitingView => ({
	id,
	criteria,
	// An offer that just ran out is one no more, although nobody settled it yet.
	state: state === 'offered' && row.holdId === null ? 'waiting' : state,
	joinedAt,
	ahead,
	offer:
		row.holdId === null
			? null
			: {
					holdId: row.holdId,
					slotId: row.slotId,
					scheduleId: row.offeredScheduleId,
					practitionerName: row.practitionerName,
					zone: row.zone,
					startsAt: row.startsAt,
					ttlMs: row.ttlMs,
					insurance: checkInsurance(row.planIds, criteria.plan)
				}
});

/** The lists a device stands in, the oldest first. */
export const readWaiting = async (sql: Queryable, device: DeviceKey): Promise<WaitingView[]> => {
	const rows = await sql<Row[]>`
		select e.id, e.state, e.joined_at as "joinedAt", ${criteriaObject(sql)},
			(select count(distinct o.device_key)::int from waiting_entries o
				where o.nr < e.nr and o.state <> 'paused' and o.device_key <> e.device_key
					and (o.specialty, o.region) = (e.specialty, e.region)
					and (o.schedule_id is null or e.schedule_id is null
						or o.schedule_id = e.schedule_id)
				or o.nr < e.nr and o.state <> 'paused' and o.device_key <> e.device_key
					and exists (select 1 from schedules c where may_want(e, c) and may_want(o, c))
			) as ahead,
			h.id as "holdId", h.slot_id as "slotId", c.id as "offeredScheduleId",
			c.practitioner_name as "practitionerName", c.zone, s.starts_at as "startsAt",
			c.plan_ids as "planIds",
			greatest(0, extract(epoch from h.expires_at - clock_timestamp()) * 1000)::bigint as "ttlMs"
		from waiting_entries e
		left join holds h on h.id = e.hold_id and h.state = 'held'
			and h.expires_at > clock_timestamp()
		left join slots s on s.id = h.slot_id
		left join schedules c on c.id = s.schedule_id
		where e.device_key = ${device} order by e.nr`;
	return rows.map(viewOf);
};

type Leaving = { readonly holdId: HoldId | null };

/** Takes an entry off the list; the hold that was its offer, if any, is the caller's to release. */
export const deleteWaiting = async (
	sql: Queryable,
	device: DeviceKey,
	id: WaitingId
): Promise<Leaving | null> => {
	const [row] = await sql<Leaving[]>`
		delete from waiting_entries where id = ${id} and device_key = ${device}
		returning hold_id as "holdId"`;
	return row ?? null;
};

/** G8: back in the old place of the line. */
export const resumeWaiting = async (
	sql: Queryable,
	device: DeviceKey,
	id: WaitingId
): Promise<boolean> => {
	const rows = await sql`
		update waiting_entries set lapses = 0,
			state = case when state = 'paused' then 'waiting' else state end
		where id = ${id} and device_key = ${device} returning 1`;
	return rows.length > 0;
};

/** Looks up what became of the offers; how many were settled. */
export const settleOffers = async (sql: Queryable, maxLapses: number): Promise<number> => {
	const [row] = await sql<{ settled: number }[]>`select settle_offers(${maxLapses}) as settled`;
	return row?.settled ?? 0;
};

/** Who waits, longest first; whoever has a time kept for them already is not asked meanwhile. */
export const readLine = async (sql: Queryable, limit: number): Promise<Waiter[]> => {
	const rows = await sql<
		{ id: WaitingId; device: DeviceKey; criteria: WaitingCriteria; passed: SlotId[] }[]
	>`
		select e.id, e.device_key as device, ${criteriaObject(sql)},
			coalesce((select array_agg(p.slot_id) from waiting_passed p where p.entry_id = e.id),
				'{}') as passed
		from waiting_entries e where e.state = 'waiting' and not exists (select 1
			from waiting_entries o where o.device_key = e.device_key and o.state = 'offered')
		order by e.nr limit ${limit}`;
	return rows.map(({ passed, ...row }) => ({ ...row, passed: new Set(passed) }));
};

/**
 * The schedules that anybody in line wants. Line and calendars may both be long, so specialties and
 * regions are matched by their arrays first and each with each only for what is left.
 */
const wantedSchedules = (sql: Queryable) => sql`
	wishes as materialized (
		select distinct specialty, region, schedule_id from waiting_entries where state = 'waiting'
	), near as materialized (
		select id, specialty_ids, regions from schedules
		where specialty_ids && (select array_agg(distinct specialty) from wishes)
			and (cardinality(regions) = 0
				or regions && (select array_agg(distinct region) from wishes))
	), wanted as materialized (
		select c.id from near c, unnest(c.specialty_ids) s (name), unnest(c.regions) r (name), wishes w
		where w.specialty = s.name and w.region = r.name
			and (w.schedule_id is null or w.schedule_id = c.id)
		union
		select c.id from near c, unnest(c.specialty_ids) s (name), wishes w
		where cardinality(c.regions) = 0 and w.specialty = s.name
			and (w.schedule_id is null or w.schedule_id = c.id)
	)`;

/**
 * Free times that somebody in line would take, soonest first; only the time of day is left to the
 * caller.
 * Only of sources whose last answer is fresh enough to promise something by.
 */
export const readFreeTimes = (
	sql: Queryable,
	{ leadMs, limit }: { readonly leadMs: number; readonly limit: number }
): Promise<FreeTime[]> =>
	sql<FreeTime[]>`
		with ${wantedSchedules(sql)}
		select s.id as "slotId", s.schedule_id as "scheduleId", s.starts_at as "startsAt",
			s.remaining - live_claims(s.claim_untils, clock_timestamp()) as places,
			c.specialty_ids as "specialtyIds", c.regions,
			case when cardinality(coalesce(s.kinds, '{}')) > 0 then s.kinds else c.kinds end as kinds,
			c.languages, c.plan_ids as "planIds"
		from wanted
		join schedules c on c.id = wanted.id
		join slots s on s.schedule_id = c.id
		join sources o on o.id = c.source_id
		where s.status = 'free' and s.removed_at is null and o.enabled
			and not c.hidden @> s.starts_at
			and s.starts_at > clock_timestamp()
				+ greatest(o.min_notice, ${leadMs} * interval '1 millisecond')
			and o.checked_at > clock_timestamp() - o.fresh_for_ms * interval '1 millisecond'
			and s.remaining > live_claims(s.claim_untils, clock_timestamp())
			and exists (select 1 from waiting_entries e
				where e.state = 'waiting' and may_want(e, c)
					and (e.plan is null or cardinality(coalesce(c.plan_ids, '{}')) = 0
						or e.plan = any (c.plan_ids))
					and (e.language is null or cardinality(c.languages) = 0
						or e.language = any (c.languages))
					and (cardinality(e.kinds) = 0 or cardinality(coalesce(nullif(s.kinds, '{}'),
						c.kinds)) = 0 or e.kinds && coalesce(nullif(s.kinds, '{}'), c.kinds))
					and not exists (select 1 from waiting_passed p
						where p.entry_id = e.id and p.slot_id = s.id))
		order by s.starts_at, s.id limit ${limit}`;

/** Locks the entry while an offer is made for it; false = it waits no more. */
export const lockWaiter = async (tx: Tx, id: WaitingId): Promise<boolean> => {
	const rows = await tx`
		select 1 from waiting_entries where id = ${id} and state = 'waiting' for update`;
	return rows.length > 0;
};

export const keepOffer = async (tx: Tx, id: WaitingId, holdId: HoldId): Promise<void> => {
	await tx`update waiting_entries set state = 'offered', hold_id = ${holdId} where id = ${id}`;
};

/** One offering at a time in the whole system, until the transaction ends; false = another is at it. */
export const tryLockOffering = async (tx: Tx): Promise<boolean> => {
	const [row] = await tx<{ locked: boolean }[]>`
		select pg_try_advisory_xact_lock(hashtextextended('waiting offers', 2)) as locked`;
	return row?.locked === true;
};
