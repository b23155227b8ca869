// One poll's outcome in one transaction: slots, schedules, rooms, log entries and the next poll.
// Either all of it is true afterwards or, when a newer poll was begun, none of it.
import type { Listing, SpokenAnswer } from '#domain/answer.ts';
import type { RoomId, ScheduleId, SlotId } from '#domain/ids.ts';
import type { RoomEntry, WireChange } from '#domain/protocol.ts';
import { must, ok, refuse, type Result } from '#domain/result.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import { slotKeyOf, slotStates, type SlotFact, type SlotKey } from '#domain/slot.ts';
import type { Instant } from '#domain/time.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import { appendChanges } from './change-log.ts';
import { ensureRooms, syncSchedules, type ScheduleRooms } from './schedules.ts';
import { decideSlot, type SlotOutcome } from './slot-outcome.ts';
import * as slotRows from './slot-rows.ts';
import type { PollClaim, Suspect } from './sources.ts';
import { wireNewsOf, wireSlotOf, wireViewOf, type SlotTimes } from './wire.ts';

export type PollOutcome = {
	readonly claim: PollClaim;
	readonly answer: SpokenAnswer;
	readonly changes: readonly SlotChange[];
	readonly nextPollInMs: number;
	/** A shrink that waits for a second opinion, or null. */
	readonly suspect: Suspect | null;
	/** When the source said so, if it was not now: an answer that is read again is as old as it is. */
	readonly heardAt?: Instant;
};

export type PollCommit = {
	/** To be published after the commit. */
	readonly entries: readonly RoomEntry[];
	/** Schedules whose supply changed. */
	readonly touched: readonly ScheduleId[];
	/** Slots that became open, and open ones that are it no more. */
	readonly opened: number;
	readonly closed: number;
	/**
	 * Slots kept as we changed them after this poll began. When above 0 the store is not what the
	 * source listed: let the connector forget this body (settle with committed = false), so that
	 * the next listing is full.
	 */
	readonly kept: number;
};

const nothing: PollCommit = { entries: [], touched: [], opened: 0, closed: 0, kept: 0 };
const RECENT_POLLS = 30;

type Fence = { readonly now: Instant; readonly pollStartedAt: string };

/** The one row that every poll touches. null = fenced. */
const passFence = async (tx: Tx, outcome: PollOutcome): Promise<Fence | null> => {
	const { claim, answer } = outcome;
	const [row] = await tx<Fence[]>`
		update sources set committed_gen = ${claim.gen},
			cursor = ${JSON.stringify(answer.cursor)}::text::jsonb,
			checked_at = coalesce(${outcome.heardAt ?? null}::timestamptz, clock_timestamp()),
			valid_at = ${answer.validAt}, outcome = ${answer.state},
			detail = null, failures = 0, polling_until = null,
			suspect = ${outcome.suspect === null ? null : JSON.stringify(outcome.suspect)}::text::jsonb,
			flags = ${JSON.stringify(answer.flags)}::text::jsonb,
			refused = ${JSON.stringify(answer.refused)}::text::jsonb,
			recent_changes = (recent_changes || ${outcome.changes.length}::int)
				[cardinality(recent_changes) + 2 - ${RECENT_POLLS}::int:],
			next_poll_at = clock_timestamp() + ${outcome.nextPollInMs} * interval '1 millisecond'
		where id = ${claim.sourceId} and poll_gen = ${claim.gen} and committed_gen < ${claim.gen}
		returning clock_timestamp() as now, poll_started_at::text as "pollStartedAt"`;
	return row ?? null;
};

