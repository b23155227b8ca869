// Alerts: what schedules' supply was and is, running episodes, who asked to hear of them, and what
// they were told. Episodes are unique while they run; a notice is told once per episode.
import type { AlertCriteria, AlertNotice, AlertSubscription, EpisodeKind } from '#domain/alert.ts';
import type { Supply } from '#domain/availability.ts';
import { PACE_WINDOW_MS, SUPPLY_WINDOW_MS } from '#domain/availability.ts';
import type { VisitKind } from '#domain/codes.ts';
import type { AlertSubscriptionId, DeviceKey, EpisodeId, ScheduleId } from '#domain/ids.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';

export type ScheduleSupply = Supply & {
	readonly scheduleId: ScheduleId;
	readonly practitionerName: string;
	readonly specialtyIds: readonly string[];
	readonly regions: readonly string[];
	readonly kinds: readonly VisitKind[];
	readonly languages: readonly string[];
	readonly planIds: readonly string[] | null;
	/** The last answer of its source was complete and not under suspicion. */
	readonly isComplete: boolean;
	/** Open times at the last look; null = never looked. */
	readonly leftBefore: number | null;
	/** Times that became open at the source since the last look. */
	readonly newlyOpen: number;
	/** Starts of the first open times, minutes since 1970, soonest first. */
	readonly openMinutes: readonly number[];
	readonly openedEpisode: EpisodeId | null;
	readonly fillingEpisode: EpisodeId | null;
	readonly fillingSince: Instant | null;
	readonly asOf: Instant;
	/** Newest change among the schedule's slots, in the database's words (microseconds). */
	readonly seenChangeAt: string;
};

/**
 * Supply of schedules over SUPPLY_WINDOW_MS, and what is known of it from before. Times that
 * vanished while open count as taken: publishers that only list remove what was booked.
 */
export const readSupply = async (
	sql: Queryable,
	ids: readonly ScheduleId[]
): Promise<Map<ScheduleId, ScheduleSupply>> => {
	const rows = await sql<ScheduleSupply[]>`
		select c.id as "scheduleId", c.practitioner_name as "practitionerName",
			c.specialty_ids as "specialtyIds", c.regions, c.kinds, c.languages,
			c.plan_ids as "planIds", now.at as "asOf",
			(o.enabled and o.outcome = 'complete' and o.suspect is null) is true as "isComplete",
			p.left_count as "leftBefore",
			listed.open as left, listed.places + gone.places as of,
			listed.taken_lately + gone.taken_lately as "takenLately",
			least(listed.newly_open, greatest(0, listed.open - coalesce(p.left_count, listed.open)))
				as "newlyOpen",
			coalesce(listed.minutes, '{}') as "openMinutes",
			opened.id as "openedEpisode", filling.id as "fillingEpisode",
			filling.started_at as "fillingSince",
			coalesce((select max(s.changed_at) from slots s
				where s.schedule_id = c.id and s.removed_at is null), '-infinity')::text
				as "seenChangeAt"
		from schedules c
		join sources o on o.id = c.source_id
		cross join (select clock_timestamp() as at offset 0) now
		left join supplies p on p.schedule_id = c.id
		left join episodes opened on opened.schedule_id = c.id and opened.kind = 'opened'
			and opened.ended_at is null
		left join episodes filling on filling.schedule_id = c.id and filling.kind = 'filling_up'
			and filling.ended_at is null
		cross join lateral (
			select count(*) filter (where t.state = 1) as open,
				count(*) filter (where t.state > 0) as places,
				count(*) filter (where t.state <> 1
					and t.taken_at > now.at - ${PACE_WINDOW_MS} * interval '1 millisecond')
					as taken_lately,
				count(*) filter (where t.state = 1 and t.changed_at > p.seen_change_at)
					as newly_open,
				(array_agg(t.minute order by t.minute) filter (where t.state = 1))[1:200] as minutes
			from (
				select s.taken_at, s.changed_at, start_minute(s.starts_at)::integer as minute,
					case when c.hidden @> s.starts_at then 0 else 1 end * slot_state(s.status, s.remaining, case when s.claim_untils = '{}' then 0
						else live_claims(s.claim_untils, now.at) end, false) as state
				from slots s
				where s.schedule_id = c.id and s.removed_at is null and s.starts_at > now.at
					and s.starts_at < now.at + ${SUPPLY_WINDOW_MS} * interval '1 millisecond'
			) t
		) listed
		cross join lateral (
			select count(*) as places,
				count(*) filter (where s.taken_at
					> now.at - ${PACE_WINDOW_MS} * interval '1 millisecond') as taken_lately
			from slots s
			where s.schedule_id = c.id and s.taken_at is not null and s.removed_at is not null
				and s.starts_at > now.at
				and s.starts_at < now.at + ${SUPPLY_WINDOW_MS} * interval '1 millisecond'
		) gone
		where c.id = any (${[...ids]}::bigint[])
		order by c.id`;
	return new Map(rows.map((row) => [row.scheduleId, row]));
};

