// Which worker asks the clinic about which booking, and when: bookings with an open question are lent
// for a while, and put off or given back. A lease that ran out makes its booking due again.
import { HOUR_MS } from '#domain/time.ts';
import type { BookingId, SourceId } from '#domain/ids.ts';
import type { Queryable } from '../platform/postgres.ts';

/** A booking lent to one worker; `attempts` = how often one was lent, this time included. */
export type ClaimedBooking = {
	readonly bookingId: BookingId;
	readonly sourceId: SourceId;
	readonly attempts: number;
};

/**
 * K19: a clinic that has not said by then whether it booked will not say it later. The booking
 * stays as it is, for a person to settle. ms after the visit's end.
 */
const ASK_UNTIL_MS = HOUR_MS;

/** The clinic's answer is awaited: to a booking, or to a cancellation. */
const isOpen = (sql: Queryable) => sql`
	(state in ('confirming', 'unconfirmed') or (state = 'booked' and cancel_asked_at is not null))`;

const isWorthAsking = (sql: Queryable) => sql`
	${isOpen(sql)} and next_attempt_at <= clock_timestamp()
	and ends_at > clock_timestamp() - ${ASK_UNTIL_MS} * interval '1 millisecond'`;

export type ClaimLimits = {
	readonly limit: number;
	/** Most of one source, less those of it that `busy` counts. */
	readonly perSource: number;
	readonly busy: ReadonlyMap<SourceId, number>;
	readonly leaseMs: number;
};

/**
 * W49: the bookings that are due the longest, of each source no more than it may have; each is lent
 * for `leaseMs`.
 */
export const claimBookings = async (
	sql: Queryable,
	{ limit, perSource, busy, leaseMs }: ClaimLimits
): Promise<ClaimedBooking[]> => {
	const busyOf = JSON.stringify(Object.fromEntries(busy));
	return sql<ClaimedBooking[]>`
		with due as materialized (
			select id as due_id, source_id as of_source,
				row_number() over (partition by source_id order by next_attempt_at) as nr
			from bookings where ${isWorthAsking(sql)}
		), chosen as materialized (
			select id from bookings join due on id = due_id
			where nr <= ${perSource} - coalesce((${busyOf}::text::json ->> of_source::text)::int, 0)
				and ${isWorthAsking(sql)}
			order by next_attempt_at limit ${limit} for update of bookings skip locked
		)
		update bookings set attempts = attempts + 1,
			next_attempt_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
		from chosen where bookings.id = chosen.id
		returning bookings.id as "bookingId", source_id as "sourceId", attempts`;
};

/** Lends one booking; null = somebody else has it, it is not due, or there is nothing to ask. */
export const claimBooking = async (
	sql: Queryable,
	bookingId: BookingId,
	leaseMs: number
): Promise<ClaimedBooking | null> => {
	const [claimed] = await sql<ClaimedBooking[]>`
		update bookings set attempts = attempts + 1,
			next_attempt_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
		where id = ${bookingId} and ${isWorthAsking(sql)}
		returning id as "bookingId", source_id as "sourceId", attempts`;
	return claimed ?? null;
};

/** W49: it was not asked about after all: as if it had not been lent, but due in `retryInMs`. */
export const returnBooking = async (
	sql: Queryable,
	{ bookingId, attempts }: ClaimedBooking,
	retryInMs: number
): Promise<void> => {
	await sql`
		update bookings set attempts = attempts - 1,
			next_attempt_at = clock_timestamp() + ${retryInMs} * interval '1 millisecond'
		where id = ${bookingId} and attempts = ${attempts} and ${isOpen(sql)}`;
};

/** Puts the next attempt off. No effect on a settled booking. */
export const postponeBooking = async (
	sql: Queryable,
	bookingId: BookingId,
	retryInMs: number
): Promise<void> => {
	await sql`
		update bookings
		set next_attempt_at = clock_timestamp() + ${retryInMs} * interval '1 millisecond'
		where id = ${bookingId} and ${isOpen(sql)}`;
};
