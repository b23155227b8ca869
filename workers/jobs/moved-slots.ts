// What a listing said of slots that other polls of its source changed since. Near polls and whole ones
// are each told against the last of their own kind, but the store shows what both found: where a
// listing says "as before" of a slot that the other kind changed meanwhile, that is a change again.
import type { SpokenAnswer } from '#domain/answer.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import type { SlotFact, SlotKey } from '#domain/slot.ts';
import { slotKeyOf } from '#domain/slot.ts';

/** What the listing said of each slot that was changed since; null = it did not list it. */
export type Moved = ReadonlyMap<SlotKey, SlotFact | null>;

export const noneMoved: Moved = new Map();

/** More than this and the next listing is simply read in full. */
const MOST_MOVED = 2_000;

type Window = SpokenAnswer['window'];

const isInside = ({ startsAt }: SlotFact, { from, to }: Window): boolean =>
	startsAt >= from && startsAt < to;

/**
 * Notes changes that were written after a listing of `window` was committed; null = it is no basis any
 * more. `isFull`: the answer that made them listed everything. What such an answer lists no longer was
 * listed before, or only counts as taken because it was not (N3): nobody can say.
 */
export const noteMoved = (
	moved: Moved,
	changes: readonly SlotChange[],
	{ window, isFull }: { readonly window: Window; readonly isFull: boolean }
): Moved | null => {
	const next = new Map(moved);
	for (const change of changes) {
		const was = change.kind === 'added' ? null : change.was;
		if (!isInside(change.kind === 'added' ? change.fact : change.was, window)) continue;
		if (isFull && change.kind === 'removed') return null;
		if (!next.has(change.key)) next.set(change.key, was);
		if (next.size > MOST_MOVED) return null;
	}
	return next;
};

/**
 * W41: the answer as it is told against what the store shows. Only a complete answer says of slots
 * that it does not name that they are as before.
 */
export const tellMoved = (answer: SpokenAnswer, moved: Moved): SpokenAnswer => {
	const { listing, window, state } = answer;
	if (moved.size === 0 || state !== 'complete' || listing.form === 'full') return answer;
	const named = new Set<SlotKey>();
	const changed = listing.form === 'delta' ? [...listing.changed] : [];
	const gone = listing.form === 'delta' ? [...listing.gone] : [];
	for (const fact of changed) named.add(slotKeyOf(fact));
	for (const key of gone) named.add(key);
	for (const [key, fact] of moved) {
		if (named.has(key)) continue;
		if (fact === null) gone.push(key);
		else if (isInside(fact, window)) changed.push(fact);
	}
	const total = listing.form === 'delta' ? listing.total : changed.length;
	return { ...answer, listing: { form: 'delta', changed, gone, total } };
};
