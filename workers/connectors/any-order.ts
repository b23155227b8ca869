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

const randomWord = (): number => randomInt(2 ** 32) | 0;
const seeds = [randomWord(), randomWord(), randomWord(), randomWord()] as const;

/**
 * Fills in both hashes of one record. Words go to four lanes in turn, so that the processor works on
 * four at a time; each step is a bijection of its lane, and in the end of its half: one word that
 * differs always shows.
 */
const hashInto = (index: Index, at: number, view: DataView): void => {
	const start = index.starts[at] ?? 0;
	const end = index.ends[at] ?? 0;
	let [a, b, c, d] = seeds;
	a ^= end - start;
	let position = start;
	for (; position + 16 <= end; position += 16) {
		a = Math.imul(a ^ view.getInt32(position, true), 0x9e3779b1);
		b = Math.imul(b ^ view.getInt32(position + 4, true), 0x85ebca6b);
		c = Math.imul(c ^ view.getInt32(position + 8, true), 0xc2b2ae35);
		d = Math.imul(d ^ view.getInt32(position + 12, true), 0x27d4eb2f);
		a ^= a >>> 15;
		b ^= b >>> 13;
		c ^= c >>> 15;
		d ^= d >>> 13;
	}
	for (; position + 4 <= end; position += 4) {
		a = Math.imul(a ^ view.getInt32(position, true), 0x9e3779b1);
		a ^= a >>> 15;
	}
	for (; position < end; position += 1) {
		b = Math.imul(b ^ view.getUint8(position), 0x85ebca6b);
		b ^= b >>> 13;
	}
	// Both halves hold all four lanes, each mixed in another way.
	const odd = Math.imul(b ^ (b >>> 16), 0xc2b2ae35) ^ (d >>> 7);
	const even = Math.imul(a ^ (a >>> 16), 0x27d4eb2f) ^ (c >>> 7);
	index.low[at] = a ^ Math.imul(c, 0x85ebca6b) ^ odd;
	index.high[at] = b ^ Math.imul(d, 0x9e3779b1) ^ even;
};

const grown = (old: Int32Array): Int32Array<ArrayBuffer> => {
	const larger = new Int32Array(old.length * 2);
	larger.set(old);
	return larger;
};

/** Bytes searched at a time: a small string lies where the last one lay, in the processor's cache. */
const STRETCH = 1 << 16;

type Cuts = { starts: Int32Array<ArrayBuffer>; ends: Int32Array<ArrayBuffer>; count: number };

const addCut = (cuts: Cuts, start: number, end: number): void => {
	if (cuts.count === cuts.starts.length) {
		cuts.starts = grown(cuts.starts);
		cuts.ends = grown(cuts.ends);
	}
	cuts.starts[cuts.count] = start;
	cuts.ends[cuts.count] = end;
	cuts.count += 1;
};

/** One call into native code per record costs more than the record: a string is searched faster. */
const cutRecords = ({ body, from }: Rest): Cuts => {
	const cuts: Cuts = { starts: new Int32Array(1 << 16), ends: new Int32Array(1 << 16), count: 0 };
	const { bytes, mark } = body;
	const edge = mark.pattern.toString('latin1');
	let start = from;
	for (let base = from; base < bytes.length;) {
		const text = bytes.toString('latin1', base, base + STRETCH);
		let found = text.indexOf(edge, start - base);
		while (found >= 0) {
			addCut(cuts, start, base + found + mark.endAt);
			start = base + found + mark.startAt;
			found = text.indexOf(edge, start - base);
		}
		if (base + text.length >= bytes.length) break;
		// A mark may lie across the edge of two stretches.
		base = Math.max(start, base + text.length - edge.length + 1);
	}
	if (start < bytes.length) addCut(cuts, start, bytes.length);
	return cuts;
};

const makeIndex = (rest: Rest): Index => {
	const { bytes } = rest.body;
	const { starts, ends, count } = cutRecords(rest);
	const low = new Int32Array(count);
	const index = { from: rest.from, count, starts, ends, low, high: new Int32Array(count) };
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
