// Is a sudden loss of free slots to be believed? Pure; the rule itself is D7 of domain/slot-diff.ts.
import { isSuspectShrink, type SlotChange } from '#domain/slot-diff.ts';
import type { Instant } from '#domain/time.ts';

export type ShrinkCase = {
	readonly now: Instant;
	/** Upcoming free slots of the answer's window before this poll. */
	readonly freeBefore: number;
	readonly changes: readonly SlotChange[];
	readonly explicitEmpty: boolean;
	/** From the poll before, if that was suspect. */
	readonly earlier: { readonly freeAfter: number } | null;
};

/** Two looks agree when they would leave about the same: within a tenth of what was free. */
const AGREE_SHARE = 0.1;

/**
 * D7 applied: null = believe the answer; else remove nothing and remember this. Only vanished
 * slots count as a loss: a slot that is still listed, but busy, is the source's own word.
 */
export const decideShrink = (shrink: ShrinkCase): { readonly freeAfter: number } | null => {
	let freeAfter = shrink.freeBefore;
	for (const change of shrink.changes) {
		const fact = change.kind === 'removed' ? change.was : change.fact;
		if (fact.startsAt <= shrink.now || fact.remaining === 0) continue;
		if (change.kind === 'removed') freeAfter -= 1;
		else if (change.kind === 'added' || change.was.remaining === 0) freeAfter += 1;
	}
	freeAfter = Math.max(0, freeAfter);
	if (!isSuspectShrink(shrink.freeBefore, freeAfter, shrink.explicitEmpty)) return null;
	const agreed =
		shrink.earlier !== null &&
		Math.abs(shrink.earlier.freeAfter - freeAfter) <= AGREE_SHARE * shrink.freeBefore;
	return agreed ? null : { freeAfter };
};
