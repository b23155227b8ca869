// What rooms and consoles learn of holds and bookings. The rows are written by the database
// function log_own_changes(), the last statement of the transaction that made the change.
import type { BookingId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Tx } from '../platform/postgres.ts';

/**
 * Logs the present state of bookings of one clinic into its room, and of `slots` into their rooms.
 * `endedHold`: the console's "held now" list loses the bookings' slots.
 */
export const logClinicBookings = async (
	tx: Tx,
	bookingIds: readonly BookingId[],
	also: { readonly slots: readonly number[]; readonly endedHold?: boolean }
): Promise<RoomEntry<unknown>[]> => {
	const [row] = await tx<{ entries: RoomEntry<unknown>[] }[]>`
		select log_own_changes(${[...also.slots]}::bigint[], (
			select coalesce(jsonb_agg(told.change order by told.nr), '[]')
			from bookings b join slots s on s.id = b.slot_id
			cross join lateral (
				select 0 as nr, hold_change(s, false) as change where ${also.endedHold === true}
				union all
				select 1, jsonb_build_object(
					'source', b.source_id,
					'change', jsonb_build_object(
						'kind', 'booking', 'bookingId', b.id, 'state', b.shown_state, 'slotId', b.slot_id,
						'scheduleId', b.schedule_id,
						'startsAt', (extract(epoch from b.starts_at) * 1000)::bigint
					)
				)
			) told
			where b.id = any (${[...bookingIds]}::uuid[])
		)) as entries`;
	return row?.entries ?? [];
};

/** The same for one booking. */
export const logClinicBooking = (
	tx: Tx,
	bookingId: BookingId,
	also: { readonly slots: readonly number[]; readonly endedHold?: boolean }
): Promise<RoomEntry<unknown>[]> => logClinicBookings(tx, [bookingId], also);
