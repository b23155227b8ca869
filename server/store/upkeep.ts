// Upkeep of the tables: log partitions ahead and behind, and rows that nobody needs any more.
// Everything here may run at any time, twice at once, and be cut short.
import type postgres from 'postgres';
import { DAY_MS } from '#domain/time.ts';
import type { Sql } from '../platform/postgres.ts';
import { dropIdleSources } from './operate-sources.ts';
import { dropOldRawAnswers } from './raw-answers.ts';
import { dropOldRereads } from './rereads.ts';
import { dropOldDrafts } from './source-drafts.ts';

type Transacting = Pick<postgres.Sql, 'begin'>;

const LOCK_KEY = 5_107_002;
/** Today and so many days after it have a partition of their own. */
const DAYS_AHEAD = 3;
const ROWS_PER_DELETE = 5_000;
/** At most so many rounds of deletes in one run; the rest waits for the next night. */
const MAX_ROUNDS = 400;
const LOCK_TIMEOUT = '5s';

const dayText = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const partitionName = (day: string): string => `change_log_${day.replaceAll('-', '')}`;

/**
 * A new partition is made beside the table and attached, which blocks nobody for long. Entries of
 * its day that already lie in the default partition are moved, because Postgres refuses to attach
 * over them.
 */
const addPartition = async (tx: postgres.TransactionSql, day: string): Promise<boolean> => {
	const name = partitionName(day);
	const [found] = await tx<{ found: boolean }[]>`select to_regclass(${name}) is not null as found`;
	if (found?.found === true) return false;
	const next = dayText(Date.parse(`${day}T00:00:00Z`) + DAY_MS);
	const from = `${day} 00:00:00+00`;
	const to = `${next} 00:00:00+00`;
	await tx`create table ${tx(name)} (like change_log including all)`;
	await tx`lock table change_log_default in access exclusive mode`;
	await tx`
		with moved as (
			delete from change_log_default
			where at >= ${from}::text::timestamptz and at < ${to}::text::timestamptz returning *
		)
		insert into ${tx(name)} select * from moved`;
	await tx.unsafe(
		`alter table change_log attach partition ${name} for values from ('${from}') to ('${to}')`
	);
	return true;
};

/** Makes the partitions of today and the next days (UTC); how many were made. */
export const rollPartitions = (sql: Transacting): Promise<number> =>
	sql.begin(async (tx) => {
		await tx`select pg_advisory_xact_lock(${LOCK_KEY})`;
		await tx.unsafe(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
		const [clock] = await tx<{ ms: string }[]>`
			select floor(extract(epoch from clock_timestamp()) * 1000)::text as ms`;
		let made = 0;
		for (let ahead = 0; ahead <= DAYS_AHEAD; ahead += 1) {
			if (await addPartition(tx, dayText(Number(clock?.ms) + ahead * DAY_MS))) made += 1;
		}
		return made;
	});

export type UpkeepLimits = {
	/** Days the change log reaches back. */
	readonly changeLogDays: number;
	/** Days past slots without a booking are kept. */
	readonly slotDays: number;
};

export type PurgeCounts = {
	readonly partitions: number;
	readonly entries: number;
	readonly slots: number;
	readonly requests: number;
	readonly holds: number;
	readonly notices: number;
	readonly episodes: number;
	/** Removed ones that nobody needs any more. */
	readonly sources: number;
};

/** Days after which a repeated request is no longer recognised. */
const REQUEST_DAYS = 7;
/** Days a device's notices and a schedule's ended episodes are kept. */
const NOTICE_DAYS = 7;
/** Days it can be seen why a twin was shown. */
const TRACE_DAYS = 90;
/** Days an ended hold without a booking is kept; limits per hour look back one hour. */
const HOLD_DAYS = 2;

/** Whole days of the log that ended at least `days` ago go with their partition. */
const dropPartitions = (sql: Sql, days: number): Promise<number> =>
	sql.begin(async (tx) => {
		await tx`select pg_advisory_xact_lock(${LOCK_KEY})`;
		await tx.unsafe(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
		const [clock] = await tx<{ oldest: string }[]>`
			select to_char(clock_timestamp() at time zone 'utc' - ${days} * interval '1 day',
				'YYYYMMDD') as oldest`;
		const oldest = `change_log_${clock?.oldest ?? ''}`;
		const partitions = await tx<{ name: string }[]>`
			select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
			where i.inhparent = 'change_log'::regclass and c.relname ~ '^change_log_[0-9]{8}$'`;
		const old = partitions.filter(({ name }) => name < oldest);
		for (const { name } of old) await tx`drop table ${tx(name)}`;
		return old.length;
	});

/** Deletes in small steps, so that no lock is held for long. */
const deleteAll = async (step: () => Promise<{ readonly count: number }>): Promise<number> => {
	let total = 0;
	for (let round = 0; round < MAX_ROUNDS; round += 1) {
		const { count } = await step();
		total += count;
		if (count < ROWS_PER_DELETE) break;
	}
	return total;
};

/**
 * Removes what is older than its limit; counts of what went. Slots and holds with a booking stay,
 * and so does everything of patients (their own upkeep decides).
 */
export const purgeOld = async (sql: Sql, limits: UpkeepLimits): Promise<PurgeCounts> => {
	const before = (days: number) => sql`clock_timestamp() - ${days} * interval '1 day'`;
	const partitions = await dropPartitions(sql, limits.changeLogDays);
	const entries = await deleteAll(
		() => sql`delete from change_log_default where (room_id, seq, at) in (
			select room_id, seq, at from change_log_default where at < ${before(limits.changeLogDays)}
			limit ${ROWS_PER_DELETE})`
	);
	const holds = await deleteAll(
		() => sql`delete from holds where id in (
			select h.id from holds h
			where h.ended_at < ${before(HOLD_DAYS)}
				and not exists (select 1 from bookings b where b.hold_id = h.id)
			limit ${ROWS_PER_DELETE})`
	);
	const slots = await deleteAll(
		() => sql`delete from slots where id in (
			select s.id from slots s
			where s.starts_at < ${before(limits.slotDays)}
				and not exists (select 1 from bookings b where b.slot_id = s.id)
			limit ${ROWS_PER_DELETE})`
	);
	const requests = await deleteAll(
		() => sql`delete from requests where (device_key, request_id) in (
			select device_key, request_id from requests where at < ${before(REQUEST_DAYS)}
			limit ${ROWS_PER_DELETE})`
	);
	const notices = await deleteAll(
		() => sql`delete from alert_notices where (subscription_id, episode_id) in (
			select subscription_id, episode_id from alert_notices
			where raised_at < ${before(NOTICE_DAYS)} limit ${ROWS_PER_DELETE})`
	);
	const episodes = await deleteAll(
		() => sql`delete from episodes where id in (
			select e.id from episodes e
			where e.ended_at < ${before(NOTICE_DAYS)}
				and not exists (select 1 from alert_notices n where n.episode_id = e.id)
			limit ${ROWS_PER_DELETE})`
	);
	await deleteAll(
		() => sql`delete from twin_trace where id in (
			select id from twin_trace where at < ${before(TRACE_DAYS)} limit ${ROWS_PER_DELETE})`
	);
	await dropOldDrafts(sql);
	await dropOldRereads(sql);
	await dropOldRawAnswers(sql);
	const sources = await dropIdleSources(sql);
	return { partitions, entries, slots, requests, holds, notices, episodes, sources };
};
