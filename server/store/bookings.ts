// Bookings: what a confirmed hold becomes, and how the clinic's answer settles it. Every change is
// one transaction with its log entries; nothing is released or repeated blindly.
import { canMove, SOURCE_LAG_MS, type BookingState } from '#domain/booking.ts';
import type { BookingId, DeviceKey, MailId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';
import { logClinicBookings } from './booking-log.ts';
import { leaveOldVisit } from './leave-old-visit.ts';
import { noteMail } from './mails.ts';

/** What the clinic (or an operator) said of a booking. */
export type BookingOutcome =
	| {
			readonly state: 'booked';
			readonly appointmentId: string | null;
			readonly joinUrl: string | null;
	  }
	| { readonly state: 'rejected'; readonly because: 'slot_taken' | 'clinic_refused' }
	/** The answer was lost: the slot stays claimed until somebody knows. */
	| { readonly state: 'unconfirmed' }
	| { readonly state: 'cancelled' };

export type SettledBooking = {
	readonly entries: readonly RoomEntry<unknown>[];
	readonly deviceKey: DeviceKey;
	readonly state: BookingState;
	/** The old visit of a move, which the clinic is now to cancel; null = none. */
	readonly left: { readonly bookingId: BookingId; readonly round: number } | null;
	/** The e-mail that tells the patient of it; null = none is sent. */
	readonly mail: MailId | null;
};

/**
 * H40: which asking of the clinic an outcome comes from: the row's `attempts` and `cancel_round` as
 * they were when a worker took the booking up. One that was overtaken (stopped for longer than its
 * lease) changes nothing: another asked after it and knows more.
 */
export type Asking = { readonly attempts: number; readonly round?: number };

export const isNewest = (sql: Queryable, asking: Asking | undefined) =>
	asking === undefined
		? sql`true`
		: sql`(attempts = ${asking.attempts}
			and cancel_round = coalesce(${asking.round ?? null}::int, cancel_round))`;

/** One claimed place: the slot, its claim's fence, and whether it is the slot's only place. */
type ClaimedPlace = {
	readonly slotId: number;
	readonly fence: number;
	readonly exclusive: boolean;
};

type SettleRow = ClaimedPlace & {
	readonly state: BookingState;
	readonly holdId: string;
	readonly deviceKey: DeviceKey;
	readonly replaces: BookingId | null;
};

/** The place is gone at the clinic: by our booking (the claim stays) or by somebody else's. */
const takePlace = async (tx: Tx, row: ClaimedPlace): Promise<void> => {
	await tx`
		update slots
		set remaining = greatest(0, remaining - 1),
			status = case when remaining <= 1 then 'busy' else status end,
			taken_at = case when remaining <= 1 then clock_timestamp() else taken_at end,
			own_changed_at = clock_timestamp()
		where id = ${row.slotId}`;
};

/** S10: whether the source has called the slot taken already, before its answer reached us. */
const isKnownTaken = async (tx: Tx, row: ClaimedPlace): Promise<boolean> => {
	const [slot] = await tx<{ isKnown: boolean }[]>`
		select status in ('busy', 'busy-unavailable') or removed_at is not null as "isKnown"
		from slots where id = ${row.slotId} for update`;
	return slot?.isKnown === true;
};

const dropClaim = async (tx: Tx, row: ClaimedPlace): Promise<void> => {
	await tx`select drop_claim(${row.slotId}, ${row.fence})`;
};

/** What an outcome means for the slot's row; the log entries are the caller's. */
export const moveSlot = async (
	tx: Tx,
	row: ClaimedPlace,
	outcome: BookingOutcome
): Promise<void> => {
	switch (outcome.state) {
		case 'unconfirmed':
			return;
		case 'booked': {
			const isKnown = await isKnownTaken(tx, row);
			await takePlace(tx, row);
			// K5: the only place of a slot stays claimed for a while, so that a source that lags behind
			// its own calendar cannot offer it again. One of several places is counted by
			// `remaining`. A source that knows already would never end the claim.
			if (isKnown || !row.exclusive) await dropClaim(tx, row);
			else await tx`select end_booked_claim_in(${row.slotId}, ${row.fence}, ${SOURCE_LAG_MS})`;
			return;
		}
		case 'rejected':
			await dropClaim(tx, row);
			if (outcome.because === 'slot_taken') await takePlace(tx, row);
			return;
		case 'cancelled':
			await dropClaim(tx, row);
			return;
		default:
			outcome satisfies never;
	}
};

const holdStateFor = {
	booked: 'booked',
	rejected: 'rejected',
	unconfirmed: 'confirming',
	cancelled: 'released'
} as const;

const writeOutcome = async (
	tx: Tx,
	bookingId: BookingId,
	row: SettleRow,
	outcome: BookingOutcome
): Promise<void> => {
	const booked = outcome.state === 'booked' ? outcome : null;
	const because = outcome.state === 'rejected' ? outcome.because : null;
	await tx`
		update bookings
		set state = ${outcome.state}, sequence = sequence + 1,
			rejected_because = ${because},
			appointment_id = coalesce(${booked?.appointmentId ?? null}, appointment_id),
			join_url = coalesce(${booked?.joinUrl ?? null}, join_url),
			acknowledged_at = case when ${outcome.state !== 'cancelled'} then acknowledged_at end,
			settled_at = case when ${outcome.state === 'unconfirmed'} then null
				else clock_timestamp() end
		where id = ${bookingId}`;
	await tx`
		update holds
		set state = ${holdStateFor[outcome.state]},
			ended_at = case when ${outcome.state === 'unconfirmed'} then null
				else clock_timestamp() end
		where id = ${row.holdId}`;
};

type SettleOptions = {
	readonly sendsMail: boolean;
	/** Left out by who did not ask as a worker: an operator, a test. */
	readonly asking?: Asking;
};

/**
 * Moves a booking on (K1) with its hold, slot, rooms and console, in one transaction. Null when the
 * move is not one of the state machine (settled already, or never there) or comes from a worker that
 * was overtaken.
 */
export const settleBooking = (
	sql: Sql,
	bookingId: BookingId,
	outcome: BookingOutcome,
	{ sendsMail, asking }: SettleOptions = { sendsMail: false }
): Promise<SettledBooking | null> =>
	sql.begin(async (tx) => {
		const [row] = await tx<SettleRow[]>`
			select state, slot_id as "slotId", fence, hold_id as "holdId",
				device_key as "deviceKey", exclusive, replaces
			from bookings where id = ${bookingId} and ${isNewest(tx, asking)} for update`;
		if (row === undefined || !canMove(row.state, outcome.state)) return null;
		await writeOutcome(tx, bookingId, row, outcome);
		const isBooked = outcome.state === 'booked';
		const left = isBooked ? await leaveOldVisit(tx, bookingId, row.replaces) : null;
		await moveSlot(tx, row, outcome);
		const slots = outcome.state === 'unconfirmed' ? [] : [row.slotId];
		const isNews = outcome.state === 'booked' || outcome.state === 'cancelled';
		const mail = sendsMail && isNews ? await noteMail(tx, bookingId, outcome.state) : null;
		const told = left === null ? [bookingId] : [bookingId, left.bookingId];
		const entries = await logClinicBookings(tx, told, { slots });
		return { entries, deviceKey: row.deviceKey, state: outcome.state, left, mail };
	});
