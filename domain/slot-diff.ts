// The diff: what changed between what we know of a source and what it just answered. Pure.
import type { SpokenAnswer } from './answer.ts';
import { sameFact, slotKeyOf, type SlotFact, type SlotKey } from './slot.ts';

export type SlotChange =
	| { readonly kind: 'added'; readonly key: SlotKey; readonly fact: SlotFact }
	| {
			readonly kind: 'changed';
			readonly key: SlotKey;
			readonly fact: SlotFact;
			readonly was: SlotFact;
	  }
	| { readonly kind: 'removed'; readonly key: SlotKey; readonly was: SlotFact };

export type KnownSlots = ReadonlyMap<SlotKey, SlotFact>;

type Scope = Pick<SpokenAnswer, 'state' | 'window' | 'unreadSchedules' | 'isUpdate'>;

/**
 * D5: only a complete answer removes, and an update what its source says was deleted; only inside
 * its window, and never a slot of a schedule that it did not read to the end.
 */
const mayRemove = (scope: Scope, isNamed: boolean): ((fact: SlotFact) => boolean) => {
	const isTold = isNamed && scope.isUpdate === true;
	if (scope.state !== 'complete' && !isTold) return () => false;
	const unread = new Set(scope.unreadSchedules);
	return (fact) =>
		fact.startsAt >= scope.window.from &&
		fact.startsAt < scope.window.to &&
		!unread.has(fact.scheduleKey);
};

const compareOne = (known: KnownSlots, key: SlotKey, fact: SlotFact, out: SlotChange[]): void => {
	const was = known.get(key);
	if (was === undefined) out.push({ kind: 'added', key, fact });
	else if (!sameFact(was, fact)) out.push({ kind: 'changed', key, fact, was });
};

/** Diff of a full listing. O(known + facts). The facts carry distinct natural keys. */
export const diffFull = (
	known: KnownSlots,
	facts: readonly SlotFact[],
	scope: Scope
): SlotChange[] => {
	const changes: SlotChange[] = [];
	const seen = new Set<SlotKey>();
	for (const fact of facts) {
		const key = slotKeyOf(fact);
		seen.add(key);
		compareOne(known, key, fact, changes);
	}
	if (seen.size === known.size && changes.every((c) => c.kind !== 'added')) return changes;
	const removable = mayRemove(scope, false);
	for (const [key, was] of known) {
		if (!seen.has(key) && removable(was)) changes.push({ kind: 'removed', key, was });
	}
	return changes;
};

/** Diff of a delta listing: what is not mentioned is as it was. O(changed + gone). */
export const diffDelta = (
	known: KnownSlots,
	delta: { readonly changed: readonly SlotFact[]; readonly gone: readonly SlotKey[] },
	scope: Scope
): SlotChange[] => {
	const changes: SlotChange[] = [];
	for (const fact of delta.changed) compareOne(known, slotKeyOf(fact), fact, changes);
	const removable = mayRemove(scope, true);
	for (const key of delta.gone) {
		const was = known.get(key);
		if (was !== undefined && removable(was)) changes.push({ kind: 'removed', key, was });
	}
	return changes;
};

/** D6: apply(diff(a, b), a) = b. */
export const applyChanges = (
	known: KnownSlots,
	changes: readonly SlotChange[]
): Map<SlotKey, SlotFact> => {
	const next = new Map(known);
	for (const change of changes) {
		if (change.kind === 'removed') next.delete(change.key);
		else next.set(change.key, change.fact);
	}
	return next;
};

/** A listing smaller than this is not judged: a clinic with three slots may well empty. */
export const SUSPECT_FLOOR = 10;

/**
 * D7: a complete answer that would leave none, or less than half, of the upcoming free slots is
 * suspect and removes nothing until a second poll agrees or the source says "empty" itself.
 */
export const isSuspectShrink = (
	freeBefore: number,
	freeAfter: number,
	explicitEmpty: boolean
): boolean =>
	!explicitEmpty && freeBefore >= SUSPECT_FLOOR && (freeAfter === 0 || freeAfter < freeBefore / 2);
