// The booking part of a workers' process: how a booking is claimed, read, settled and told of.
import type { DevicePublisher } from '#server/feed/device-messages.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Config } from '#server/platform/config.ts';
import type { Log } from '#server/platform/log.ts';
import type { PhiCipher } from '#server/platform/phi.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { readBookingOrder } from '#server/store/booking-order.ts';
import { claimBooking, postponeBooking, settleBooking } from '#server/store/bookings.ts';
import { keepBooking, readCancel } from '#server/store/cancel-booking.ts';
import type { BookingDeps } from './jobs/write-booking.ts';

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
		bookings: {
			claim: (id, leaseMs) => claimBooking(sql, id, leaseMs),
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
