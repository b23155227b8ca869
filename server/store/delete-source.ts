// Taking a source away: its times leave every room at once, its bookings are never lost.
import type { RoomId, SlotId, SourceId } from '#domain/ids.ts';
import type { RoomEntry, WireChange } from '#domain/protocol.ts';
import { slotStates } from '#domain/slot.ts';
import type { Sql } from '../platform/postgres.ts';
import { appendChanges } from './change-log.ts';

/**
 * Removes a source with its schedules and slots. When somebody ever booked there it stays,
 * disabled and without times. Publish the entries. An unknown id is no fault: [].
 */
export const deleteSource = (sql: Sql, id: SourceId): Promise<RoomEntry[]> =>
	sql.begin(async (tx) => {
		const found = await tx`
			update sources set enabled = false, polling_until = null, poll_gen = poll_gen + 1
			where id = ${id} returning id`;
		if (found.length === 0) return [];
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
		const [booked] = await tx`select 1 from bookings where source_id = ${id} limit 1`;
		if (booked === undefined) await tx`delete from sources where id = ${id}`;
		else await tx`update schedules set room_ids = '{}' where source_id = ${id}`;
		return await appendChanges(tx, perRoom);
	});
