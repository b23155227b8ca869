// Cancelling a visit: the wish is committed and the clinic is asked by a worker. Nothing is freed
// here: the visit stands until the clinic has said that it does not.
import type { CancelRefusal } from '#domain/api.ts';
import type { BookingView } from '#domain/booking.ts';
import type { CancelBooking } from '#domain/commands.ts';
import type { BookingId, DeviceKey, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { must, ok, type Result } from '#domain/result.ts';
import type { Sql } from '../platform/postgres.ts';
import { readBookingView } from '../store/booking-view.ts';
import { askCancel, askDecline } from '../store/cancel-booking.ts';

type Deps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	/** May fail: asked again from Postgres. */
	readonly enqueue: (bookingId: BookingId, round: number) => Promise<void>;
};

export const cancelBooking =
	({ sql, publish, enqueue }: Deps) =>
	async (
		device: DeviceKey,
		command: CancelBooking
	): Promise<Result<BookingView, CancelRefusal>> => {
		const asked = await askCancel(sql, device, command);
		if (!asked.ok) return asked;
		const { entries, round } = asked.value;
		if (entries.length > 0) publish(entries);
		if (round !== null) await enqueue(command.bookingId, round).catch(() => undefined);
		return ok(must(await readBookingView(sql, device, command.bookingId), 'the booking'));
	};

/** J29: the clinic declines; its own system is asked to cancel, as for a patient's wish. */
export const declineBooking =
	({ sql, publish, enqueue }: Deps) =>
	async (source: SourceId, bookingId: BookingId): Promise<Result<null, CancelRefusal>> => {
		const asked = await askDecline(sql, source, bookingId);
		if (!asked.ok) return asked;
		const { entries, round } = asked.value;
		if (entries.length > 0) publish(entries);
		if (round !== null) await enqueue(bookingId, round).catch(() => undefined);
		return ok(null);
	};
