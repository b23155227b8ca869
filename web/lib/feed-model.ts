// What a viewer knows of its rooms, and how a batch changes it. Pure and mutable in place: the
// caller owns the model. Duplicates and overlaps are harmless; a gap is told, never guessed over.
import type { Instant } from '#domain/time.ts';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { RoomBatch, WireChange, WireSlot } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import type { SlotState } from '#domain/slot.ts';
import { SLOTS_PER_BOARD, SLOTS_PER_SCHEDULE, startOf } from '#domain/board.ts';

const OPEN = 1;
const HELD = 2;

export type ShownSlot = {
	readonly id: SlotId;
	readonly scheduleId: ScheduleId;
	readonly startMinute: number;
	readonly minutes: number;
	readonly state: SlotState;
	readonly left: number;
	/** When it went, on the page's monotonic clock; null = it is still there. */
	readonly wentAt: number | null;
	/** It came while the page was open. */
	readonly isNew: boolean;
};

export type FeedModel = {
	epoch: string;
	readonly heads: Map<RoomName, number>;
	readonly shown: Map<SlotId, ShownSlot>;
	/** Opened while the list must not move. */
	readonly waiting: Map<SlotId, WireSlot>;
};

export type Seed = {
	readonly epoch: string;
	readonly heads: Readonly<Record<RoomName, number>>;
	readonly slots: readonly WireSlot[];
};

const show = (slot: WireSlot, isNew: boolean): ShownSlot => ({
	id: slot[0],
	scheduleId: slot[1],
	startMinute: slot[2],
	minutes: slot[3],
	state: slot[4],
	left: slot[5],
	wentAt: null,
	isNew
});

export const makeModel = (seed: Seed): FeedModel => ({
	epoch: seed.epoch,
	heads: new Map(Object.entries(seed.heads)),
	shown: new Map(seed.slots.map((slot) => [slot[0], show(slot, false)])),
	waiting: new Map()
});

export type Verdict = 'apply' | 'duplicate' | 'gap';

/** U5: only what follows on without a hole is applied; a hole or another epoch asks again. */
export const judgeBatch = (
	model: Pick<FeedModel, 'epoch' | 'heads'>,
	batch: Pick<RoomBatch, 'room' | 'epoch' | 'from' | 'to'>
): Verdict => {
	const have = model.heads.get(batch.room);
	if (have === undefined || batch.epoch !== model.epoch || batch.from > have) return 'gap';
	return batch.to <= have ? 'duplicate' : 'apply';
};

/** U5: rooms whose head the hub says is further than ours. */
export const roomsBehind = (
	model: Pick<FeedModel, 'epoch' | 'heads'>,
	epoch: string,
	heads: readonly (readonly [RoomName, number])[]
): readonly RoomName[] =>
	heads
		.filter(([room, seq]) => epoch !== model.epoch || seq > (model.heads.get(room) ?? -1))
		.map(([room]) => room);

export type Wanted = (scheduleId: ScheduleId, startsAt: Instant) => boolean | 'unknown';

export type Applied = {
	opened: number;
	went: number;
	/** Opened slots of providers this page has not met: ask who they are, then offer them again. */
	readonly strangers: WireSlot[];
};

const isWhole = (change: WireChange): change is WireSlot => change.length === 6;

const changeKnown = (
	model: FeedModel,
	known: ShownSlot,
	{ state, now }: { readonly state: SlotState; readonly now: number },
	applied: Applied
): void => {
	const isThere = state === OPEN || state === HELD;
	if (!isThere && known.wentAt === null) applied.went += 1;
	if (state === OPEN && known.state !== OPEN) applied.opened += 1;
	const wentAt = isThere ? null : (known.wentAt ?? now);
	model.shown.set(known.id, { ...known, state, wentAt });
};

