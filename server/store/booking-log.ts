// What rooms and consoles learn of holds and bookings. The rows are written by the database
// function log_own_changes(), the last statement of the transaction that made the change.
import type { BookingId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Tx } from '../platform/postgres.ts';

/**
 * Logs the present state of a booking into its clinic's room, and of `slots` into their rooms.
 * `endedHold`: the console's "held now" list loses this booking's slot.
 */
export const logClinicBooking = async (
	tx: Tx,
	bookingId: BookingId,
	also: { readonly slots: readonly number[]; readonly endedHold?: boolean }
): Promise<RoomEntry<unknown>[]> => {
	const [row] = await tx<{ entries: RoomEntry<unknown>[] }[]>`
		select log_own_changes(
			${[...also.slots]}::bigint[],
			case when ${also.endedHold === true}
				then jsonb_build_array(hold_change(s, false)) else '[]'::jsonb end
			|| jsonb_build_array(jsonb_build_object(
				'source', b.source_id,
				'change', jsonb_build_object(
					'kind', 'booking', 'bookingId', b.id, 'state', b.shown_state, 'slotId', b.slot_id,
					'scheduleId', b.schedule_id,
					'startsAt', (extract(epoch from b.starts_at) * 1000)::bigint
				)
			))
		) as entries
		from bookings b join slots s on s.id = b.slot_id
		where b.id = ${bookingId}`;
	return row?.entries ?? [];
};
