// What a viewer sees of a slot row, and the shortest change that tells it. Pure.
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { WireChange, WireSlot } from '#domain/protocol.ts';
import { slotStateOf, slotStates, type SlotState, type SlotStatus } from '#domain/slot.ts';
import { MINUTE_MS, type Instant } from '#domain/time.ts';

export type WireView = { readonly state: SlotState; readonly left: number };

export const goneView: WireView = { state: slotStates.gone, left: 0 };

export type SlotFacts = {
	readonly status: SlotStatus;
	readonly remaining: number;
	readonly isRemoved: boolean;
	/** Claims of ours that run now and that the source does not know of. */
	readonly liveClaims: number;
};

/** S9: `left` counts places nobody claims, and only of an open slot. */
export const wireViewOf = (slot: SlotFacts): WireView => {
	if (slot.isRemoved) return goneView;
	const state = slotStateOf(slot.status, slot.remaining, slot.liveClaims);
	return { state, left: state === slotStates.open ? slot.remaining - slot.liveClaims : 0 };
};

export type SlotTimes = {
	readonly id: SlotId;
	readonly scheduleId: ScheduleId;
	readonly startsAt: Instant;
	readonly endsAt: Instant;
};

export const wireSlotOf = (slot: SlotTimes, view: WireView): WireSlot => [
	slot.id,
	slot.scheduleId,
	Math.floor(slot.startsAt / MINUTE_MS),
	Math.max(1, Math.round((slot.endsAt - slot.startsAt) / MINUTE_MS)),
	view.state,
	view.left
];

/** An open slot whole, because a viewer may not know it; any other as `[slot, state]`. */
export const wireChangeOf = (slot: SlotTimes, view: WireView): WireChange =>
	view.state === slotStates.open ? wireSlotOf(slot, view) : [slot.id, view.state];

const isOnBoard = ({ state }: WireView): boolean =>
	state === slotStates.open || state === slotStates.held;

/**
 * S8: the change that brings a viewer from `before` to `after`; null = there is nothing to tell.
 * A slot that was on no board (gone or taken) travels whole when it comes onto one, and is not
 * told at all when it does not.
 */
export const wireNewsOf = (
	slot: SlotTimes,
	before: WireView,
	after: WireView
): WireChange | null => {
	if (before.state === after.state && before.left === after.left) return null;
	if (before.state === slotStates.gone && !isOnBoard(after)) return null;
	if (!isOnBoard(before) && isOnBoard(after)) return wireSlotOf(slot, after);
	return wireChangeOf(slot, after);
};
