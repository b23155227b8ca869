// The booking part of a workers' process: how a booking is claimed, read, settled and told of.
import type { DevicePublisher } from '#server/feed/device-messages.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Config } from '#server/platform/config.ts';
import type { Log } from '#server/platform/log.ts';
import type { PhiCipher } from '#server/platform/phi.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { readBookingOrder } from '#server/store/booking-order.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { keepBooking, readCancel } from '#server/store/cancel-booking.ts';
import {
	claimBooking,
	claimBookings,
	postponeBooking,
	returnBooking
} from '#server/store/claim-bookings.ts';
import { writeDueBookings } from './jobs/due-bookings.ts';
import type { Loop } from './jobs/repeat.ts';
import { createSourcePlaces, PLACES_PER_SOURCE } from './jobs/source-places.ts';
import { BOOKING_LEASE_MS, writeClaimedBooking, type BookingDeps } from './jobs/write-booking.ts';

type Parts = {
	readonly sql: Sql;
	readonly config: Pick<Config, 'smtpUrl'>;
	readonly phi: PhiCipher;
	readonly feed: {
		readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
		readonly tell: DevicePublisher['publish'];
	};
	readonly log: Log;
};

/** What a worker needs to write bookings and cancellations to clinics. */
export const bookingDeps = (
	{ sql, config, phi, feed, log }: Parts,
	others: Pick<BookingDeps, 'connectors' | 'queues'>
): BookingDeps => {
	const sendsMail = config.smtpUrl !== '';
	return {
		...others,
		log,
		places: createSourcePlaces(),
		bookings: {
			claim: (id, leaseMs) => claimBooking(sql, id, leaseMs),
			giveBack: (claimed, retryInMs) => returnBooking(sql, claimed, retryInMs),
			read: (id) => readBookingOrder(sql, phi, id, 'worker:write-booking'),
			readCancel: (id) => readCancel(sql, id),
			settle: (id, outcome, asking) => settleBooking(sql, id, outcome, { sendsMail, asking }),
			keep: (id, because, asking) => keepBooking(sql, id, because, asking),
			postpone: (id, retryInMs) => postponeBooking(sql, id, retryInMs)
		},
		announce: (bookingId, { entries, deviceKey, state }) => {
			feed.publish(entries);
			feed.tell({ device: deviceKey, event: 'booking:changed', payload: { bookingId, state } });
		}
	};
};

/** The loop that writes what no job took up. `signal`: aborted when the time for draining is over. */
export const dueBookings = (sql: Sql, deps: BookingDeps, signal: AbortSignal): Loop => {
	const write = writeClaimedBooking(deps);
	const limits = { perSource: PLACES_PER_SOURCE, leaseMs: BOOKING_LEASE_MS };
	return writeDueBookings({
		claim: (limit) => claimBookings(sql, { ...limits, limit, busy: deps.places.busy }),
		write: (claimed) => write(claimed, signal),
		signal
	});
};
