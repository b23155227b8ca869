// The slots of one clinic as they change: every change raises the slot's version and the clinic's
// revision, and is remembered for a while for those who ask what changed since.
import type { Result } from '#domain/result.ts';
import { must, ok, refuse } from '#domain/result.ts';
import type { SlotStatus, WorldSlot } from './sessions.ts';

export type Slot = Readonly<WorldSlot> & {
	/** Counts up from 1; the R4 `meta.versionId`. */
	readonly version: number;
	/** UTC ms by the clinic's own clock, which may be wrong. */
	readonly updatedAt: number;
	/** Who keeps a tentative slot: an API client, a portal visitor's token, or nobody known. */
	readonly heldBy: string | null;
	/** UTC ms; after it the tentative slot is free again. */
	readonly heldUntil: number | null;
};

export type SlotChange = { kind: 'changed' | 'removed'; slot: Slot; at: number };

export type SlotPatch = Partial<Pick<Slot, 'status' | 'left' | 'heldBy' | 'heldUntil'>>;

export type SlotBook = {
	get: (id: string) => Slot | undefined;
	/** All slots, soonest first, equal starts by id. */
	sorted: () => readonly Slot[];
	/** Changes with every change of any slot. */
	revision: () => number;
	/** Calls for every change, right after it. */
	listen: (listener: (change: SlotChange) => void) => void;
	/** The changes still remembered, oldest first, and since when nothing was forgotten. */
	history: () => { since: number; changes: readonly SlotChange[] };
	patch: (id: string, patch: SlotPatch) => Result<Slot, 'slot_unknown'>;
	add: (slots: readonly WorldSlot[]) => number;
	remove: (id: string) => Result<Slot, 'slot_unknown'>;
	/** Forgets slots that began before `at`, without calling them removed. */
	dropBefore: (at: number) => number;
};

const HISTORY_LIMIT = 20_000;

const inOrder = (one: WorldSlot, other: WorldSlot): number =>
	one.startAt - other.startAt || (one.id < other.id ? -1 : 1);

const fresh = (slot: WorldSlot, at: number): Slot => ({
	...slot,
	version: 1,
	updatedAt: at,
	heldBy: null,
	heldUntil: null
});

/** Free means that places are left; every other status means that none can be taken. */
const settle = (slot: Slot, patch: SlotPatch): SlotPatch => {
	const status: SlotStatus = patch.status ?? slot.status;
	const left = patch.left ?? (status === 'free' ? Math.max(1, slot.left) : slot.left);
	if (status === 'free' && left === 0) return { ...patch, status: 'busy', left };
	const held = status === 'busy-tentative' ? {} : { heldBy: null, heldUntil: null };
	return { ...patch, ...held, status, left: status === 'busy' ? 0 : left };
};

/** The slots by id and in order, where one can be replaced without sorting again. */
const createOrder = (opening: readonly Slot[]) => {
	let order: Slot[] = [];
	let places = new Map<string, number>();
	let shown: readonly Slot[] | null = null;
	const arrange = (slots: readonly Slot[]): void => {
		order = slots.toSorted(inOrder);
		places = new Map(order.map((slot, at) => [slot.id, at]));
		shown = null;
	};
	arrange(opening);
	return {
		get: (id: string): Slot | undefined => order[places.get(id) ?? -1],
		/** A copy that later changes do not touch. */
		sorted: (): readonly Slot[] => (shown ??= [...order]),
		replace: (slot: Slot): void => {
			order[must(places.get(slot.id), 'place of the slot')] = slot;
			shown = null;
		},
		arrange
	};
};

/** Creates the slot book of a clinic. `now` is the clinic's own clock, UTC ms. */
export const createSlotBook = (opening: readonly WorldSlot[], now: () => number): SlotBook => {
	const openedAt = now();
	const slots = createOrder(opening.map((slot) => fresh(slot, openedAt)));
	let revision = 1;
	let since = openedAt;
	let changes: SlotChange[] = [];
	const listeners: ((change: SlotChange) => void)[] = [];
	const note = (change: SlotChange): void => {
		revision += 1;
		changes.push(change);
		for (const listener of listeners) listener(change);
		if (changes.length <= HISTORY_LIMIT) return;
		changes = changes.slice(HISTORY_LIMIT / 2);
		since = changes[0]?.at ?? since;
	};
	return {
		get: slots.get,
		sorted: slots.sorted,
		revision: () => revision,
		listen: (listener) => void listeners.push(listener),
		history: () => ({ since, changes }),
		patch: (id, patch) => {
			const slot = slots.get(id);
			if (slot === undefined) return refuse('slot_unknown');
			const at = now();
			const next = { ...slot, ...settle(slot, patch), version: slot.version + 1, updatedAt: at };
			slots.replace(next);
			note({ kind: 'changed', slot: next, at });
			return ok(next);
		},
		add: (more) => {
			const unseen = more.filter(({ id }) => slots.get(id) === undefined);
			const added = unseen.map((slot) => fresh(slot, now()));
			if (added.length > 0) slots.arrange([...slots.sorted(), ...added]);
			for (const slot of added) note({ kind: 'changed', slot, at: slot.updatedAt });
			return added.length;
		},
		remove: (id) => {
			const slot = slots.get(id);
			if (slot === undefined) return refuse('slot_unknown');
			slots.arrange(slots.sorted().filter((each) => each !== slot));
			note({ kind: 'removed', slot, at: now() });
			return ok(slot);
		},
		dropBefore: (at) => {
			const all = slots.sorted();
			const past = all.findIndex((slot) => slot.startAt >= at);
			const count = past < 0 ? all.length : past;
			if (count === 0) return 0;
			slots.arrange(all.slice(count));
			revision += 1;
			return count;
		}
	};
};
