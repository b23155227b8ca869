// Compares two bodies whose records come in any order: multiset difference by 64-bit hashes under a
// secret of this process. Two records that differ in one word never collide, others by chance once
// in 2^64; not touching the old bytes again is what makes this fast.
import { randomInt } from 'node:crypto';
import type { Body, Piece } from './pieces.ts';

export type Rest = { readonly body: Body; readonly from: number };
export type Collected = { readonly removed: Piece[]; readonly added: Piece[] };

/** Where the records of a body lie, and their hashes. */
type Index = {
	readonly from: number;
	readonly count: number;
	readonly starts: Int32Array;
	readonly ends: Int32Array;
	readonly low: Int32Array;
	readonly high: Int32Array;
};

const seedLow = randomInt(2 ** 32) | 0;
const seedHigh = randomInt(2 ** 32) | 0;

/** Fills in both hashes of one record; each step is a bijection of the state. */
const hashInto = (index: Index, at: number, view: DataView): void => {
	const start = index.starts[at] ?? 0;
	const end = index.ends[at] ?? 0;
	let low = seedLow ^ (end - start);
	let high = seedHigh;
	let position = start;
	for (; position + 4 <= end; position += 4) {
		const word = view.getInt32(position, true);
		low = Math.imul(low ^ word, 0x9e3779b1);
		low ^= low >>> 15;
		high = (Math.imul(high, 0x85ebca6b) + word) | 0;
		high ^= high >>> 13;
	}
	for (; position < end; position += 1) {
		low = Math.imul(low ^ view.getUint8(position), 0x9e3779b1);
		high = (Math.imul(high, 0x85ebca6b) + view.getUint8(position)) | 0;
	}
	index.low[at] = low ^ (low >>> 16);
	index.high[at] = high ^ (high >>> 16);
};

const grown = (old: Int32Array): Int32Array<ArrayBuffer> => {
	const larger = new Int32Array(old.length * 2);
	larger.set(old);
	return larger;
};

const makeIndex = ({ body, from }: Rest): Index => {
	let starts = new Int32Array(1 << 16);
	let ends = new Int32Array(1 << 16);
	let count = 0;
	// One call into native code per record costs more than the record: a string is searched faster.
	const text = body.bytes.toString('latin1', from);
	const { pattern, endAt, startAt } = body.mark;
	const edge = pattern.toString('latin1');
	let start = 0;
	while (start < text.length) {
		if (count === starts.length) {
			starts = grown(starts);
			ends = grown(ends);
		}
		const found = text.indexOf(edge, start);
		starts[count] = from + start;
		ends[count] = from + (found < 0 ? text.length : found + endAt);
		count += 1;
		start = found < 0 ? text.length : found + startAt;
	}
	const low = new Int32Array(count);
	const index = { from, count, starts, ends, low, high: new Int32Array(count) };
	const { bytes } = body;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	for (let at = 0; at < count; at += 1) hashInto(index, at, view);
	return index;
};

/** The body that is new in this poll is the old one of the next: its index is made once. */
const indexes = new WeakMap<Buffer, Index>();

const indexOf = (rest: Rest): Index => {
	const known = indexes.get(rest.body.bytes);
	if (known !== undefined && known.from === rest.from) return known;
	const made = makeIndex(rest);
	indexes.set(rest.body.bytes, made);
	return made;
};

const pieceAt = (body: Body, index: Index, at: number): Piece => ({
	bytes: body.bytes,
	start: index.starts[at] ?? 0,
	end: index.ends[at] ?? 0
});

/** Adds to `into` what only one of the two holds. */
export const compareAnyOrder = (one: Rest, two: Rest, into: Collected): void => {
	const old = indexOf(one);
	const next = indexOf(two);
	const size = 1 << Math.max(4, Math.ceil(Math.log2(old.count + 1)) + 1);
	const heads = new Int32Array(size).fill(-1);
	const chain = new Int32Array(old.count);
	for (let at = old.count - 1; at >= 0; at -= 1) {
		const cell = (old.low[at] ?? 0) & (size - 1);
		chain[at] = heads[cell] ?? -1;
		heads[cell] = at;
	}
	const isTaken = new Uint8Array(old.count);
	for (let at = 0; at < next.count; at += 1) {
		const low = next.low[at] ?? 0;
		const high = next.high[at] ?? 0;
		const cell = low & (size - 1);
		let previous = -1;
		let found = heads[cell] ?? -1;
		while (found >= 0 && (old.low[found] !== low || old.high[found] !== high)) {
			previous = found;
			found = chain[found] ?? -1;
		}
		if (found < 0) {
			into.added.push(pieceAt(two.body, next, at));
			continue;
		}
		isTaken[found] = 1;
		// Unlinked, so that a body of one record a hundred thousand times costs no square.
		if (previous < 0) heads[cell] = chain[found] ?? -1;
		else chain[previous] = chain[found] ?? -1;
	}
	for (let at = 0; at < old.count; at += 1) {
		if (isTaken[at] === 0) into.removed.push(pieceAt(one.body, old, at));
	}
};
