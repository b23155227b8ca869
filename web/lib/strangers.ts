// Opened times of providers that a page has not met, kept until the hub says who they are. A time
// that goes in the meantime is forgotten, so that a late answer offers nothing that is not there.
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { WireChange, WireSlot } from '#domain/protocol.ts';

/** As many as one question may name (domain/commands.ts). */
const MAX_ASKED = 50;
/** The oldest of more are let go: the next snapshot has them. */
const MAX_KEPT = 500;
const OPEN = 1;

export class Strangers {
	#slots = new Map<SlotId, WireSlot>();

	add(slots: readonly WireSlot[]): void {
		for (const slot of slots) this.#slots.set(slot[0], slot);
		for (const id of this.#slots.keys()) {
			if (this.#slots.size <= MAX_KEPT) break;
			this.#slots.delete(id);
		}
	}

	/** What later changes say of the times kept. */
	follow(changes: readonly WireChange[]): void {
		for (const change of changes) {
			const state = change.length === 6 ? change[4] : change[1];
			if (state !== OPEN) this.#slots.delete(change[0]);
		}
	}

	/** The providers to ask about next; empty = nothing is open. */
	scheduleIds(): ScheduleId[] {
		return [...new Set([...this.#slots.values()].map((slot) => slot[1]))].slice(0, MAX_ASKED);
	}

	/** Takes out the times of providers that were told. */
	take(ids: readonly ScheduleId[]): WireSlot[] {
		const taken = [...this.#slots.values()].filter((slot) => ids.includes(slot[1]));
		for (const slot of taken) this.#slots.delete(slot[0]);
		return taken;
	}

	clear(): void {
		this.#slots.clear();
	}
}

const PAUSE_MS = 2_000;
const MAX_ATTEMPTS = 6;

/**
 * U34: 2 s, 4 s … 64 s, each up to twice as long by chance; null = given up until there is news
 * or the line comes back. `attempt` from 0, `chance` in [0, 1).
 */
export const askAgainInMs = (attempt: number, chance: number): number | null =>
	attempt < MAX_ATTEMPTS ? PAUSE_MS * 2 ** attempt * (1 + chance) : null;
