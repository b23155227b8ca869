// Counts the slot records of one answer as they are read: merges duplicates, counts what is wrong,
// keeps the rest. Shared by whoever reads records, however they were written down.
import { MAX_REFUSED_EXAMPLES, noFlags } from '#domain/answer.ts';
import type { AnswerFlags, RefusedRecord } from '#domain/answer.ts';
import { mergeDuplicate, slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { DAY_MS } from '#domain/time.ts';
import { createCountTable, type CountTable } from './count-table.ts';
import type { SlotRead, Window } from './ledger.ts';

type Sums = { -readonly [K in keyof AnswerFlags]: number };

export type Tally = {
	readonly facts: Map<SlotKey, SlotFact>;
	readonly keys: CountTable;
	readonly ids: CountTable;
	readonly sums: Sums;
	readonly refused: RefusedRecord[];
	/** Schedules of which a record could not be read. */
	readonly unread: Set<string>;
	/** Start of the earliest slot beyond the window. */
	beyondAt: number;
	/** A slot was listed that starts more than a day beyond the window. */
	isWindowIgnored: boolean;
	/** No record had a status other than free. */
	isOnlyFree: boolean;
	/** A record was so broken that it cannot be told whose slot it was. */
	isDoubtful: boolean;
};

export const createTally = (): Tally => ({
	facts: new Map(),
	keys: createCountTable(1_000),
	ids: createCountTable(1_000),
	sums: { ...noFlags },
	refused: [],
	unread: new Set(),
	beyondAt: Infinity,
	isWindowIgnored: false,
	isOnlyFree: true,
	isDoubtful: false
});

/** A record that could not be read. `schedule`: whose it was; null = it could be anybody's. */
export const noteBad = (
	tally: Tally,
	where: string,
	reason: string,
	schedule: string | null
): void => {
	tally.sums.badRecords += 1;
	if (schedule === null) tally.isDoubtful = true;
	else tally.unread.add(schedule);
	if (tally.refused.length < MAX_REFUSED_EXAMPLES) tally.refused.push({ where, reason });
};

/** Servers that know whole days only list the rest of the last one. */
export const isFarBeyond = ({ startsAt }: SlotFact, { to }: Window): boolean =>
	startsAt >= to + DAY_MS;

/** A slot that was read; told only when it is described and starts inside the window. */
export const noteSlot = (
	tally: Tally,
	read: Extract<SlotRead, { kind: 'slot' }>,
	window: Window
): void => {
	const { fact } = read;
	if (tally.ids.add(read.id) > 1) tally.sums.repeatedIds += 1;
	if (read.isOffsetWrong) tally.sums.offsetMismatches += 1;
	if (read.isStatusUnknown) tally.sums.unknownStatuses += 1;
	if (read.isOrphan) tally.sums.orphans += 1;
	if (fact.status !== 'free') tally.isOnlyFree = false;
	const key = slotKeyOf(fact);
	if (tally.keys.add(key) > 1) tally.sums.duplicates += 1;
	if (read.isOrphan || fact.startsAt < window.from) return;
	if (fact.startsAt >= window.to) {
		tally.beyondAt = Math.min(tally.beyondAt, fact.startsAt);
		tally.isWindowIgnored ||= isFarBeyond(fact, window);
		return;
	}
	const known = tally.facts.get(key);
	tally.facts.set(key, known === undefined ? fact : mergeDuplicate(known, fact));
};
