// Polls of the model: a poll begins, reads the clinic's listing, and later commits what differs, unless
// a newer one has begun (server/store/commit-poll.ts, slot-rows.ts; decideSlot() is the product's).
import type { SlotStatus } from '#domain/slot.ts';
import { decideSlot } from '#server/store/slot-outcome.ts';
import { hasClaim, liveClaims } from './holds.ts';
import type { Model, Slot, Source } from './model.ts';

/** What a source lists of one slot; null = it lists it no longer. */
export type Told = {
	readonly slot: Slot;
	readonly fact: {
		readonly status: SlotStatus;
		readonly capacity: number;
		readonly remaining: number;
	} | null;
};

/** The generation of the poll, or null when another is at it. */
export const beginPoll = ({ now }: Model, source: Source, leaseMs: number): number | null => {
	if (!source.enabled || source.pollingUntil > now) return null;
	source.pollGen += 1;
	source.pollStartedAt = now;
	source.pollingUntil = now + leaseMs;
	return source.pollGen;
};

/** The part of a listing that differs from what is known: the diff. */
export const diffOf = ({ now }: Model, listing: readonly Told[]): Told[] =>
	listing.filter(({ slot, fact }) => {
		if (slot.startsAt <= now) return false;
		if (fact === null || slot.isRemoved) return (fact === null) !== slot.isRemoved;
		return (
			slot.status !== fact.status ||
			slot.capacity !== fact.capacity ||
			slot.remaining !== fact.remaining
		);
	});

/** S10. */
const dropKnown = ({ now }: Model, told: readonly Told[]): void => {
	for (const { slot, fact } of told) {
		const isBusy = fact === null || fact.status !== 'free' || fact.remaining <= 0;
		if (!isBusy || slot.startsAt <= now) continue;
		for (const { state, hold } of slot.bookings) {
			if (state !== 'booked' || !hasClaim(slot, hold.fence)) continue;
			slot.claims = slot.claims.filter((claim) => claim.fence !== hold.fence);
		}
	}
};

/** False = a newer poll has begun: nothing was written. */
export const commitPoll = (
	model: Model,
	source: Source,
	poll: {
		readonly gen: number;
		readonly listing: readonly Told[];
		readonly changes: readonly Told[];
	}
): boolean => {
	if (source.pollGen !== poll.gen || source.committedGen >= poll.gen) return false;
	source.committedGen = poll.gen;
	source.checkedAt = model.now;
	source.pollingUntil = 0;
	// Of what is listed no longer only the diff tells.
	dropKnown(
		model,
		poll.listing.filter((told) => told.fact !== null || poll.changes.includes(told))
	);
	for (const { slot, fact } of poll.changes) {
		if (slot.startsAt <= model.now) continue;
		const row = {
			status: slot.status,
			remaining: slot.remaining,
			isRemoved: slot.isRemoved,
			liveClaims: liveClaims(slot, model.now),
			isOwnNewer: slot.ownChangedAt > source.pollStartedAt,
			// No source of the model pushes, or numbers its slots.
			isPushNewer: false,
			version: '',
			sourceSlotId: '',
			isRecent: false
		};
		const told = fact === null ? null : { ...fact, version: '', sourceSlotId: '' };
		if (decideSlot(row, told).isKept) continue;
		slot.isRemoved = fact === null;
		if (fact === null) continue;
		slot.status = fact.status;
		slot.capacity = fact.capacity;
		slot.remaining = fact.remaining;
	}
	return true;
};
