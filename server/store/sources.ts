// Sources: what to poll, when, and who is polling it now. The fence of every poll is here: a claim
// raises `poll_gen`, and only its holder may commit.
import { must } from '#domain/result.ts';
import type { SilentReason } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import type { SourceSettings } from '#domain/source.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable } from '../platform/postgres.ts';
import {
	fingerprintsOf,
	selectFingerprints,
	type Fingerprints,
	type FingerprintsJson
} from './fingerprints.ts';

/**
 * A shrink that waits for a second opinion: the poll that saw it and what it would leave, of the near
 * days only where it asked for no more.
 */
export type Suspect = {
	readonly gen: number;
	readonly freeAfter: number;
	readonly isNear?: boolean;
	/** It listed nothing at all. */
	readonly isEmpty?: boolean;
};

/** What is known of the polls that asked for less than the whole window. */
export type NearPolls = {
	/** When the whole window was last told of. */
	readonly farAt: Instant;
	readonly lastGoodAt: Instant;
	/** Near polls since `farAt`. */
	readonly count: number;
};

export type PollClaim = {
	readonly sourceId: SourceId;
	readonly source: SourceSettings;
	/** Fence: only the newest claim of a source may commit. */
	readonly gen: number;
	/** Generation whose content the store shows; 0 = none yet. */
	readonly committedGen: number;
	readonly cursor: Readonly<Record<string, unknown>>;
	readonly suspect: Suspect | null;
	readonly pollStartedAt: Instant;
	/** Silent answers since the last good one. */
	readonly failures: number;
	/** Y13: a push wrote since the last good poll began: what was kept of its listing is no basis. */
	readonly isPushed: boolean;
	/** null = this poll must ask for the whole window. */
	readonly near: NearPolls | null;
	readonly fingerprints: Fingerprints;
};

export type StoredSource = {
	readonly id: SourceId;
	readonly settings: SourceSettings;
	readonly enabled: boolean;
	readonly nextPollAt: Instant;
	readonly committedGen: number;
};

export type Silence = {
	readonly sourceId: SourceId;
	readonly gen: number;
	readonly reason: SilentReason;
	/** One plain sentence for the operator; never a body, never a token. */
	readonly detail: string;
	readonly retryInMs: number;
	/** W42: it was asked for the near days only, and what came was of no use. */
	readonly isNearUseless?: boolean;
};

export type DueSource = {
	readonly id: SourceId;
	readonly nextPollAt: Instant;
	readonly pollGen: number;
};

type SourceRow = {
	readonly id: SourceId;
	readonly key: string;
	readonly name: string;
	readonly kind: SourceSettings['kind'];
	readonly url: string;
	readonly notes: SourceSettings['notes'];
	readonly min_interval_ms: number;
	readonly fresh_for_ms: number;
	readonly window_ms: number;
	readonly allow_private: boolean;
	readonly booking: SourceSettings['booking'];
	readonly enabled: boolean;
	readonly next_poll_at: Instant;
	readonly committed_gen: number;
};

const settingsOf = (row: SourceRow): SourceSettings => ({
	key: row.key,
	name: row.name,
	kind: row.kind,
	url: row.url,
	notes: row.notes,
	minIntervalMs: row.min_interval_ms,
	freshForMs: row.fresh_for_ms,
	windowMs: row.window_ms,
	allowPrivate: row.allow_private,
	booking: row.booking
});

type ClaimRow = SourceRow & {
	readonly poll_gen: number;
	readonly cursor: Record<string, unknown>;
	readonly suspect: Suspect | null;
	readonly poll_started_at: Instant;
	readonly failures: number;
	readonly pushed_at: Instant | null;
	readonly checked_at: Instant | null;
	readonly far_checked_at: Instant | null;
	readonly near_polls: number;
	readonly may_narrow: boolean;
	/** A signal told of changes, which may be anywhere. */
	readonly signalled?: boolean;
	readonly fingerprints: FingerprintsJson;
};

const nearOf = (row: ClaimRow): NearPolls | null => {
	const { checked_at: lastGoodAt, far_checked_at: farAt } = row;
	if (!row.may_narrow || row.signalled !== false || lastGoodAt === null) return null;
	return { farAt: farAt ?? lastGoodAt, lastGoodAt, count: row.near_polls };
};

const claimOf = (row: ClaimRow): PollClaim => ({
	sourceId: row.id,
	source: settingsOf(row),
	gen: row.poll_gen,
	committedGen: row.committed_gen,
	cursor: row.cursor,
	suspect: row.suspect,
	pollStartedAt: row.poll_started_at,
	failures: row.failures,
	isPushed: row.pushed_at !== null,
	near: nearOf(row),
	fingerprints: fingerprintsOf(row.fingerprints)
});

const storedOf = (row: SourceRow): StoredSource => ({
	id: row.id,
	settings: settingsOf(row),
	enabled: row.enabled,
	nextPollAt: row.next_poll_at,
	committedGen: row.committed_gen
});

/**
 * Adds a source or brings its settings up to date (by `key`); one that was removed is polled again, one
 * that is paused stays so (E7). Another address means another listing, and one that was removed has no times
 * left: validators are forgotten, a poll under way is fenced and the next one is due at once. With other
 * settings the same answer may mean something else, so that it is read again.
 */
