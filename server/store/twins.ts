// Twins in Postgres: who may be one, which of them are shown, and the trace of each decision.
import type { ScheduleId, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { OFFERED_WITHIN_BUDGETS } from '#domain/freshness.ts';
import type { Instant } from '#domain/time.ts';
import type { TwinCandidate, TwinDecision } from '#domain/twins.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';
import { tellHidden, type Rehidden } from './hidden-times.ts';

export type StoredCandidate = TwinCandidate & {
	/** As decided before; null = it is shown itself. */
	readonly shownBy: ScheduleId | null;
};

/**
 * Schedules whose NPI several sources tell, those of sources that an operator noted as the same, and
 * those that are hidden now; with the latter their reason may have gone.
 */
export const listTwinCandidates = (sql: Queryable): Promise<StoredCandidate[]> =>
	sql<StoredCandidate[]>`
		with noted as (
			select o.id, o.key from sources o where o.notes ? 'sameAs'
			union
			select t.id, t.key from sources o
				cross join jsonb_array_elements_text(o.notes -> 'sameAs') as same (key)
				join sources t on t.key = same.key
			where o.notes ? 'sameAs'
		)
		select c.id, c.source_id as "sourceId", o.key as "sourceKey", c.practitioner_npi as npi,
			c.practitioner_name as "practitionerName", c.organization_name as "organizationName",
			c.specialty_ids as "specialtyIds", c.shown_by as "shownBy",
			coalesce(array(select jsonb_array_elements_text(o.notes -> 'sameAs')), '{}') as "sameAs",
			coalesce(o.checked_at > clock_timestamp()
				- ${OFFERED_WITHIN_BUDGETS} * o.fresh_for_ms * interval '1 millisecond', false)
				as "isOffered",
			o.enabled as "isEnabled", coalesce((o.notes ->> 'trustRank')::int, 50) as "trustRank",
			o.booking, o.fresh_for_ms as "freshForMs"
		from schedules c join sources o on o.id = c.source_id
		where o.removed_at is null and (
			c.shown_by is not null or o.id in (select id from noted)
			or c.practitioner_npi in (select n.practitioner_npi from schedules n
				where n.practitioner_npi is not null
				group by n.practitioner_npi having count(distinct n.source_id) > 1))
		order by c.id`;

/** One decision that differs from what is stored; null = the schedule is shown again. */
export type TwinChange = {
	readonly id: ScheduleId;
	readonly decision: TwinDecision | null;
};

const traceText = (decision: TwinDecision | null): string =>
	decision === null
		? 'shown'
		: `${decision.rule}: ${decision.source} is shown (${decision.because})`;

/** What people asked for at the one is asked for at its twin: they would hear of nothing else. */
const moveWishes = async (tx: Tx, changes: readonly TwinChange[]): Promise<void> => {
	for (const { id, decision } of changes) {
		if (decision === null) continue;
		const to = decision.shownBy;
		await tx`update alert_subscriptions set schedule_id = ${to} where schedule_id = ${id}`;
		await tx`update waiting_entries set schedule_id = ${to} where schedule_id = ${id}`;
	}
};

/**
 * E20: writes decisions about schedules of one source. Locks it first, as polls and pushes do, so
 * that none of them tells of a time in between.
 */
export const applyTwins = async (
	tx: Tx,
	source: SourceId,
	changes: readonly TwinChange[]
): Promise<RoomEntry[]> => {
	await tx`select 1 from sources where id = ${source} for no key update`;
	const wanted = changes.map(({ id, decision }) => ({
		id,
		by: decision?.shownBy ?? null,
		because: traceText(decision)
	}));
	const changed = await tx<Rehidden[]>`
		with wanted as (
			select x.id, x.by, x.because, c.hidden as before
			from json_to_recordset(${JSON.stringify(wanted)}::text::json)
				as x (id bigint, by bigint, because text)
			join schedules c on c.id = x.id
			where c.source_id = ${source} and c.shown_by is distinct from x.by
		), noted as (
			insert into twin_trace (schedule_id, shown_by, because) select id, by, because from wanted
		)
		update schedules c set shown_by = w.by from wanted w where c.id = w.id
		returning c.id, c.room_ids as "roomIds", w.before::text, c.hidden::text as after`;
	await moveWishes(tx, changes);
	return await tellHidden(tx, changed);
};

/** One look at twins at a time in the whole system, until the transaction ends. */
export const tryLockTwins = async (tx: Tx): Promise<boolean> => {
	const [row] = await tx<{ locked: boolean }[]>`
		select pg_try_advisory_xact_lock(hashtextextended('twins', 2)) as locked`;
	return row?.locked === true;
};

export type TwinTrace = {
	readonly at: Instant;
	readonly source: string;
	readonly practitionerName: string;
	readonly because: string;
};

/** What was decided, newest first; `key` = only of this source. */
export const readTwinTrace = (sql: Queryable, key: string | null): Promise<TwinTrace[]> =>
	sql<TwinTrace[]>`
		select t.at, o.key as source, c.practitioner_name as "practitionerName", t.because
		from twin_trace t join schedules c on c.id = t.schedule_id
			join sources o on o.id = c.source_id
		where ${key}::text is null or o.key = ${key}
		order by t.id desc limit 500`;