const factsOf = (listing: Listing): readonly SlotFact[] => {
	if (listing.form === 'unchanged') return [];
	return listing.form === 'full' ? listing.facts : listing.changed;
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

type Decided = {
	readonly change: SlotChange;
	readonly row: slotRows.LockedSlot | null;
	readonly outcome: SlotOutcome;
};

const factOf = (change: SlotChange): SlotFact | null =>
	change.kind === 'removed' ? null : change.fact;

const decideAll = (
	changes: readonly SlotChange[],
	rows: ReadonlyMap<SlotKey, slotRows.LockedSlot>
): Decided[] => {
	const decided: Decided[] = [];
	for (const change of changes) {
		const row = rows.get(change.key) ?? null;
		if (row === null && change.kind === 'removed') continue;
		decided.push({ change, row, outcome: decideSlot(row, factOf(change)) });
	}
	return decided;
};

type Told = SlotTimes & { readonly outcome: SlotOutcome; readonly schedule: ScheduleRooms };

/** Writes the rows and returns each slot with its id and its schedule's rooms. */
const writeSlots = async (
	tx: Tx,
	outcome: PollOutcome,
	decided: readonly Decided[],
	schedules: ReadonlyMap<string, ScheduleRooms>
): Promise<Told[]> => {
	const scheduleOf = ({ change }: Decided): ScheduleRooms =>
		must(schedules.get(scheduleKeyOf(change)), 'schedule of a slot');
	const ids = await slotRows.insertSlots(
		tx,
		outcome.claim.sourceId,
		decided.flatMap((one) => {
			const fact = factOf(one.change);
			if (one.row !== null || fact === null) return [];
			return [{ key: one.change.key, scheduleId: scheduleOf(one).id, fact }];
		})
	);
	await slotRows.updateSlots(
		tx,
		decided.flatMap(({ row, change, outcome: { isKept, takenAt } }) =>
			row === null || isKept ? [] : [{ id: row.id, fact: factOf(change), takenAt }]
		)
	);
	return decided.map((one) => {
		const { startsAt, endsAt } = one.row ?? must(factOf(one.change), 'fact');
		const id: SlotId = one.row?.id ?? must(ids.get(one.change.key), 'slot');
		const schedule = scheduleOf(one);
		return { id, scheduleId: schedule.id, startsAt, endsAt, outcome: one.outcome, schedule };
	});
};

type RoomNews = Map<RoomId, WireChange[]>;

const tell = (news: RoomNews, rooms: readonly RoomId[], change: WireChange): void => {
	for (const room of rooms) {
		const changes = news.get(room);
		if (changes === undefined) news.set(room, [change]);
		else changes.push(change);
	}
};

/** S5: slots of a schedule that changed rooms go where it left and come whole where it joined. */
const tellMoves = async (
	tx: Tx,
	schedules: Iterable<ScheduleRooms>,
	news: RoomNews
): Promise<void> => {
	const moved = new Map<ScheduleId, ScheduleRooms>();
	for (const one of schedules) {
		if (one.left.length + one.joined.length > 0) moved.set(one.id, one);
	}
	if (moved.size === 0) return;
	for (const slot of await slotRows.readUpcoming(tx, [...moved.keys()])) {
		const { left, joined } = must(moved.get(slot.scheduleId), 'schedule');
		const view = wireViewOf(slot);
		if (view.state === slotStates.gone) continue;
		tell(news, left, [slot.id, slotStates.gone]);
		if (view.state !== slotStates.taken) tell(news, joined, wireSlotOf(slot, view));
	}
};

const summarize = (told: readonly Told[], entries: RoomEntry[]): PollCommit => {
	const touched = new Set<ScheduleId>();
	const counts = { opened: 0, closed: 0, kept: 0 };
	for (const { scheduleId, outcome } of told) {
		const { before, after, isKept } = outcome;
		if (isKept) counts.kept += 1;
		if (before.state !== after.state || before.left !== after.left) touched.add(scheduleId);
		if (before.state === after.state) continue;
		if (after.state === slotStates.open) counts.opened += 1;
		if (before.state === slotStates.open) counts.closed += 1;
	}
	return { entries, touched: [...touched], ...counts };
};

const scheduleKeyOf = (change: SlotChange): string =>
	change.kind === 'removed' ? change.was.scheduleKey : change.fact.scheduleKey;

const startOf = (change: SlotChange): Instant =>
	change.kind === 'removed' ? change.was.startsAt : change.fact.startsAt;

const commit = async (
	tx: Tx,
	outcome: PollOutcome,
	rooms: Awaited<ReturnType<typeof ensureRooms>>
): Promise<Result<PollCommit, 'fenced'>> => {
	const { claim, answer } = outcome;
	const fence = await passFence(tx, outcome);
	if (fence === null) return refuse('fenced');
	const facts = answer.schedules ?? [];
	// S11: what has begun is nobody's news; it is neither written nor told.
	const upcoming = outcome.changes.filter((change) => startOf(change) > fence.now);
	if (answer.listing.form !== 'unchanged') {
		await slotRows.dropKnownClaims(tx, claim.sourceId, createBusyTest(outcome));
	}
	if (upcoming.length === 0 && facts.length === 0) return ok(nothing);
	const keys = upcoming.map(scheduleKeyOf);
	const schedules = await syncSchedules(tx, claim.sourceId, { facts, keys }, rooms);
	// A slot of a schedule that nobody described cannot be offered; the answer's flags count it.
	const changes = upcoming.filter((change) => schedules.has(scheduleKeyOf(change)));
	const locked = await slotRows.lockSlots(
		tx,
		{ id: claim.sourceId, pollStartedAt: fence.pollStartedAt },
		changes.map(({ key }) => key)
	);
	const told = await writeSlots(tx, outcome, decideAll(changes, locked), schedules);
	const news: RoomNews = new Map();
	for (const slot of told) {
		const { before, after } = slot.outcome;
		const change = wireNewsOf(slot, before, after);
		if (change !== null) tell(news, slot.schedule.stayed, change);
		const vanished = before.state !== slotStates.gone && after.state === slotStates.gone;
		if (vanished) tell(news, slot.schedule.left, [slot.id, slotStates.gone]);
	}
	await tellMoves(tx, schedules.values(), news);
	return ok(summarize(told, await appendChanges(tx, news)));
};

/**
 * S2: writes what a poll learned, if it still is the newest poll of its source; 'fenced' = it is
 * not, and nothing was written. S3: an unchanged answer touches one row. Slots of schedules that
 * neither the answer nor the store describes are left out.
 */
export const commitPoll = async (
	sql: Sql,
	outcome: PollOutcome
): Promise<Result<PollCommit, 'fenced'>> => {
	const rooms = await ensureRooms(sql, outcome.answer.schedules ?? []);
	return await sql.begin((tx) => commit(tx, outcome, rooms));
};