/** Only one look at a schedule at a time; schedules never looked at are not locked. */
export const lockSupplies = async (tx: Tx, ids: readonly ScheduleId[]): Promise<void> => {
	await tx`
		select 1 from supplies where schedule_id = any (${[...ids]}::bigint[])
		order by schedule_id for update`;
};

export const keepSupplies = async (tx: Tx, seen: readonly ScheduleSupply[]): Promise<void> => {
	const rows = seen.map((s) => ({
		id: s.scheduleId,
		open: s.left,
		places: s.of,
		at: s.asOf,
		change: s.seenChangeAt
	}));
	await tx`
		insert into supplies (schedule_id, left_count, of_count, looked_at, seen_change_at)
		select t.id, t.open, t.places, to_timestamp(t.at / 1000.0), t.change
		from jsonb_to_recordset(${tx.json(rows)})
			as t (id bigint, open int, places int, at float8, change timestamptz)
		order by t.id
		on conflict (schedule_id) do update
		set left_count = excluded.left_count, of_count = excluded.of_count,
			looked_at = excluded.looked_at, seen_change_at = excluded.seen_change_at`;
};

/** Null when an episode of this kind is running already. */
export const beginEpisode = async (
	tx: Tx,
	supply: ScheduleSupply,
	kind: EpisodeKind
): Promise<EpisodeId | null> => {
	const [row] = await tx<{ id: EpisodeId }[]>`
		insert into episodes (schedule_id, kind, left_count, of_count, per_hour)
		values (${supply.scheduleId}, ${kind}, ${supply.left}, ${supply.of}, ${supply.takenLately})
		on conflict (schedule_id, kind) where ended_at is null do nothing
		returning id`;
	return row?.id ?? null;
};

export const endEpisode = async (tx: Tx, id: EpisodeId): Promise<void> => {
	await tx`update episodes set ended_at = clock_timestamp() where id = ${id} and ended_at is null`;
};

/** Those of the schedules that are filling up. */
export const listRunningFilling = async (
	sql: Queryable,
	ids: readonly ScheduleId[]
): Promise<ScheduleId[]> => {
	const rows = await sql<{ id: ScheduleId }[]>`
		select schedule_id as id from episodes
		where schedule_id = any (${[...ids]}::bigint[]) and kind = 'filling_up' and ended_at is null`;
	return rows.map((row) => row.id);
};

/** Schedules with a running episode not looked at for `idleMs`: their hour of quiet must be seen. */
export const listIdleEpisodes = async (
	sql: Queryable,
	{ idleMs, limit }: { readonly idleMs: number; readonly limit: number }
): Promise<ScheduleId[]> => {
	const rows = await sql<{ id: ScheduleId }[]>`
		select distinct e.schedule_id as id
		from episodes e left join supplies p on p.schedule_id = e.schedule_id
		where e.ended_at is null and (p.looked_at is null
			or p.looked_at < clock_timestamp() - ${idleMs} * interval '1 millisecond')
		order by 1 limit ${limit}`;
	return rows.map((row) => row.id);
};

export type Candidate = AlertSubscription & {
	readonly deviceKey: DeviceKey;
	/** When this device last heard of this schedule and kind; null = never. */
	readonly lastToldAt: Instant | null;
};

