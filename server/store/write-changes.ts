// Slots and schedules that changed, written inside a transaction together with one numbered entry per
// room: what a poll's commit and a push have in common.
import { isHiddenAt } from '#domain/hidden-span.ts';
import type { ScheduleId, SlotId, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import { slotStates, type SlotFact, type SlotKey } from '#domain/slot.ts';
import type { Instant } from '#domain/time.ts';
import type { Tx } from '../platform/postgres.ts';
import { appendChanges, tell, type RoomNews } from './change-log.ts';
import { syncSchedules, type ensureRooms, type ScheduleRooms } from './schedules.ts';
import { decideSlot, type SlotOutcome } from './slot-outcome.ts';
import * as slotRows from './slot-rows.ts';
import { wireNewsOf, wireSlotOf, wireViewOf, type SlotTimes } from './wire.ts';

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
	/** Schedules that were not stored like this before. */
	readonly rewritten: number;
};

export const nothingCommitted: PollCommit = {
	entries: [],
	touched: [],
	opened: 0,
	closed: 0,
	kept: 0,
	rewritten: 0
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
	sourceId: SourceId,
	decided: readonly Decided[],
	schedules: ReadonlyMap<string, ScheduleRooms>
): Promise<Told[]> => {
	const scheduleOf = ({ change }: Decided): ScheduleRooms =>
		must(schedules.get(scheduleKeyOf(change)), 'schedule of a slot');
	const ids = await slotRows.insertSlots(
		tx,
		sourceId,
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
		const { left, joined, hidden } = must(moved.get(slot.scheduleId), 'schedule');
		const view = wireViewOf(slot);
		if (view.state === slotStates.gone || isHiddenAt(hidden, slot.startsAt)) continue;
		tell(news, left, [slot.id, slotStates.gone]);
		if (view.state !== slotStates.taken) tell(news, joined, wireSlotOf(slot, view));
	}
};

const summarize = (told: readonly Told[], entries: RoomEntry[], rewritten: number): PollCommit => {
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
	return { entries, touched: [...touched], ...counts, rewritten };
};

const scheduleKeyOf = (change: SlotChange): string =>
	change.kind === 'removed' ? change.was.scheduleKey : change.fact.scheduleKey;

const startOf = (change: SlotChange): Instant =>
	change.kind === 'removed' ? change.was.startsAt : change.fact.startsAt;

export type ToWrite = {
	readonly sourceId: SourceId;
	readonly changes: readonly SlotChange[];
	readonly schedules: readonly ScheduleFact[];
	/** When it was asked or heard, as Postgres writes it: what we changed after it may be kept. */
	readonly since: string;
	/** Y7: a poll keeps what a push wrote after it began; pushes know their order by their versions. */
	readonly keepsPushed: boolean;
	readonly now: Instant;
};

/** Slots of schedules that neither `schedules` nor the store describes are left out. */
export const writeChanges = async (
	tx: Tx,
	write: ToWrite,
	rooms: Awaited<ReturnType<typeof ensureRooms>>
): Promise<PollCommit> => {
	const { sourceId, schedules: facts } = write;
	// S11: what has begun is nobody's news; it is neither written nor told.
	const upcoming = write.changes.filter((change) => startOf(change) > write.now);
	if (upcoming.length === 0 && facts.length === 0) return nothingCommitted;
	const keys = upcoming.map(scheduleKeyOf);
	const schedules = await syncSchedules(tx, sourceId, { facts, keys }, rooms);
	// A slot of a schedule that nobody described cannot be offered; the answer's flags count it.
	const changes = upcoming.filter((change) => schedules.has(scheduleKeyOf(change)));
	const locked = await slotRows.lockSlots(
		tx,
		{ id: sourceId, since: write.since, keepsPushed: write.keepsPushed },
		changes.map(({ key }) => key)
	);
	const told = await writeSlots(tx, sourceId, decideAll(changes, locked), schedules);
	const news: RoomNews = new Map();
	for (const slot of told) {
		// K25, E20: nobody is shown what is hidden.
		if (isHiddenAt(slot.schedule.hidden, slot.startsAt)) continue;
		const { before, after } = slot.outcome;
		const change = wireNewsOf(slot, before, after);
		if (change !== null) tell(news, slot.schedule.stayed, change);
		const vanished = before.state !== slotStates.gone && after.state === slotStates.gone;
		if (vanished) tell(news, slot.schedule.left, [slot.id, slotStates.gone]);
	}
	await tellMoves(tx, schedules.values(), news);
	const rewritten = [...schedules.values()].filter(({ isNews }) => isNews).length;
	return summarize(told, await appendChanges(tx, news), rewritten);
};
