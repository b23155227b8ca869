// Compares two bodies whose records come in any order: multiset difference by hash, each hit
// confirmed byte by byte, so that no collision can hide a change.
import { endOf, startAfter, type Body, type Piece } from './pieces.ts';

export type Rest = { readonly body: Body; readonly from: number };
export type Collected = { readonly removed: Piece[]; readonly added: Piece[] };

type Cut = { readonly starts: number[]; readonly ends: number[] };

const cutFrom = (body: Body, from: number): Cut => {
	const cut: Cut = { starts: [], ends: [] };
	for (let start = from; start < body.bytes.length;) {
		const end = endOf(body, start);
		cut.starts.push(start);
		cut.ends.push(end);
		start = startAfter(body, end);
	}
	return cut;
};

/** 32 bits of a record: every fourth byte position is read as one word. */
const hashOf = (view: DataView, start: number, end: number): number => {
	let hash = (end - start) | 0;
	let at = start;
	for (; at + 4 <= end; at += 4) {
		hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1);
		hash ^= hash >>> 15;
	}
	for (; at < end; at += 1) hash = Math.imul(hash ^ view.getUint8(at), 0x85ebca6b);
	return hash ^ (hash >>> 13);
};

const viewOf = (bytes: Buffer): DataView =>
	new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Multiset difference by hash, each hit confirmed byte by byte. */
export const compareAnyOrder = (one: Rest, two: Rest, into: Collected): void => {
	const before = one.body;
	const after = two.body;
	const old = cutFrom(before, one.from);
	const next = cutFrom(after, two.from);
	const size = 1 << Math.max(4, Math.ceil(Math.log2(old.starts.length + 1)) + 1);
	const heads = new Int32Array(size).fill(-1);
	const chain = new Int32Array(old.starts.length);
	const oldView = viewOf(before.bytes);
	for (let at = old.starts.length - 1; at >= 0; at -= 1) {
		const slot = hashOf(oldView, old.starts[at] ?? 0, old.ends[at] ?? 0) & (size - 1);
		chain[at] = heads[slot] ?? -1;
		heads[slot] = at;
	}
	const isTaken = new Uint8Array(old.starts.length);
	const nextView = viewOf(after.bytes);
	for (let at = 0; at < next.starts.length; at += 1) {
		const start = next.starts[at] ?? 0;
		const end = next.ends[at] ?? 0;
		const slot = hashOf(nextView, start, end) & (size - 1);
		let previous = -1;
		let found = heads[slot] ?? -1;
		for (; found >= 0; previous = found, found = chain[found] ?? -1) {
			const from = old.starts[found] ?? 0;
			const to = old.ends[found] ?? 0;
			if (to - from !== end - start) continue;
			if (before.bytes.compare(after.bytes, start, end, from, to) === 0) break;
		}
		if (found < 0) {
			into.added.push({ bytes: after.bytes, start, end });
			continue;
		}
		isTaken[found] = 1;
		if (previous < 0) heads[slot] = chain[found] ?? -1;
		else chain[previous] = chain[found] ?? -1;
	}
	for (let at = 0; at < isTaken.length; at += 1) {
		if (isTaken[at] === 1) continue;
		into.removed.push({ bytes: before.bytes, start: old.starts[at] ?? 0, end: old.ends[at] ?? 0 });
	}
};
