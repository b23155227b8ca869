// Which bookings of a batch are new to this console: what rings and is announced.
import type { BookingState, ClinicSnapshot } from '#domain/booking.ts';
import type { ClinicChange } from '#domain/protocol.ts';

const coming: readonly BookingState[] = ['confirming', 'booked', 'unconfirmed', 'handed_over'];

export type Arrivals = {
	/** How many bookings nobody told of before. */
	readonly count: (changes: readonly ClinicChange[]) => number;
};

/**
 * U31: counted by booking and not by state: a clinic that answers within one batch is told only
 * "booked", one that lists only is told "handed over", and "seen" is news of an old one.
 */
export const createArrivals = ({ bookings }: Pick<ClinicSnapshot, 'bookings'>): Arrivals => {
	const known = new Set<string>(bookings.map(({ bookingId }) => bookingId));
	return {
		count: (changes) => {
			const before = known.size;
			for (const change of changes) {
				if (change.kind === 'booking' && coming.includes(change.state)) known.add(change.bookingId);
			}
			return known.size - before;
		}
	};
};
