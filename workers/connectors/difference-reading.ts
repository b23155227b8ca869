// Reads only the records that differ from the ledger of the last committed poll, where that is
// provably the same as reading everything; says null where it is not.
import type { AnswerFlags, Listing } from '#domain/answer.ts';
import { slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { MAX_RECORD_BYTES, MAX_RECORDS, parsePiece } from './ledger.ts';
import type { Ledger, Part, Reading, ReadOptions, SlotRead, SlotReader, Window } from './ledger.ts';
import { joinBodies, sameMark, textOf, type Body, type Piece } from './pieces.ts';
import { compareBodies, type Difference } from './records.ts';
import { isFarBeyond } from './tally.ts';

/** Which raw records differ; null when the bodies are not cut alike. */
const differenceOf = (before: readonly Part[], after: readonly Part[]): Difference | null => {
	const kept = new Map(before.map((part) => [part.name, part.body]));
	const fresh: Body[] = [];
	for (const part of after) {
		const known = kept.get(part.name);
		const isSame =
			known !== undefined &&
			sameMark(known.mark, part.body.mark) &&
			(known.bytes === part.body.bytes || known.bytes.equals(part.body.bytes));
		if (isSame) kept.delete(part.name);
		else fresh.push(part.body);
	}
	const old = joinBodies([...kept.values()]);
	const next = joinBodies(fresh);
	if (old === null || next === null) return null;
	if (old.bytes.length > 0 && next.bytes.length > 0 && !sameMark(old.mark, next.mark)) return null;
	return compareBodies(old, next);
};

type ReadSlot = Extract<SlotRead, { kind: 'slot' }> & { readonly key: SlotKey };

/** The slots of raw records; null as soon as one is anything else. */
const readSlots = (pieces: readonly Piece[], reader: SlotReader): ReadSlot[] | null => {
	const slots: ReadSlot[] = [];
	for (const piece of pieces) {
		if (piece.end - piece.start > MAX_RECORD_BYTES) return null;
		const parsed = parsePiece(piece);
		if (parsed === null) {
			if (textOf(piece).trim() === '') continue;
			return null;
		}
		const read = reader.read(parsed.value);
		if (read.kind !== 'slot') return null;
		slots.push({ ...read, key: slotKeyOf(read.fact) });
	}
	return slots;
};

/**
 * True when each natural key concerned stands in one record only, before and after: then no merge
 * of duplicates is involved and the records that did not change need not be looked at.
 */
const areKeysSingle = (
	ledger: Ledger,
	removed: readonly ReadSlot[],
	added: readonly ReadSlot[]
): boolean => {
	const leaving = new Set<SlotKey>();
	for (const { key } of removed) {
		if (ledger.keys.count(key) !== 1 || leaving.has(key)) return false;
		leaving.add(key);
	}
	const arriving = new Set<SlotKey>();
	for (const { key } of added) {
		if (arriving.has(key) || (!leaving.has(key) && ledger.keys.count(key) !== 0)) return false;
		arriving.add(key);
	}
	return true;
};

const countDelta =
	(removed: readonly ReadSlot[], added: readonly ReadSlot[]) =>
	(pick: (slot: ReadSlot) => boolean): number =>
		added.filter(pick).length - removed.filter(pick).length;

/** How many ids are repeated once the change is made; the table is left as it was. */
const repeatedAfter = (
	ledger: Ledger,
	removed: readonly ReadSlot[],
	added: readonly ReadSlot[]
): number => {
	const shift = new Map<string, number>();
	for (const { id } of added) shift.set(id, (shift.get(id) ?? 0) + 1);
	for (const { id } of removed) shift.set(id, (shift.get(id) ?? 0) - 1);
	let repeated = ledger.flags.repeatedIds;
	for (const [id, by] of shift) {
		const was = ledger.ids.count(id);
		repeated += Math.max(0, was + by - 1) - Math.max(0, was - 1);
	}
	return repeated;
};

const flagsAfter = (
	ledger: Ledger,
	removed: readonly ReadSlot[],
	added: readonly ReadSlot[]
): AnswerFlags => {
	const shift = countDelta(removed, added);
	const { flags } = ledger;
	return {
		...flags,
		records: flags.records + added.length - removed.length,
		offsetMismatches: flags.offsetMismatches + shift((slot) => slot.isOffsetWrong),
		unknownStatuses: flags.unknownStatuses + shift((slot) => slot.isStatusUnknown),
		orphans: flags.orphans + shift((slot) => slot.isOrphan),
		repeatedIds: repeatedAfter(ledger, removed, added)
	};
};

/** A list that loses more than this share at once is not believed to have been taken. */
const TAKEN_SHARE = 0.25;

const isInside = (fact: SlotFact, window: Window): boolean =>
	fact.startsAt >= window.from && fact.startsAt < window.to;

/** A source that lists only free slots means "taken" when one is no longer listed. */
const asTaken = (fact: SlotFact): SlotFact => ({ ...fact, status: 'busy', remaining: 0 });

const deltaOf = (
	ledger: Ledger,
	removed: readonly ReadSlot[],
	added: readonly ReadSlot[],
	window: Window
): Extract<Listing, { form: 'delta' }> => {
	const changed = added
		.filter((slot) => !slot.isOrphan && isInside(slot.fact, window))
		.map(({ fact }) => fact);
	const arriving = new Set(added.map(({ key }) => key));
	const left = removed.filter(
		(slot) => !slot.isOrphan && !arriving.has(slot.key) && isInside(slot.fact, window)
	);
	const total = ledger.keys.distinct() + added.length - removed.length;
	const areTaken = ledger.isOnlyFree && left.length <= ledger.flags.records * TAKEN_SHARE;
	return areTaken
		? {
				form: 'delta',
				changed: [...changed, ...left.map(({ fact }) => asTaken(fact))],
				gone: [],
				total
			}
		: { form: 'delta', changed, gone: left.map(({ key }) => key), total };
};

const beyondAfter = (ledger: Ledger, added: readonly ReadSlot[], window: Window): number =>
	added
		.map(({ fact }) => fact.startsAt)
		.filter((startsAt) => startsAt >= window.to)
		.reduce((least, startsAt) => Math.min(least, startsAt), ledger.beyondAt);

/**
 * Reads only what differs from the ledger. Null when that would not be certain to give what a full
 * reading gives: other reader, window went on past a slot, broken records, repeated keys.
 */
export const readByDifference = (
	ledger: Ledger,
	parts: readonly Part[],
	how: ReadOptions
): Reading | null => {
	const { reader, window } = how;
	if (reader.signature !== ledger.signature || window.from < ledger.window.from) return null;
	if (window.to > ledger.beyondAt || window.to < ledger.window.to) return null;
	const difference = differenceOf(ledger.parts, parts);
	if (difference === null) return null;
	if (difference.added.length > 2 * ledger.flags.records + 100) return null;
	const removed = readSlots(difference.removed, reader);
	const added = readSlots(difference.added, reader);
	if (removed === null || added === null || !areKeysSingle(ledger, removed, added)) return null;
	const flags = flagsAfter(ledger, removed, added);
	if (flags.records > MAX_RECORDS) return null;
	const isSame = removed.length === 0 && added.length === 0;
	const isWindowIgnored =
		ledger.isWindowIgnored || added.some(({ fact }) => isFarBeyond(fact, window));
	const beyondAt = beyondAfter(ledger, added, window);
	return {
		listing: isSame ? { form: 'unchanged' } : deltaOf(ledger, removed, added, window),
		flags,
		refused: ledger.refused,
		unread: ledger.unread,
		isDoubtful: false,
		isWindowIgnored,
		isMiscut: false,
		beyondAt,
		others: [],
		settle: () => {
			for (const slot of removed) {
				ledger.keys.drop(slot.key);
				ledger.ids.drop(slot.id);
			}
			for (const slot of added) {
				ledger.keys.add(slot.key);
				ledger.ids.add(slot.id);
			}
			return {
				...ledger,
				parts,
				window,
				flags,
				isWindowIgnored,
				beyondAt,
				isOnlyFree: ledger.isOnlyFree && added.every(({ fact }) => fact.status === 'free')
			};
		}
	};
};
