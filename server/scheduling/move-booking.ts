// Moving a visit to another time of the same clinic. The new booking is committed before anybody is
// told, and the old one stands until the clinic has booked the new one.
import { randomUUID } from 'node:crypto';
import type { MoveRefusal } from '#domain/api.ts';
import type { BookingView } from '#domain/booking.ts';
import type { MoveBooking } from '#domain/commands.ts';
import { BookingId, type DeviceKey } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { must, ok, type Result } from '#domain/result.ts';
import type { Sql } from '../platform/postgres.ts';
import { readBookingView } from '../store/booking-view.ts';
import { moveBooking as move } from '../store/move-booking.ts';

type Deps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	/** May fail: asked again from Postgres. */
	readonly enqueue: (bookingId: BookingId) => Promise<void>;
};

export const moveBooking =
	({ sql, publish, enqueue }: Deps) =>
	async (device: DeviceKey, command: MoveBooking): Promise<Result<BookingView, MoveRefusal>> => {
		const bookingId = BookingId.parse(randomUUID());
		const moved = await move(sql, { device, command, bookingId });
		if (!moved.ok) return moved;
		const { bookingId: id, state, entries } = moved.value;
		if (entries.length > 0) publish(entries);
		if (state === 'confirming') await enqueue(id).catch(() => undefined);
		return ok(must(await readBookingView(sql, device, id), 'the booking just made'));
	};
