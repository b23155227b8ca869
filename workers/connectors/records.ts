// The byte path: finds out which records of a body differ from the body kept of the last poll,
// without parsing either. Equal bytes are equal records; what differs is handed out raw.
import { compareAnyOrder } from './any-order.ts';
import { endOf, piecesOf, startAfter, type Body, type Piece } from './pieces.ts';

export type Difference = { readonly removed: readonly Piece[]; readonly added: readonly Piece[] };

const FIRST_STEP = 4_096;
const LARGEST_STEP = 1 << 20;
const BYTEWISE = 48;

/** How many bytes are equal from `a` in `one` and `b` in `two`: memcmp, then bisection. */
const commonLength = (one: Buffer, a: number, two: Buffer, b: number): number => {
	const most = Math.min(one.length - a, two.length - b);
	let equal = 0;
	let step = FIRST_STEP;
	let isNarrowing = false;
	while (equal < most) {
		const size = Math.min(step, most - equal);
		const from = a + equal;
		const against = b + equal;
		if (one.compare(two, against, against + size, from, from + size) === 0) {
			equal += size;
			step = isNarrowing ? Math.max(step >> 1, 1) : Math.min(step * 2, LARGEST_STEP);
		} else if (size <= BYTEWISE) {
			while (one[a + equal] === two[b + equal]) equal += 1;
			return equal;
		} else {
			isNarrowing = true;
			step = size >> 1;
		}
	}
	return equal;
};

/** Records looked ahead on both sides when one was inserted, removed or changed. */
const LOOK_AHEAD = 24;

type Side = { readonly body: Body; readonly spans: number[] };

/** The end of the `at`-th record from here, cutting only as far as needed; -1 = no such record. */
const reach = (side: Side, at: number): boolean => {
	const { body, spans } = side;
	while (spans.length < at * 2 + 2) {
		const last = spans.at(-1);
		const start = last === undefined ? -1 : startAfter(body, last);
		if (start < 0 || start >= body.bytes.length) return false;
		spans.push(start, endOf(body, start));
	}
	return true;
};

const sideAt = (body: Body, start: number): Side => ({
	body,
	spans: start < body.bytes.length ? [start, endOf(body, start)] : []
});

const sameSpan = (one: Side, i: number, two: Side, j: number): boolean => {
	const a = one.spans[i * 2] ?? 0;
	const aEnd = one.spans[i * 2 + 1] ?? 0;
	const b = two.spans[j * 2] ?? 0;
	const bEnd = two.spans[j * 2 + 1] ?? 0;
	return aEnd - a === bEnd - b && one.body.bytes.compare(two.body.bytes, b, bEnd, a, aEnd) === 0;
};

/** The nearest pair of equal records ahead: how many to step over on each side, or null. */
const resync = (one: Side, two: Side): readonly [number, number] | null => {
	for (let distance = 0; distance <= LOOK_AHEAD; distance += 1) {
		for (let turn = 0; turn <= distance; turn += 1) {
			// Begin in the middle: a record changed in place is the commonest case.
			const half = (distance + 1) >> 1;
			const i = turn % 2 === 0 ? half + (turn >> 1) : half - ((turn + 1) >> 1);
			const j = distance - i;
			if (i < 0 || j < 0) continue;
			if (reach(one, i) && reach(two, j) && sameSpan(one, i, two, j)) return [i, j];
		}
	}
	return null;
};

const take = (side: Side, count: number, into: Piece[]): void => {
	for (let at = 0; at < count && reach(side, at); at += 1) {
		into.push({
			bytes: side.body.bytes,
			start: side.spans[at * 2] ?? 0,
			end: side.spans[at * 2 + 1] ?? 0
		});
	}
};

/** Start of the record, equal on both sides so far, in which the first difference lies. */
const recordStart = (body: Body, from: number, differsAt: number): number => {
	const { pattern, startAt } = body.mark;
	const latest = differsAt - pattern.length;
	if (latest < from) return from;
	const at = body.bytes.lastIndexOf(pattern, latest);
	return at < from ? from : at + startAt;
};

/**
 * Which records were removed and added between two bodies that are cut alike, as multisets.
 * Walks both in order as long as that works, then goes on in any order.
 */
export const compareBodies = (before: Body, after: Body): Difference => {
	const removed: Piece[] = [];
	const added: Piece[] = [];
	let a = 0;
	let b = 0;
	while (a < before.bytes.length && b < after.bytes.length) {
		const equal = commonLength(before.bytes, a, after.bytes, b);
		if (a + equal === before.bytes.length && b + equal === after.bytes.length) {
			return { removed, added };
		}
		const skipped = recordStart(before, a, a + equal) - a;
		const one = sideAt(before, a + skipped);
		const two = sideAt(after, b + skipped);
		const steps = resync(one, two);
		if (steps === null) {
			const rest = { removed, added };
			compareAnyOrder(
				{ body: before, from: a + skipped },
				{ body: after, from: b + skipped },
				rest
			);
			return { removed, added };
		}
		take(one, steps[0], removed);
		take(two, steps[1], added);
		a = startAfter(before, one.spans[steps[0] * 2 + 1] ?? before.bytes.length);
		b = startAfter(after, two.spans[steps[1] * 2 + 1] ?? after.bytes.length);
	}
	for (const piece of piecesOf(before, a)) removed.push(piece);
	for (const piece of piecesOf(after, b)) added.push(piece);
	return { removed, added };
};
