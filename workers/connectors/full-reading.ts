// Reads every slot record of a body: merges duplicates, counts what is wrong, keeps the rest.
import type { AnswerFlags } from '#domain/answer.ts';
import { MAX_RECORD_BYTES, MAX_RECORDS, parsePiece } from './ledger.ts';
import type { Part, Reading, ReadOptions } from './ledger.ts';
import { piecesOf, textOf, type Piece } from './pieces.ts';
import { createTally, noteBad, noteSlot, type Tally } from './tally.ts';

type FullState = Tally & { readonly others: unknown[]; isMiscut: boolean };

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
	const state: FullState = { ...createTally(), others: [], isMiscut: false };
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
		isWindowIgnored: state.isWindowIgnored,
		isMiscut: state.isMiscut,
		beyondAt: state.beyondAt,
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
			isWindowIgnored: state.isWindowIgnored,
			isOnlyFree: state.isOnlyFree && state.sums.records > 0
		})
	};
};
