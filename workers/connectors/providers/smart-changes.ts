// Reads the files of an answer to `_since`: records that changed, and lines that name what was
// deleted. Says null wherever that would not be certain to leave what a whole listing gives.
import { slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { parsePiece, type Ledger, type SlotReader, type Window } from '../ledger.ts';
import { bodyOfLines, piecesOf, textOf as textOfPiece } from '../pieces.ts';
import { isJson, listOf, textOf } from './fhir-shapes.ts';

/** Slots that were told since the whole listing, by id; null = deleted since. */
export type Told = ReadonlyMap<string, SlotKey | null>;

export type ChangedRecord = {
	readonly id: string;
	readonly key: SlotKey;
	readonly fact: SlotFact;
};

/** Every record of the files; null as soon as one is no slot of a schedule that is known. */
export const readChangedRecords = (
	bodies: readonly Buffer[],
	reader: SlotReader
): ChangedRecord[] | null => {
	const records: ChangedRecord[] = [];
	for (const body of bodies) {
		for (const piece of piecesOf(bodyOfLines(body))) {
			const parsed = parsePiece(piece);
			if (parsed === null && textOfPiece(piece).trim() === '') continue;
			const read = parsed === null ? null : reader.read(parsed.value);
			if (read?.kind !== 'slot' || read.isOrphan) return null;
			records.push({ id: read.id, key: slotKeyOf(read.fact), fact: read.fact });
		}
	}
	return records;
};

/** `Slot/h-7f3`, also at the end of a whole address. */
const SLOT_REFERENCE = /(?:^|\/)Slot\/([A-Za-z0-9.-]{1,64})$/;

/** The ids of one line: a transaction of DELETEs of Slots; null = anything else. */
const idsOfLine = (record: unknown): string[] | null => {
	if (!isJson(record) || record['resourceType'] !== 'Bundle') return null;
	const ids: string[] = [];
	for (const entry of listOf(record['entry'])) {
		const [request] = listOf(entry['request']);
		const [, id] = SLOT_REFERENCE.exec(textOf(request?.['url'], 2_000)) ?? [];
		if (request?.['method'] !== 'DELETE' || id === undefined) return null;
		ids.push(id);
	}
	return ids;
};

/** The ids of all Slots that the files name as deleted; null = they name something else. */
export const readDeleted = (bodies: readonly Buffer[]): Set<string> | null => {
	const deleted = new Set<string>();
	for (const body of bodies) {
		for (const piece of piecesOf(bodyOfLines(body))) {
			const parsed = parsePiece(piece);
			if (parsed === null && textOfPiece(piece).trim() === '') continue;
			const ids = parsed === null ? null : idsOfLine(parsed.value);
			if (ids === null) return null;
			for (const id of ids) deleted.add(id);
		}
	}
	return deleted;
};

const ID = /"id"\s*:\s*"([^"\\]{1,64})"/;

/** Under which key the listing held each of these ids; null when one is not found. */
const listedKeys = (
	ledger: Ledger,
	reader: SlotReader,
	wanted: ReadonlySet<string>
): Map<string, SlotKey> | null => {
	const found = new Map<string, SlotKey>();
	for (const { body } of wanted.size === 0 ? [] : ledger.parts) {
		for (const piece of piecesOf(body)) {
			const [, id = ''] = ID.exec(textOfPiece(piece)) ?? [];
			if (!wanted.has(id)) continue;
			const read = reader.read(parsePiece(piece)?.value);
			if (read.kind === 'slot' && read.id === id) found.set(id, slotKeyOf(read.fact));
			if (found.size === wanted.size) return found;
		}
	}
	return found.size === wanted.size ? found : null;
};

export type Applied = {
	readonly changed: readonly SlotFact[];
	readonly gone: readonly SlotKey[];
	readonly told: Told;
};

type Known = {
	readonly ledger: Ledger;
	readonly reader: SlotReader;
	readonly told: Told;
	readonly window: Window;
};

/** More than this since the last whole listing, and another one is due. */
const MOST_TOLD = 5_000;

/** Where each id was before: by what was told since, else by the listing; null = nowhere. */
const formerKeys = (
	{ ledger, reader, told }: Known,
	ids: readonly string[]
): ((id: string) => SlotKey | null) | null => {
	const wanted = new Set(ids.filter((id) => !told.has(id) && ledger.ids.count(id) > 0));
	const listed = listedKeys(ledger, reader, wanted);
	if (listed === null) return null;
	return (id) => (told.has(id) ? (told.get(id) ?? null) : (listed.get(id) ?? null));
};

/**
 * What the records and deletions change of what is known. Slots are known by their time, publishers
 * delete by id: a slot that moved leaves its former time. null where two slots might share a time,
 * or an id stands twice: only a whole listing tells those apart.
 */
export const applyRecords = (
	known: Known,
	records: readonly ChangedRecord[],
	deleted: ReadonlySet<string>
): Applied | null => {
	const { ledger, window } = known;
	const formerOf = formerKeys(known, [...records.map(({ id }) => id), ...deleted]);
	if (formerOf === null) return null;
	const told = new Map(known.told);
	const held = new Set([...told.values()].filter((key) => key !== null));
	const seen = new Set<string>();
	const gone: SlotKey[] = [];
	for (const { id, key } of records) {
		if (seen.has(id) || deleted.has(id)) return null;
		seen.add(id);
		const former = formerOf(id);
		if (former !== key) {
			if (ledger.keys.count(key) > 0 || held.has(key)) return null;
			if (former !== null) gone.push(former);
			held.add(key);
		}
		told.set(id, key);
	}
	for (const id of deleted) {
		const former = formerOf(id);
		if (former !== null) gone.push(former);
		told.set(id, null);
	}
	if (told.size > MOST_TOLD) return null;
	const changed = records
		.map(({ fact }) => fact)
		.filter(({ startsAt }) => startsAt >= window.from && startsAt < window.to);
	return { changed, gone, told };
};