export const upsertSource = async (sql: Queryable, source: SourceSettings): Promise<SourceId> => {
	const [row] = await sql<{ id: SourceId }[]>`
		with unknown as (
			delete from fingerprints using sources s where s.id = source_id and s.key = ${source.key}
		)
		insert into sources as s (key, name, kind, url, notes, min_interval_ms, fresh_for_ms,
			window_ms, allow_private, booking)
		values (${source.key}, ${source.name}, ${source.kind}, ${source.url},
			${JSON.stringify(source.notes)}::text::jsonb, ${source.minIntervalMs},
			${source.freshForMs}, ${source.windowMs}, ${source.allowPrivate}, ${source.booking})
		on conflict (key) do update set
			name = excluded.name, kind = excluded.kind, url = excluded.url, notes = excluded.notes,
			min_interval_ms = excluded.min_interval_ms, fresh_for_ms = excluded.fresh_for_ms,
			window_ms = excluded.window_ms, allow_private = excluded.allow_private,
			booking = excluded.booking, may_narrow = false, window_ignored_at = null, enabled = s.paused_at is null, removed_at = null,
			(cursor, suspect, poll_gen, committed_gen, polling_until, next_poll_at, emptied_at) = (
				select case when moved then '{}' else s.cursor end,
					case when moved then null else s.suspect end,
					case when moved then s.poll_gen + 1 else s.poll_gen end,
					case when moved then s.poll_gen + 1 else s.committed_gen end,
					case when moved then null else s.polling_until end,
					case when moved or not s.enabled then now() else s.next_poll_at end,
					case when moved then null else s.emptied_at end
				from (select (s.kind, s.url) <> (excluded.kind, excluded.url)
					or s.removed_at is not null as moved) as m
			)
		returning id`;
	return must(row, 'source').id;
};

/** A job may come this much early (its clock is not the database's), ms. */
const EARLY_MS = 100;

/**
 * Begins a poll, alone for `leaseMs`. null = not now: unknown, disabled, not due, or somebody else
 * is at it. After the lease another may begin; the one before can then no longer commit.
 */
export const claimPoll = async (
	sql: Queryable,
	sourceId: SourceId,
	leaseMs: number
): Promise<PollClaim | null> => {
	const [row] = await sql<ClaimRow[]>`
		update sources set poll_gen = poll_gen + 1, poll_started_at = clock_timestamp(),
			tried_at = clock_timestamp(),
			polling_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
		where id = ${sourceId} and enabled
			and next_poll_at <= clock_timestamp() + ${EARLY_MS} * interval '1 millisecond'
			and (polling_until is null or polling_until <= clock_timestamp())
		returning *, exists (
			select from poll_estimates e where e.source_id = sources.id and e.signalled > 0
		) as signalled, ${selectFingerprints(sql)}`;
	return row === undefined ? null : claimOf(row);
};

/**
 * E17: claims a source for an answer that was heard before, as if that poll began again: what
 * changed here since then stays. null = paused, removed, polled right now, or a newer answer than
 * that of `heardGen` was committed. It is never the second look at a loss: it may be the first again.
 */
export const claimReplay = async (
	sql: Queryable,
	{ sourceId, heardGen, askedAt }: { sourceId: SourceId; heardGen: number; askedAt: Instant },
	leaseMs: number
): Promise<PollClaim | null> => {
	const [row] = await sql<ClaimRow[]>`
		update sources set poll_gen = poll_gen + 1, poll_started_at = ${askedAt},
			polling_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
		where id = ${sourceId} and enabled and committed_gen <= ${heardGen}
			and (polling_until is null or polling_until <= clock_timestamp())
		returning *, ${selectFingerprints(sql)}`;
	return row === undefined ? null : claimOf({ ...row, suspect: null });
};

/**
 * Writes that a source told nothing; its slots stay as they were. Q42: from now on it is as old as its
 * far times are. false = a newer poll began.
 */
export const recordSilence = async (sql: Queryable, silence: Silence): Promise<boolean> => {
	const rows = await sql`
		update sources set outcome = ${silence.reason}, detail = ${silence.detail.slice(0, 500)},
			failures = failures + 1, polling_until = null,
			checked_at = coalesce(far_checked_at, checked_at),
			near_checked_at = case when far_checked_at is null then near_checked_at else checked_at end,
			far_checked_at = null,
			window_ignored_at = case when ${silence.isNearUseless === true}
				then clock_timestamp() else window_ignored_at end,
			next_poll_at = clock_timestamp() + ${silence.retryInMs} * interval '1 millisecond'
		where id = ${silence.sourceId} and poll_gen = ${silence.gen}
			and committed_gen < ${silence.gen} and polling_until is not null
		returning id`;
	return rows.length === 1;
};

/** Sources to poll now or within `withinMs` that nobody is polling, the most overdue first. */
export const listDueSources = async (
	sql: Queryable,
	within: { readonly withinMs: number; readonly limit: number }
): Promise<DueSource[]> => {
	const rows = await sql<{ id: SourceId; next_poll_at: Instant; poll_gen: number }[]>`
		select id, next_poll_at, poll_gen from sources
		where enabled
			and next_poll_at <= clock_timestamp() + ${within.withinMs} * interval '1 millisecond'
			and (polling_until is null or polling_until <= clock_timestamp())
		order by next_poll_at, id limit ${within.limit}`;
	return rows.map((row) => ({
		id: row.id,
		nextPollAt: row.next_poll_at,
		pollGen: row.poll_gen
	}));
};

export const listSources = async (sql: Queryable): Promise<StoredSource[]> => {
	const rows = await sql<SourceRow[]>`select * from sources order by key`;
	return rows.map(storedOf);
};

export const readSource = async (sql: Queryable, id: SourceId): Promise<StoredSource | null> => {
	const [row] = await sql<SourceRow[]>`select * from sources where id = ${id}`;
	return row === undefined ? null : storedOf(row);
};

export { deleteSource } from './delete-source.ts';
