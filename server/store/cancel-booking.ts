// Asking a clinic to cancel a booked visit: the wish is committed first, the clinic is asked by a
// worker, and until it has said yes the visit stands and its place is nobody else's.
import type { BookingState, ChangeRefused } from '#domain/booking.ts';
import type { CancelRefusal } from '#domain/api.ts';
import type { CancelBooking } from '#domain/commands.ts';
import type { BookingId, DeviceKey, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { ok, refuse, type Refused, type Result } from '#domain/result.ts';
import { SourceSettings } from '#domain/source.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';
import { logClinicBooking } from './booking-log.ts';
import { isNewest, type Asking, type SettledBooking } from './bookings.ts';
import { startCancel } from './leave-old-visit.ts';
import { findRequest, keepRequest, lockDevice } from './requests.ts';

export type AskedCancel = {
	readonly entries: readonly RoomEntry<unknown>[];
	/** The clinic must be asked; null = it was asked before, or there is nothing left to ask. */
	readonly round: number | null;
};

type AskRow = {
	state: BookingState;
	hasBegun: boolean;
	phone: string | null;
	linkUrl: string | null;
	/** A new time for it is being booked. */
	isMoving: boolean;
};

export const lockBooking = async (
	tx: Tx,
	device: DeviceKey,
	bookingId: BookingId
): Promise<AskRow | undefined> => {
	const [row] = await tx<AskRow[]>`
		select b.shown_state as state, b.starts_at <= clock_timestamp() as "hasBegun",
			coalesce(b.phone, c.phone) as phone, b.link_url as "linkUrl",
			exists (select 1 from bookings n where n.replaces = b.id
				and n.state in ('confirming', 'unconfirmed')) as "isMoving"
		from bookings b join schedules c on c.id = b.schedule_id
		where b.id = ${bookingId} and is_of_device(b.id, b.device_key, ${device})
		for update of b`;
	return row;
};

/** Why a visit in this state cannot be cancelled here; null = it can. */
export const refusalOf = (row: AskRow): Refused<CancelRefusal> | null => {
	switch (row.state) {
		case 'confirming':
		case 'unconfirmed':
			return refuse('booking_unsettled');
		case 'handed_over':
			return refuse('call_clinic', { phone: row.phone, linkUrl: row.linkUrl });
		case 'rejected':
			return refuse('too_late');
		case 'booked':
			if (row.isMoving) return refuse('booking_unsettled');
			return row.hasBegun ? refuse('too_late') : null;
		default:
			return null;
	}
};

/**
 * J1, J2: only a booked visit of this device that has not begun. Asked again while the clinic is
 * being asked, or afterwards, it has no further effect.
 */
export const askCancel = (
	sql: Sql,
	device: DeviceKey,
	{ bookingId, requestId }: CancelBooking
): Promise<Result<AskedCancel, CancelRefusal>> =>
	sql.begin(async (tx) => {
		await lockDevice(tx, device);
		const fingerprint = `cancel:${bookingId}`;
		const before = await findRequest(tx, device, requestId);
		if (before !== null && before.fingerprint !== fingerprint) return refuse('request_reused');
		const row = await lockBooking(tx, device, bookingId);
		if (row === undefined) return refuse('booking_unknown');
		if (before !== null) return ok({ entries: [], round: null });
		const refusal = refusalOf(row);
		if (refusal !== null) return refusal;
		if (row.state !== 'booked') return ok({ entries: [], round: null });
		const round = await startCancel(tx, bookingId);
		await keepRequest(tx, device, requestId, { fingerprint, reply: { id: bookingId } });
		return ok({ entries: await logClinicBooking(tx, bookingId, { slots: [] }), round });
	});

/**
 * J29: the clinic itself declines a visit that was booked with it: the same way out as a patient's
 * wish, and the console has seen it. Asked again it has no further effect.
 */
export const askDecline = (
	sql: Sql,
	sourceId: SourceId,
	bookingId: BookingId
): Promise<Result<AskedCancel, CancelRefusal>> =>
	sql.begin(async (tx) => {
		const [row] = await tx<AskRow[]>`
			select b.shown_state as state, b.starts_at <= clock_timestamp() as "hasBegun",
				coalesce(b.phone, c.phone) as phone, b.link_url as "linkUrl",
				exists (select 1 from bookings n where n.replaces = b.id
					and n.state in ('confirming', 'unconfirmed')) as "isMoving"
			from bookings b join schedules c on c.id = b.schedule_id
			where b.id = ${bookingId} and b.source_id = ${sourceId}
			for update of b`;
		if (row === undefined) return refuse('booking_unknown');
		const refusal = refusalOf(row);
		if (refusal !== null) return refusal;
		if (row.state !== 'booked') return ok({ entries: [], round: null });
		const round = await startCancel(tx, bookingId);
		await tx`
			update bookings set acknowledged_at = coalesce(acknowledged_at, clock_timestamp())
			where id = ${bookingId}`;
		return ok({ entries: await logClinicBooking(tx, bookingId, { slots: [] }), round });
	});

/** What a connector needs to cancel: no word about the patient. */
export type StoredCancel = {
	readonly attempts: number;
	readonly round: number;
	readonly order: {
		readonly source: SourceSettings;
		readonly bookingId: BookingId;
		readonly appointmentId: string | null;
		readonly sourceSlotId: string;
		readonly startsAt: Instant;
	};
};

/** Null when no cancellation of this booking is open. */
export const readCancel = async (
	sql: Queryable,
	bookingId: BookingId
): Promise<StoredCancel | null> => {
	const [row] = await sql<
		{
			attempts: number;
			round: number;
			appointmentId: string | null;
			source: unknown;
			sourceSlotId: string;
			startsAt: Instant;
		}[]
	>`
		select b.attempts, b.cancel_round as round, b.appointment_id as "appointmentId",
			jsonb_build_object(
				'key', o.key, 'name', o.name, 'kind', o.kind, 'url', o.url, 'notes', o.notes,
				'minIntervalMs', o.min_interval_ms, 'freshForMs', o.fresh_for_ms,
				'windowMs', o.window_ms, 'allowPrivate', o.allow_private, 'booking', o.booking
			) as source,
			s.source_slot_id as "sourceSlotId", b.starts_at as "startsAt"
		from bookings b
		join slots s on s.id = b.slot_id
		join sources o on o.id = b.source_id
		where b.id = ${bookingId} and b.shown_state = 'cancelling'`;
	if (row === undefined) return null;
	const { attempts, round, source, ...rest } = row;
	return { attempts, round, order: { ...rest, bookingId, source: SourceSettings.parse(source) } };
};

/**
 * J3: the clinic did not cancel: the visit stands as before, and says why. Null when no cancellation
 * is open, or the worker was overtaken (H40).
 */
export const keepBooking = (
	sql: Sql,
	bookingId: BookingId,
	because: ChangeRefused,
	asking?: Asking
): Promise<SettledBooking | null> =>
	sql.begin(async (tx) => {
		const [row] = await tx<{ deviceKey: DeviceKey }[]>`
			update bookings
			set cancel_asked_at = null, change_refused = ${because}, sequence = sequence + 1,
				-- J12: left by its patient and not freed: the clinic has to look.
				acknowledged_at = case when not exists (
					select 1 from bookings n where n.replaces = bookings.id and n.state = 'booked'
				) then acknowledged_at end
			where id = ${bookingId} and shown_state = 'cancelling' and ${isNewest(tx, asking)}
			returning device_key as "deviceKey"`;
		if (row === undefined) return null;
		const entries = await logClinicBooking(tx, bookingId, { slots: [] });
		return { entries, deviceKey: row.deviceKey, state: 'booked', left: null, mail: null };
	});
