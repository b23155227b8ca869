// A ledger: the slot records of one committed poll, raw, with what is needed to answer the next
// poll by difference.
import type { AnswerFlags, Listing, RefusedRecord } from '#domain/answer.ts';
import type { SlotFact } from '#domain/slot.ts';
import type { Instant } from '#domain/time.ts';
import type { CountTable } from './count-table.ts';
import { textOf, type Body, type Piece } from './pieces.ts';

/** One file or page of slot records. */
export type Part = { readonly name: string; readonly body: Body };

export type SlotRead =
	| {
			readonly kind: 'slot';
			readonly fact: SlotFact;
			readonly id: string;
			readonly isOffsetWrong: boolean;
			readonly isStatusUnknown: boolean;
			/** Its schedule is not described: counted, not offered. */
			readonly isOrphan: boolean;
	  }
	| { readonly kind: 'bad'; readonly reason: string; readonly scheduleKey: string | null }
	/** Not a Slot: an included resource, an OperationOutcome. */
	| { readonly kind: 'other' };

export type SlotReader = {
	/** Reads one parsed record. */
	readonly read: (record: unknown) => SlotRead;
	/** True where a piece that is no JSON means that we cut wrongly, not that a record is bad. */
	readonly isStrict: boolean;
	/** Equal signatures read equal records equally. */
	readonly signature: string;
	/** The schedule a record that is no JSON seems to belong to, from its raw text; or null. */
	readonly guessSchedule: (raw: string) => string | null;
};

export type Window = { readonly from: Instant; readonly to: Instant };

export type Ledger = {
	readonly parts: readonly Part[];
	readonly signature: string;
	readonly window: Window;
	readonly keys: CountTable;
	readonly ids: CountTable;
	readonly flags: AnswerFlags;
	readonly refused: readonly RefusedRecord[];
	/** Schedules of which a record could not be read. */
	readonly unread: readonly string[];
	/** Start of the earliest slot beyond the window: when it enters, everything is read anew. */
	readonly beyondAt: number;
	/** A slot was listed that starts more than a day beyond the window. */
	readonly isWindowIgnored: boolean;
	/** No record had a status other than free: the source lists only what is free. */
	readonly isOnlyFree: boolean;
};

export type Reading = {
	readonly listing: Listing;
	readonly flags: AnswerFlags;
	readonly refused: readonly RefusedRecord[];
	readonly unread: readonly string[];
	/** A record was so broken that it cannot be told whose slot it was. */
	readonly isDoubtful: boolean;
	/** A slot was listed that starts more than a day beyond the window. */
	readonly isWindowIgnored: boolean;
	/** Start of the earliest slot beyond the window; Infinity = none was listed. */
	readonly beyondAt: number;
	/** Makes the ledger of this reading; to be called once, when the poll was committed. */
	readonly settle: () => Ledger;
	/** A piece is no JSON although its reader said that it must be: the body was cut wrongly. */
	readonly isMiscut: boolean;
	/** Resources other than slots that came along (full readings only). */
	readonly others: readonly unknown[];
};

/** Longer than this and one record is refused unread, bytes. */
export const MAX_RECORD_BYTES = 65_536;
/** More slot records than this are not read. */
export const MAX_RECORDS = 250_000;

export type ReadOptions = { readonly reader: SlotReader; readonly window: Window };

/** A raw record as a JSON object; null when it is none. */
export const parsePiece = (piece: Piece): { readonly value: unknown } | null => {
	try {
		const value: unknown = JSON.parse(textOf(piece));
		return typeof value === 'object' && value !== null && !Array.isArray(value) ? { value } : null;
	} catch {
		return null;
	}
};
