// Moving a visit: a new booking is made of a held time of the same clinic, for the same patient. The
// old visit is not touched here: it stands until the clinic has booked the new one.
import type { MoveRefusal } from '#domain/api.ts';
import type { BookingState } from '#domain/booking.ts';
import type { VisitKind } from '#domain/codes.ts';
import type { MoveBooking } from '#domain/commands.ts';
import type { BookingId, DeviceKey, HoldId, PatientId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { must, ok, refuse, type Result } from '#domain/result.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import { logClinicBooking } from './booking-log.ts';
import { lockBooking, refusalOf } from './cancel-booking.ts';
import { keepClaim, lockHold, makeBooking, yieldToSource, type HeldRow } from './make-booking.ts';
import { findRequest, keepRequest, lockDevice } from './requests.ts';

export type Moved = {
	readonly bookingId: BookingId;
	/** `confirming` = the clinic must be asked. */
	readonly state: BookingState;
	readonly entries: readonly RoomEntry<unknown>[];
};

type OldRow = {
	patientId: PatientId;
	kind: VisitKind | null;
	isSameClinic: boolean;
	/** Its place has been taken already: both stand until somebody frees one of them. */
	isLeft: boolean;
};

const readOld = async (tx: Tx, bookingId: BookingId, holdId: HoldId): Promise<OldRow> => {
	const [row] = await tx<OldRow[]>`
		select b.patient_id as "patientId", b.kind,
			exists (select 1 from holds h join slots s on s.id = h.slot_id
				where h.id = ${holdId} and s.source_id = b.source_id) as "isSameClinic",
			exists (select 1 from bookings n where n.replaces = b.id
				and n.state = 'booked') as "isLeft"
		from bookings b where b.id = ${bookingId}`;
	return must(row, 'the old booking');
};

const refusalOfHold = (hold: HeldRow): 'hold_unknown' | 'hold_expired' | null => {
	if (hold.state === 'expired' || (hold.state === 'held' && hold.isOver)) return 'hold_expired';
	return hold.state === 'held' ? null : 'hold_unknown';
};

type Asked = {
	readonly device: DeviceKey;
	readonly command: MoveBooking;
	readonly bookingId: BookingId;
};

const moveNow = async (
	tx: Tx,
	{ device, command, bookingId }: Asked,
	hold: HeldRow
): Promise<Result<Moved, MoveRefusal>> => {
	const old = await readOld(tx, command.bookingId, command.holdId);
	if (!old.isSameClinic) return refuse('other_clinic');
	if (old.isLeft) return refuse('too_late');
	const request = {
		device,
		holdId: command.holdId,
		kind: old.kind,
		bookingId,
		patientId: old.patientId,
		person: null,
		replaces: command.bookingId,
		hasEmail: false,
		linkOf: () => null,
		handOverMs: 0
	};
	const place = await keepClaim(tx, hold, request);
	if (place === undefined) return refuse('hold_expired');
	await yieldToSource(tx, hold.slotId);
	const state = await makeBooking(tx, request, hold, place);
	await tx`
		insert into booking_guests (booking_id, device_key, until)
		select ${bookingId}, device_key, until from booking_guests where booking_id = ${command.bookingId}`;
	const slots = state === 'rejected' ? [hold.slotId] : [];
	const entries = await logClinicBooking(tx, bookingId, { slots, endedHold: true });
	return ok({ bookingId, state, entries });
};

/**
 * J10: only a booked visit that may be cancelled, to a live hold of the same device at the same
 * clinic. The same request, or the same hold, answers with the booking that was made.
 */
export const moveBooking = (sql: Sql, asked: Asked): Promise<Result<Moved, MoveRefusal>> =>
	sql.begin(async (tx) => {
		const { device, command } = asked;
		await lockDevice(tx, device);
		const fingerprint = `move:${command.bookingId}:${command.holdId}`;
		const before = await findRequest(tx, device, command.requestId);
		if (before !== null && before.fingerprint !== fingerprint) return refuse('request_reused');
		const row = await lockBooking(tx, device, command.bookingId);
		if (row === undefined) return refuse('booking_unknown');
		const hold = await lockHold(tx, { device, holdId: command.holdId });
		if (hold === undefined) return refuse('hold_unknown');
		if (hold.bookingId !== null && hold.bookingState !== null) {
			return ok({ bookingId: hold.bookingId, state: hold.bookingState, entries: [] });
		}
		const refusal = refusalOf(row);
		if (refusal !== null) return refusal;
		if (row.state !== 'booked') return refuse('too_late');
		const refusedHold = refusalOfHold(hold);
		if (refusedHold !== null) return refuse(refusedHold);
		const moved = await moveNow(tx, asked, hold);
		if (!moved.ok) return moved;
		await keepRequest(tx, device, command.requestId, {
			fingerprint,
			reply: { id: asked.bookingId }
		});
		return moved;
	});
