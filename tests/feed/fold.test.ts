import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RoomEntry, WireChange } from '#domain/protocol.ts';
import { slotStates } from '#domain/slot.ts';
import { toInstant } from '#domain/time.ts';
import { foldEntries, slotFolding } from '#server/live/room-batcher.ts';
import { goneView, wireNewsOf, type WireView } from '#server/store/wire.ts';

const { open, held } = slotStates;

/** As a viewer does it: whole slots replace, states change what is known. */
const apply = (board: Map<number, readonly number[]>, changes: readonly WireChange[]) => {
	for (const change of changes) {
		const known = board.get(change[0]);
		if (change.length === 6) board.set(change[0], change);
		else if (known !== undefined) board.set(change[0], known.with(4, change[1]).with(5, 0));
	}
	return board;
};

const shown = (board: ReadonlyMap<number, readonly number[]>) =>
	[...board.values()]
		.filter(([, , , , state]) => state === open || state === held)
		.toSorted(([a = 0], [b = 0]) => a - b);

const view: fc.Arbitrary<WireView> = fc.oneof(
	fc.constantFrom(0, 2, 3).map((state): WireView => ({ state: state as 0 | 2 | 3, left: 0 })),
	fc.integer({ min: 1, max: 3 }).map((left): WireView => ({ state: open, left }))
);
const step = fc.record({ id: fc.integer({ min: 1, max: 4 }), view, endsEntry: fc.boolean() });

/** Entries as the store writes them while slots go through these views. */
const write = (steps: readonly { id: number; view: WireView; endsEntry: boolean }[]) => {
	const views = new Map<number, WireView>();
	const entries: RoomEntry[] = [];
	let changes: WireChange[] = [];
	for (const { id, view, endsEntry } of steps) {
		const times = { id, scheduleId: 9, startsAt: toInstant(0), endsAt: toInstant(900_000) };
		const news = wireNewsOf(times as never, views.get(id) ?? goneView, view);
		views.set(id, view);
		if (news !== null) changes.push(news);
		if (!endsEntry) continue;
		entries.push({ room: 'a:us', seq: entries.length + 1, changes });
		changes = [];
	}
	return entries;
};

test('[F5] a folded batch leads where its entries lead, and names each slot once', () => {
	fc.assert(
		fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, chance) => {
			const entries = write(steps);
			const cut = entries.length === 0 ? 0 : chance % entries.length;
			const changesOf = (list: readonly RoomEntry[]) => list.flatMap((entry) => entry.changes);
			const start = () => apply(new Map(), changesOf(entries.slice(0, cut)));
			const folded = foldEntries(entries.slice(cut), slotFolding);
			expect(new Set(folded.map(([slot]) => slot)).size).toBe(folded.length);
			expect(shown(apply(start(), folded))).toEqual(
				shown(apply(start(), changesOf(entries.slice(cut))))
			);
		}),
		{ numRuns: 500 }
	);
});
