// The turning point of a move: in the transaction that books the new visit, the clinic is to be
// asked to cancel the old one, and the calendar event passes from the old to the new.
import type { BookingId } from '#domain/ids.ts';
import type { Tx } from '../platform/postgres.ts';

/** Notes that the clinic is to be asked; the next attempt is due at once. Returns the round. */
export const startCancel = async (tx: Tx, bookingId: BookingId): Promise<number | null> => {
	const [row] = await tx<{ round: number }[]>`
		update bookings
		set cancel_asked_at = clock_timestamp(), cancel_round = cancel_round + 1,
			change_refused = null, attempts = 0, next_attempt_at = clock_timestamp()
		where id = ${bookingId} and shown_state = 'booked' returning cancel_round as round`;
	return row?.round ?? null;
};

/**
 * J10, J11: call it when `bookingId` has just become booked. The new visit takes over the event's
 * UID with a higher SEQUENCE; the old one gets a UID that nobody has in a calendar, so that whatever
 * becomes of it cannot remove the moved event.
 */
export const leaveOldVisit = async (
	tx: Tx,
	bookingId: BookingId,
	replaces: BookingId | null
): Promise<{ readonly bookingId: BookingId; readonly round: number } | null> => {
	if (replaces === null) return null;
	await tx`
		update bookings n
		set calendar_uid = coalesce(o.calendar_uid, o.id),
			sequence = greatest(n.sequence, o.sequence) + 1
		from bookings o where n.id = ${bookingId} and o.id = ${replaces}`;
	await tx`update bookings set calendar_uid = gen_random_uuid() where id = ${replaces}`;
	const round = await startCancel(tx, replaces);
	return round === null ? null : { bookingId: replaces, round };
};
