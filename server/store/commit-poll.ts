// One poll's outcome in one transaction: slots, schedules, rooms, log entries and the next poll.
// Either all of it is true afterwards or, when a newer poll was begun, none of it.
import type { Listing, SpokenAnswer } from '#domain/answer.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import { slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import type { Instant } from '#domain/time.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import { keepFingerprints, type Fingerprints, type Left } from './fingerprints.ts';
import { ensureRooms } from './schedules.ts';
import { dropKnownClaims } from './slot-rows.ts';
import type { PollClaim, Suspect } from './sources.ts';
import { writeChanges, type PollCommit, type ToWrite } from './write-changes.ts';

export type PollOutcome = {
	readonly claim: PollClaim;
	readonly answer: SpokenAnswer;
	readonly changes: readonly SlotChange[];
	readonly nextPollInMs: number;
	/** A shrink that waits for a second opinion, or null. */
	readonly suspect: Suspect | null;
	/** W51: so many times go because it listed none at all twice in a row; left out = none. */
	readonly emptied?: number;
	/** When the source said so, if it was not now: an answer that is read again is as old as it is. */
	readonly heardAt?: Instant;
	/** Only the near days were asked for. */
	readonly isNear?: boolean;
	/** The next poll may ask for the near days only. */
	readonly mayNarrow?: boolean;
	/** Under what a fingerprint of the answer may be kept; left out = not at all. */
	readonly poll?: Left['poll'];
};

export type PolledCommit = PollCommit & {
	/** The store now shows all that the answer says. */
	readonly isMirrored: boolean;
	readonly fingerprints: Fingerprints;
};

const RECENT_POLLS = 30;
/** W42: a source that was asked for less and told of all is asked for less again after this, hours. */
const IGNORED_HOURS = 24;

type Fence = { readonly now: Instant; readonly pollStartedAt: string };

const factsOf = (listing: Listing): readonly SlotFact[] => {
	if (listing.form === 'unchanged') return [];
	return listing.form === 'full' ? listing.facts : listing.changed;
};

/** W51: what an operator sees until the source has times again. */
const emptiedSql = (tx: Tx, { answer, emptied = 0 }: PollOutcome) => {
	if (emptied > 0) return tx`emptied_at = clock_timestamp(), emptied_count = ${emptied},`;
	return factsOf(answer.listing).length > 0 ? tx`emptied_at = null, emptied_count = null,` : tx``;
};

/** The one row that every poll touches. null = fenced. */
const passFence = async (tx: Tx, outcome: PollOutcome): Promise<Fence | null> => {
	const { claim, answer, isNear = false, mayNarrow = false } = outcome;
	// What the operator sees of an answer is what the last one about the whole window said.
	const [row] = await tx<Fence[]>`
		update sources set committed_gen = ${claim.gen},
			cursor = case when ${isNear} then cursor
				else ${JSON.stringify(answer.cursor)}::text::jsonb end,
			flags = case when ${isNear} then flags
				else ${JSON.stringify(answer.flags)}::text::jsonb end,
			refused = case when ${isNear} then refused
				else ${JSON.stringify(answer.refused)}::text::jsonb end,
			far_checked_at = case when ${isNear} then coalesce(far_checked_at, checked_at) end,
			near_checked_at = null,
			near_polls = case when ${isNear} then near_polls + 1 else 0 end,
			window_ignored_at = case when ${isNear && answer.canNarrow === false}
				then clock_timestamp() else window_ignored_at end,
			may_narrow = ${mayNarrow} and (window_ignored_at is null
				or window_ignored_at < clock_timestamp() - ${IGNORED_HOURS} * interval '1 hour'),
			checked_at = coalesce(${outcome.heardAt ?? null}::timestamptz, clock_timestamp()),
			valid_at = ${answer.validAt}, outcome = ${answer.isUpdate === true ? 'complete' : answer.state},
			detail = null, failures = 0, polling_until = null, ${emptiedSql(tx, outcome)}
			suspect = ${outcome.suspect === null ? null : JSON.stringify(outcome.suspect)}::text::jsonb,
			recent_changes = (recent_changes || ${outcome.changes.length}::int)
				[cardinality(recent_changes) + 2 - ${RECENT_POLLS}::int:],
			pushed_at = case when pushed_at > poll_started_at then pushed_at end,
			next_poll_at = clock_timestamp() + ${outcome.nextPollInMs} * interval '1 millisecond'
		where id = ${claim.sourceId} and poll_gen = ${claim.gen} and committed_gen < ${claim.gen}
		returning clock_timestamp() as now, poll_started_at::text as "pollStartedAt"`;
	return row ?? null;
};

/**
 * Tells of a key whether this answer calls its slot not free, or lists it no longer (sources that
 * list free slots only); looks only when it is asked.
 */
const createBusyTest = ({ answer, changes }: PollOutcome): ((key: SlotKey) => boolean) => {
	let busy: Set<SlotKey> | null = null;
	return (key) => {
		busy ??= new Set([
			...factsOf(answer.listing)
				.filter((fact) => fact.status !== 'free' || fact.remaining <= 0)
				.map(slotKeyOf),
			...changes.filter((change) => change.kind === 'removed').map((change) => change.key)
		]);
		return busy.has(key);
	};
};

/**
 * What a partial, suspect or partly kept-out answer left in the store would never be told again by
 * one that builds on it.
 */
const isMirrored = ({ answer, suspect }: PollOutcome, { kept }: PollCommit): boolean =>
	(answer.state === 'complete' || answer.isUpdate === true) &&
	answer.unreadSchedules.length === 0 &&
	suspect === null &&
	kept === 0;

const commit = async (
	tx: Tx,
	outcome: PollOutcome,
	rooms: Awaited<ReturnType<typeof ensureRooms>>
): Promise<Result<PolledCommit, 'fenced'>> => {
	const { claim, answer, changes, isNear = false, poll = null } = outcome;
	const fence = await passFence(tx, outcome);
	if (fence === null) return refuse('fenced');
	if (answer.listing.form !== 'unchanged') {
		await dropKnownClaims(tx, claim.sourceId, createBusyTest(outcome));
	}
	const write: ToWrite = {
		sourceId: claim.sourceId,
		changes,
		schedules: answer.schedules ?? [],
		since: fence.pollStartedAt,
		keepsPushed: true,
		now: fence.now
	};
	const done = await writeChanges(tx, write, rooms);
	const mirrored = isMirrored(outcome, done);
	const fingerprints = await keepFingerprints(tx, claim.sourceId, {
		before: claim.fingerprints,
		reach: isNear ? 'near' : 'whole',
		answer,
		poll,
		isMirrored: mirrored,
		isNews: changes.length > 0 || done.rewritten > 0
	});
	return ok({ ...done, isMirrored: mirrored, fingerprints });
};

/**
 * S2: writes what a poll learned, if it still is the newest poll of its source; 'fenced' = it is
 * not, and nothing was written. S3: an unchanged answer touches one row. Slots of schedules that
 * neither the answer nor the store describes are left out.
 */
export const commitPoll = async (
	sql: Sql,
	outcome: PollOutcome
): Promise<Result<PolledCommit, 'fenced'>> => {
	const rooms = await ensureRooms(sql, outcome.answer.schedules ?? []);
	return await sql.begin((tx) => commit(tx, outcome, rooms));
};
