// Reads every slot record of a body: merges duplicates, counts what is wrong, keeps the rest.
import { MAX_REFUSED_EXAMPLES, noFlags } from '#domain/answer.ts';
import type { AnswerFlags, RefusedRecord } from '#domain/answer.ts';
import { mergeDuplicate, slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { createCountTable, type CountTable } from './count-table.ts';
import { MAX_RECORD_BYTES, MAX_RECORDS, parsePiece } from './ledger.ts';
import type { Part, Reading, ReadOptions, SlotRead, Window } from './ledger.ts';
import { piecesOf, textOf, type Piece } from './pieces.ts';

type Sums = { -readonly [K in keyof AnswerFlags]: number };

type FullState = {
	readonly facts: Map<SlotKey, SlotFact>;
	readonly keys: CountTable;
	readonly ids: CountTable;
	readonly sums: Sums;
	readonly refused: RefusedRecord[];
	readonly unread: Set<string>;
	readonly others: unknown[];
	beyondAt: number;
	isOnlyFree: boolean;
	isDoubtful: boolean;
	isMiscut: boolean;
};

const noteBad = (
	state: FullState,
	where: string,
	reason: string,
	schedule: string | null
): void => {
	state.sums.badRecords += 1;
	if (schedule === null) state.isDoubtful = true;
	else state.unread.add(schedule);
	if (state.refused.length < MAX_REFUSED_EXAMPLES) state.refused.push({ where, reason });
};

const noteSlot = (
	state: FullState,
	read: Extract<SlotRead, { kind: 'slot' }>,
	window: Window
): void => {
	const { fact } = read;
	if (state.ids.add(read.id) > 1) state.sums.repeatedIds += 1;
	if (read.isOffsetWrong) state.sums.offsetMismatches += 1;
	if (read.isStatusUnknown) state.sums.unknownStatuses += 1;
	if (read.isOrphan) state.sums.orphans += 1;
	if (fact.status !== 'free') state.isOnlyFree = false;
	const key = slotKeyOf(fact);
	if (state.keys.add(key) > 1) state.sums.duplicates += 1;
	if (read.isOrphan || fact.startsAt < window.from) return;
	if (fact.startsAt >= window.to) {
		state.beyondAt = Math.min(state.beyondAt, fact.startsAt);
		return;
	}
	const known = state.facts.get(key);
	state.facts.set(key, known === undefined ? fact : mergeDuplicate(known, fact));
};

const readPiece = (state: FullState, piece: Piece, where: string, how: ReadOptions): void => {
	if (piece.end - piece.start > MAX_RECORD_BYTES) {
		state.sums.records += 1;
		const head = { ...piece, end: piece.start + MAX_RECORD_BYTES };
		return noteBad(state, where, 'record too long', how.reader.guessSchedule(textOf(head)));
	}
	const parsed = parsePiece(piece);
	if (parsed === null) {
		const raw = textOf(piece);
		if (raw.trim() === '') return;
		if (how.reader.isStrict) state.isMiscut = true;
		state.sums.records += 1;
		return noteBad(state, where, 'not a JSON object', how.reader.guessSchedule(raw));
	}
	const read = how.reader.read(parsed.value);
	if (read.kind === 'other') {
		state.others.push(parsed.value);
		return;
	}
	state.sums.records += 1;
	if (read.kind === 'bad') noteBad(state, where, read.reason, read.scheduleKey);
	else noteSlot(state, read, how.window);
};

/** The last piece of a file's path: enough to find a line by, and never a query. */
const labelOf = (part: Part): string => part.name.split('?')[0]?.split('/').at(-1) ?? '';

/** Parses every record. */
export const readInFull = (parts: readonly Part[], how: ReadOptions): Reading => {
	const state: FullState = {
		facts: new Map(),
		keys: createCountTable(1_000),
		ids: createCountTable(1_000),
		sums: { ...noFlags },
		refused: [],
		unread: new Set(),
		others: [],
		beyondAt: Infinity,
		isOnlyFree: true,
		isDoubtful: false,
		isMiscut: false
	};
	for (const part of parts) {
		for (const [at, piece] of piecesOf(part.body).entries()) {
			if (state.sums.records >= MAX_RECORDS) {
				state.isDoubtful = true;
				break;
			}
			readPiece(state, piece, `${labelOf(part)}:${at + 1}`, how);
		}
	}
	const flags: AnswerFlags = state.sums;
	return {
		listing: { form: 'full', facts: [...state.facts.values()] },
		flags,
		refused: state.refused,
		unread: [...state.unread],
		isDoubtful: state.isDoubtful,
		isMiscut: state.isMiscut,
		others: state.others,
		settle: () => ({
			parts,
			signature: how.reader.signature,
			window: how.window,
			keys: state.keys,
			ids: state.ids,
			flags,
			refused: state.refused,
			unread: [...state.unread],
			beyondAt: state.beyondAt,
			isOnlyFree: state.isOnlyFree && state.sums.records > 0
		})
	};
};
