// Checkers of the whole: a room's shown slots against the tables, and the ledger of holds.
import { slotStates } from '#domain/slot.ts';
import type { TestDatabase } from '../support/database.ts';
import type { SeenSlot } from '../support/viewer.ts';

/** Slots about to begin are left out: viewer and table drop them at slightly different times. */
const EDGE_MINUTES = 2;

const isSettled = (slot: SeenSlot, nowMinute: number): boolean =>
	slot.startMinute > nowMinute + EDGE_MINUTES;

/** What differs between a viewer's room and the truth, in words; empty when they agree. */
export const differences = (
	room: string,
	shown: ReadonlyMap<number, SeenSlot>,
	truth: ReadonlyMap<number, SeenSlot> | undefined
): string[] => {
	const nowMinute = Date.now() / 60_000;
	const found: string[] = [];
	for (const [id, slot] of truth ?? []) {
		const seen = shown.get(id);
		if (!isSettled(slot, nowMinute)) continue;
		if (seen === undefined) {
			// Held slots travel as [slot, state]: a viewer that never saw it open does not know it.
			if (slot.state === slotStates.open) found.push(`${room}: slot ${id} is open and not shown`);
		} else if (seen.state !== slot.state) {
			found.push(`${room}: slot ${id} is ${slot.state}, shown ${seen.state}`);
		} else if (slot.state === slotStates.open && seen.left !== slot.left) {
			found.push(`${room}: slot ${id} has ${slot.left} left, shown ${seen.left}`);
		}
	}
	for (const [id, seen] of shown) {
		if (isSettled(seen, nowMinute) && truth?.has(id) !== true) {
			found.push(`${room}: slot ${id} is shown and not there`);
		}
	}
	return found;
};

/** P1, P10: what is wrong with holds, bookings and the log; empty when all is well. */
export const ledgerFaults = async ({ sql }: Pick<TestDatabase, 'sql'>): Promise<string[]> => {
	// A hold that waited longer for its row than it was to last has held it at no instant.
	const overlapping = await sql<{ slot_id: number }[]>`
		with spans as (
			select h.slot_id, h.fence, h.placed_at, least(coalesce(h.ended_at, 'infinity'), case
				when h.state in ('held', 'released', 'expired') then h.expires_at else 'infinity' end)
				as held_until, least(coalesce(h.ended_at, 'infinity'), h.expires_at) as live_until
			from holds h join slots s on s.id = h.slot_id and s.capacity <= 1
		)
		select a.slot_id from spans a
		join spans b on b.slot_id = a.slot_id and b.fence > a.fence
		where a.placed_at < a.held_until and b.placed_at < b.live_until
			and a.placed_at < b.live_until and b.placed_at < a.held_until`;
	const holes = await sql<{ name: string; seq: number; logged: number }[]>`
		select r.name, r.seq, count(l.seq)::int as logged
		from rooms r left join change_log l on l.room_id = r.id
		group by r.id having r.seq <> count(l.seq) or r.seq <> count(distinct l.seq)`;
	const doubles = await sql<{ slot_id: number }[]>`
		select slot_id from bookings
		where exclusive and state in ('confirming', 'unconfirmed', 'booked', 'handed_over')
		group by slot_id having count(*) > 1`;
	return [
		...overlapping.map(({ slot_id }) => `slot ${slot_id} was held twice at a time`),
		...holes.map(({ name, seq, logged }) => `${name} counts ${seq} and logged ${logged}`),
		...doubles.map(({ slot_id }) => `slot ${slot_id} is booked twice`)
	];
};
