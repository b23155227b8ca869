// What an answer changes in the store, and whether it must be seen twice before it removes anything.
import type { SpokenAnswer } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import { unreachable } from '#domain/result.ts';
import { diffDelta, diffFull, type SlotChange } from '#domain/slot-diff.ts';
import { slotKeyOf } from '#domain/slot.ts';
import { toInstant } from '#domain/time.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { countFree, readKnownSlots, readSlotsByKeys } from '#server/store/slots.ts';
import type { PollClaim, Suspect } from '#server/store/sources.ts';
import { decideShrink } from './decide-shrink.ts';

export type Comparison = {
	/** What is to be written: nothing is removed while the answer is suspect. */
	readonly changes: readonly SlotChange[];
	readonly suspect: Suspect | null;
	/** W51: so many slots go because the source listed none at all for the second time in a row. */
	readonly emptied: number;
};

/** A delta is read against only the slots that it names. */
const diffAnswer = async (
	sql: Sql,
	sourceId: SourceId,
	answer: SpokenAnswer,
	isNear: boolean
): Promise<SlotChange[]> => {
	const { listing } = answer;
	switch (listing.form) {
		case 'unchanged':
			return [];
		case 'full':
			return diffFull(
				await readKnownSlots(sql, sourceId, isNear ? answer.window : null),
				listing.facts,
				answer
			);
		case 'delta': {
			const keys = [...listing.changed.map(slotKeyOf), ...listing.gone];
			return diffDelta(await readSlotsByKeys(sql, sourceId, keys), listing, answer);
		}
		default:
			return unreachable(listing);
	}
};

/** It answered completely, and there is no slot in it, not even a busy one. */
const listsNothing = ({ state, listing }: SpokenAnswer): boolean => {
	if (state !== 'complete' || listing.form === 'unchanged') return false;
	return (listing.form === 'full' ? listing.facts.length : listing.total) === 0;
};

/** W51: what the second empty look in a row takes away. The first about the near days is none (W40). */
const emptiedBy = (
	claim: PollClaim,
	answer: SpokenAnswer,
	changes: readonly SlotChange[]
): number => {
	const { suspect } = claim;
	if (suspect?.isEmpty !== true || suspect.isNear === true || !listsNothing(answer)) return 0;
	return changes.filter((change) => change.kind === 'removed').length;
};

/**
 * D7: a loss that must be seen twice, or null. Counts in Postgres only when slots vanish. W40: what was
 * seen of the near days alone is no first look at the others.
 */
const suspectOf = async (
	sql: Sql,
	claim: PollClaim,
	answer: SpokenAnswer,
	changes: readonly SlotChange[]
): Promise<Suspect | null> => {
	if (!changes.some((change) => change.kind === 'removed')) return null;
	const now = claim.pollStartedAt;
	const from = toInstant(Math.max(now, answer.window.from));
	const found = decideShrink({
		now,
		freeBefore: await countFree(sql, claim.sourceId, { from, to: answer.window.to }),
		changes,
		explicitEmpty: answer.explicitEmpty,
		earlier: claim.suspect?.isNear === true ? null : claim.suspect
	});
	if (found === null) return null;
	const suspect = { gen: claim.gen, freeAfter: found.freeAfter };
	return listsNothing(answer) ? { ...suspect, isEmpty: true } : suspect;
};

export const compareAnswer = async (
	sql: Sql,
	claim: PollClaim,
	answer: SpokenAnswer,
	isNear = false
): Promise<Comparison> => {
	const changes = await diffAnswer(sql, claim.sourceId, answer, isNear);
	const found = await suspectOf(sql, claim, answer, changes);
	if (found === null) {
		return { changes, suspect: null, emptied: emptiedBy(claim, answer, changes) };
	}
	const suspect = isNear ? { ...found, isNear } : found;
	const kept = changes.filter((change) => change.kind !== 'removed');
	return { changes: kept, suspect, emptied: 0 };
};
