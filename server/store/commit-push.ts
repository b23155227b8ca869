// Slots that a source told in full, written at once: a partial answer of a few slots. It removes
// nothing, and what is older than what is known is left out.
import type { ScheduleId, SourceId } from '#domain/ids.ts';
import { decidePushed, type PushedSlot } from '#domain/push/pushed-slot.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { sameFact, slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import type { Instant } from '#domain/time.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import { readSlotsByKeys } from './slots.ts';
import { writeChanges } from './write-changes.ts';

export type PushCommit = {
	/** To be published after the commit. */
	readonly entries: readonly RoomEntry[];
	readonly touched: readonly ScheduleId[];
	readonly applied: number;
	readonly outOfDate: number;
	/** Left to a poll, which the inbox now asks for. */
	readonly unsure: number;
};

type Inbox = {
	readonly id: number;
	readonly changes: number;
	readonly slots: readonly PushedSlot[];
};

type Standing = {
	readonly listedAt: Instant | null;
	readonly since: string;
	readonly now: Instant;
};

const keyOf = (slot: PushedSlot): SlotKey =>
	slotKeyOf({
		scheduleKey: slot.schedule,
		startsAt: slot.startsAt as Instant,
		endsAt: slot.endsAt as Instant,
		service: slot.service
	});

const readToldAt = async (
	tx: Tx,
	sourceId: SourceId,
	keys: readonly SlotKey[]
): Promise<Map<SlotKey, Instant>> => {
	const rows = await tx<{ key: SlotKey; at: Instant }[]>`
		select key, told_at as at from slots
		where source_id = ${sourceId} and key = any(${[...keys]}) and told_at > '-infinity'`;
	return new Map(rows.map(({ key, at }) => [key, at]));
};

type Sorted = {
	readonly facts: ReadonlyMap<
		SlotKey,
		{ readonly fact: SlotFact; readonly updatedAt: number | null }
	>;
	readonly outOfDate: number;
	readonly unsure: number;
};

/** In the order in which they were told: of two about one slot the second is held against the first. */
const sort = async (
	tx: Tx,
	sourceId: SourceId,
	slots: readonly PushedSlot[],
	{ listedAt }: Standing
): Promise<Sorted & { readonly known: ReadonlyMap<SlotKey, SlotFact> }> => {
	const keys = [...new Set(slots.map(keyOf))];
	const known = await readSlotsByKeys(tx, sourceId, keys);
	const told = await readToldAt(tx, sourceId, keys);
	const facts = new Map<SlotKey, { fact: SlotFact; updatedAt: number | null }>();
	const counts = { outOfDate: 0, unsure: 0 };
	for (const slot of slots) {
		const key = keyOf(slot);
		const earlier = facts.get(key);
		const decision = decidePushed(slot, {
			fact: earlier?.fact ?? known.get(key) ?? null,
			listedAt,
			toldAt: (earlier?.updatedAt as Instant | null | undefined) ?? told.get(key) ?? null
		});
		if (decision.kind === 'apply')
			facts.set(key, { fact: decision.fact, updatedAt: slot.updatedAt });
		else if (decision.kind === 'out_of_date') counts.outOfDate += 1;
		else counts.unsure += 1;
	}
	return { facts, ...counts, known };
};

const changesOf = ({ facts }: Sorted, known: ReadonlyMap<SlotKey, SlotFact>): SlotChange[] =>
	[...facts].flatMap(([key, { fact }]): SlotChange[] => {
		const was = known.get(key);
		if (was === undefined) return [{ kind: 'added', key, fact }];
		return sameFact(was, fact) ? [] : [{ kind: 'changed', key, fact, was }];
	});

const markPushed = async (
	tx: Tx,
	sourceId: SourceId,
	{ facts }: Sorted,
	changes: number
): Promise<void> => {
	const keys = [...facts.keys()];
	const times = [...facts.values()].map(({ updatedAt }) => updatedAt);
	await tx`
		update slots s set pushed_at = clock_timestamp(),
			told_at = coalesce(to_timestamp(x.at / 1000.0), s.told_at)
		from unnest(${keys}::text[], ${times}::float8[]) as x (key, at)
		where s.source_id = ${sourceId} and s.key = x.key`;
	await tx`
		update sources set pushed_at = clock_timestamp(), emptied_at = null, emptied_count = null
		where id = ${sourceId}`;
	await tx`
		update poll_estimates set told = least(100000, told + ${changes}::int), pushes = not exists (
			select 1 from push_links l where l.source_id = ${sourceId}
				and (l.silent or l.status in ('error', 'off')))
		where source_id = ${sourceId}`;
};

/**
 * Locks the source as a poll's commit does, so that the two never wait for each other crosswise; a
 * push that is being recorded meanwhile waits for neither.
 */
const stand = async (tx: Tx, sourceId: SourceId): Promise<Standing | null> => {
	const [row] = await tx<Standing[]>`
		select valid_at as "listedAt", clock_timestamp() as now, clock_timestamp()::text as since
		from sources where id = ${sourceId} and enabled for no key update`;
	return row ?? null;
};

/** Slots of schedules that nobody has described yet: they could not be written. */
const countAbsent = async (
	tx: Tx,
	sourceId: SourceId,
	changes: readonly SlotChange[],
	now: Instant
): Promise<number> => {
	const added = changes
		.filter((change) => change.kind === 'added' && change.fact.startsAt > now)
		.map(({ key }) => key);
	if (added.length === 0) return 0;
	const [row] = await tx<{ found: number }[]>`
		select count(*) as found from slots where source_id = ${sourceId} and key = any(${added})`;
	return added.length - (row?.found ?? 0);
};

const MOST_AT_ONCE = 1_000;

/**
 * Y6: writes the slots of a source that wait in the inbox, in the order they came. Safe to call twice
 * and from anywhere: null = nothing waited. What it cannot judge stays in the inbox as a signal.
 */
export const commitPush = (sql: Sql, sourceId: SourceId): Promise<PushCommit | null> =>
	sql.begin(async (tx) => {
		const standing = await stand(tx, sourceId);
		if (standing === null) return null;
		const inbox = await tx<Inbox[]>`
			select id, changes, slots from push_inbox
			where source_id = ${sourceId} and slots <> '[]' order by id limit ${MOST_AT_ONCE}`;
		if (inbox.length === 0) return null;
		const sorted = await sort(
			tx,
			sourceId,
			inbox.flatMap(({ slots }) => slots),
			standing
		);
		const changes = changesOf(sorted, sorted.known);
		const { now, since } = standing;
		const done = await writeChanges(
			tx,
			{ sourceId, changes, schedules: [], since, keepsPushed: false, now },
			new Map()
		);
		if (sorted.facts.size > 0) await markPushed(tx, sourceId, sorted, changes.length);
		await tx`delete from push_inbox where id = any(${inbox.map(({ id }) => id)})`;
		// A slot of a schedule that nobody described yet was left out: a poll reads both.
		const left = await countAbsent(tx, sourceId, changes, now);
		const signals = inbox.reduce((sum, row) => sum + row.changes, sorted.unsure + left);
		if (signals > 0) {
			await tx`insert into push_inbox (source_id, changes) values (${sourceId}, ${signals})`;
		}
		return {
			entries: done.entries,
			touched: done.touched,
			applied: changes.length - left,
			outOfDate: sorted.outOfDate,
			unsure: sorted.unsure + left
		};
	}) as Promise<PushCommit | null>;