/** U6: the latest state of a slot holds; what is gone keeps its place, what is new waits. */
export const applyChanges = (
	model: FeedModel,
	changes: readonly WireChange[],
	{ now, wanted }: { readonly now: number; readonly wanted: Wanted }
): Applied => {
	const applied: Applied = { opened: 0, went: 0, strangers: [] };
	for (const change of changes) {
		const id = change[0];
		const state = isWhole(change) ? change[4] : change[1];
		const known = model.shown.get(id);
		if (known !== undefined) changeKnown(model, known, { state, now }, applied);
		else if (state !== OPEN) model.waiting.delete(id);
		else if (isWhole(change)) offer(model, change, wanted, applied);
	}
	return applied;
};

const offer = (model: FeedModel, slot: WireSlot, wanted: Wanted, applied: Applied): void => {
	const answer = wanted(slot[1], startOf(slot));
	if (answer === 'unknown') applied.strangers.push(slot);
	else if (answer) {
		if (!model.waiting.has(slot[0])) applied.opened += 1;
		model.waiting.set(slot[0], slot);
	}
};

/** How long a slot that went keeps its place, struck through, ms. */
export const STAYS_MS = 4_000;

/** U7: takes away what has stood long enough. True when something went. */
export const clearGone = (model: FeedModel, now: number): boolean => {
	let isChanged = false;
	for (const slot of model.shown.values()) {
		if (slot.wentAt === null || now - slot.wentAt < STAYS_MS) continue;
		model.shown.delete(slot.id);
		isChanged = true;
	}
	return isChanged;
};

/** Lets the waiting ones in. True when something came. */
export const letIn = (model: FeedModel): boolean => {
	const isChanged = model.waiting.size > 0;
	for (const slot of model.waiting.values()) model.shown.set(slot[0], show(slot, true));
	model.waiting.clear();
	return isChanged;
};

/**
 * Up to where a snapshot speaks of a provider's times: it lists only the first few of each and the
 * soonest of all, so a later one that it does not list need not be gone.
 */
const limitsOf = (slots: readonly WireSlot[]): ((scheduleId: ScheduleId) => number) => {
	const perSchedule = new Map<ScheduleId, { count: number; last: number }>();
	let lastOfAll = 0;
	for (const [, scheduleId, start] of slots) {
		const seen = perSchedule.get(scheduleId) ?? { count: 0, last: 0 };
		perSchedule.set(scheduleId, { count: seen.count + 1, last: Math.max(seen.last, start) });
		lastOfAll = Math.max(lastOfAll, start);
	}
	const ofAll = slots.length >= SLOTS_PER_BOARD ? lastOfAll : Infinity;
	return (scheduleId) => {
		const seen = perSchedule.get(scheduleId);
		const own = seen !== undefined && seen.count >= SLOTS_PER_SCHEDULE ? seen.last : Infinity;
		return Math.min(own, ofAll);
	};
};

/**
 * U8: a snapshot becomes changes against what is shown, so that catching up moves nothing under a
 * finger either.
 */
export const applySnapshot = (model: FeedModel, seed: Seed, now: number): Applied => {
	const applied: Applied = { opened: 0, went: 0, strangers: [] };
	model.epoch = seed.epoch;
	for (const [room, seq] of Object.entries(seed.heads)) model.heads.set(room, seq);
	const limitOf = limitsOf(seed.slots);
	const listed = new Set<SlotId>();
	for (const slot of seed.slots) {
		listed.add(slot[0]);
		const known = model.shown.get(slot[0]);
		if (known !== undefined) changeKnown(model, known, { state: slot[4], now }, applied);
		else {
			if (!model.waiting.has(slot[0])) applied.opened += 1;
			model.waiting.set(slot[0], slot);
		}
	}
	for (const known of model.shown.values()) {
		if (listed.has(known.id) || known.wentAt !== null) continue;
		if (known.startMinute < limitOf(known.scheduleId))
			changeKnown(model, known, { state: 0, now }, applied);
	}
	for (const [id, slot] of model.waiting) {
		if (!listed.has(id) && slot[2] < limitOf(slot[1])) model.waiting.delete(id);
	}
	return applied;
};
