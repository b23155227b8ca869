// Taking a source away: its times leave every room at once, its bookings are never lost.
import type { RoomId, SlotId, SourceId } from '#domain/ids.ts';
import type { RoomEntry, WireChange } from '#domain/protocol.ts';
import { slotStates } from '#domain/slot.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import { appendChanges } from './change-log.ts';

/**
 * E9: what is held ends now. The sweep gives the places back and tells the holders, as at any end;
 * until then the rows must stay.
 */
const endHolds = async (tx: Tx, id: SourceId): Promise<number> => {
	const ended = await tx<{ slot_id: SlotId; fence: number }[]>`
		update holds h set expires_at = least(h.expires_at, clock_timestamp())
		from slots s
		where s.id = h.slot_id and s.source_id = ${id} and h.state = 'held'
		returning h.slot_id, h.fence`;
	for (const { slot_id: slot, fence } of ended) {
		await tx`
			update slots s set claim_untils = (
				select array_agg(
					case when c.fence = ${fence} then least(c.until, clock_timestamp()) else c.until end
					order by nr)
				from unnest(s.claim_fences, s.claim_untils) with ordinality as c (fence, until, nr))
			where s.id = ${slot} and ${fence} = any (s.claim_fences)`;
	}
	return ended.length;
};

/**
 * Removes a source with its schedules and slots, inside the caller's transaction. While somebody
 * holds a time there, or when somebody ever booked there, it stays, disabled and without times.
 * Publish the entries. An unknown id is no fault: [].
 */
export const deleteSourceIn = async (tx: Tx, id: SourceId): Promise<RoomEntry[]> => {
	const found = await tx`
		update sources set enabled = false, polling_until = null, poll_gen = poll_gen + 1,
			paused_at = null, paused_because = null,
			removed_at = coalesce(removed_at, clock_timestamp())
		where id = ${id} returning id`;
	if (found.length === 0) return [];
	// In the order in which a confirmation locks: the hold, then its slot.
	await tx`
		select h.id from holds h join slots s on s.id = h.slot_id
		where s.source_id = ${id} and h.state = 'held' order by h.id for update of h`;
	await tx`select id from slots where source_id = ${id} order by id for update`;
	const gone = await tx<{ id: SlotId; room_ids: RoomId[] }[]>`
		update slots s set removed_at = clock_timestamp(), changed_at = clock_timestamp()
		from schedules c
		where s.source_id = ${id} and c.id = s.schedule_id and s.removed_at is null
			and s.starts_at > clock_timestamp()
		returning s.id, c.room_ids`;
	const perRoom = new Map<RoomId, WireChange[]>();
	for (const slot of gone) {
		for (const room of slot.room_ids) {
			const changes = perRoom.get(room) ?? [];
			changes.push([slot.id, slotStates.gone]);
			perRoom.set(room, changes);
		}
	}
	const held = await endHolds(tx, id);
	const [booked] = await tx`select 1 from bookings where source_id = ${id} limit 1`;
	if (booked === undefined && held === 0) await tx`delete from sources where id = ${id}`;
	else await tx`update schedules set room_ids = '{}' where source_id = ${id}`;
	return await appendChanges(tx, perRoom);
};

/** `deleteSourceIn` in a transaction of its own. */
export const deleteSource = (sql: Sql, id: SourceId): Promise<RoomEntry[]> =>
	sql.begin((tx) => deleteSourceIn(tx, id));