const criteriaObject = (sql: Queryable) => sql`
	jsonb_build_object(
		'specialty', a.specialty, 'region', a.region, 'scheduleId', a.schedule_id,
		'kinds', a.kinds, 'plan', a.plan, 'language', a.language,
		'dayPart', a.day_part, 'zone', a.zone
	) as criteria`;

/** At most this many subscriptions are told of one episode, those who asked first. */
export const MAX_NOTICES_PER_EPISODE = 5_000;

/** Subscriptions by specialty, region and schedule; the finer criteria are the caller's. */
export const matchSubscriptions = (
	sql: Queryable,
	supply: ScheduleSupply,
	kind: EpisodeKind
): Promise<Candidate[]> =>
	sql<Candidate[]>`
		select a.id, a.device_key as "deviceKey", a.created_at as "createdAt",
			${criteriaObject(sql)},
			(select max(n.raised_at) from alert_notices n
				where n.device_key = a.device_key and n.schedule_id = ${supply.scheduleId}
					and n.kind = ${kind}) as "lastToldAt"
		from alert_subscriptions a
		where a.specialty = any (${[...supply.specialtyIds]})
			and (${supply.regions.length === 0} or a.region = any (${[...supply.regions]}))
			and (a.schedule_id is null or a.schedule_id = ${supply.scheduleId})
		order by a.created_at, a.id limit ${MAX_NOTICES_PER_EPISODE}`;

export type RaisedNotice = { readonly device: DeviceKey; readonly notice: AlertNotice };

/** Keeps the notices; returns those that were not told before. */
export const raiseNotices = async (
	tx: Tx,
	raised: readonly RaisedNotice[]
): Promise<RaisedNotice[]> => {
	if (raised.length === 0) return [];
	const rows = await tx<{ id: AlertSubscriptionId; episode: EpisodeId }[]>`
		insert into alert_notices
			(subscription_id, episode_id, device_key, schedule_id, kind, raised_at, notice)
		select (r.notice ->> 'subscriptionId')::uuid, (r.notice ->> 'episodeId')::bigint, r.device,
			(r.notice ->> 'scheduleId')::bigint, r.notice ->> 'kind',
			to_timestamp((r.notice ->> 'raisedAt')::float8 / 1000), r.notice
		from jsonb_to_recordset(${tx.json([...raised])}) as r (device text, notice jsonb)
		on conflict do nothing
		returning subscription_id as id, episode_id as episode`;
	const kept = new Set(rows.map((row) => `${row.id}|${row.episode}`));
	return raised.filter(({ notice: n }) => kept.has(`${n.subscriptionId}|${n.episodeId}`));
};

export const insertSubscription = async (
	tx: Tx,
	device: DeviceKey,
	id: AlertSubscriptionId,
	criteria: AlertCriteria
): Promise<void> => {
	await tx`
		insert into alert_subscriptions
			(id, device_key, specialty, region, schedule_id, kinds, plan, language, day_part, zone)
		values (${id}, ${device}, ${criteria.specialty}, ${criteria.region},
			${criteria.scheduleId}, ${[...criteria.kinds]}::text[], ${criteria.plan},
			${criteria.language}, ${criteria.dayPart}, ${criteria.zone})`;
};

export const deleteSubscription = async (
	sql: Queryable,
	device: DeviceKey,
	id: AlertSubscriptionId
): Promise<boolean> => {
	const rows = await sql`
		delete from alert_subscriptions where id = ${id} and device_key = ${device} returning id`;
	return rows.length > 0;
};

export const readSubscriptions = (
	sql: Queryable,
	device: DeviceKey
): Promise<AlertSubscription[]> =>
	sql<AlertSubscription[]>`
		select a.id, a.created_at as "createdAt", ${criteriaObject(sql)}
		from alert_subscriptions a where a.device_key = ${device}
		order by a.created_at, a.id limit 100`;

/** Newest first, of the last day, at most 20. */
export const readNotices = async (sql: Queryable, device: DeviceKey): Promise<AlertNotice[]> => {
	const rows = await sql<{ notice: AlertNotice }[]>`
		select notice from alert_notices
		where device_key = ${device} and raised_at > clock_timestamp() - interval '1 day'
		order by raised_at desc, episode_id desc limit 20`;
	return rows.map((row) => row.notice);
};
