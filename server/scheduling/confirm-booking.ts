// Confirming a hold: the booking is committed before anybody is told, and the clinic is asked by a
// worker. If the queue cannot be reached, the reconcile loop finds the booking in Postgres.
import { randomUUID } from 'node:crypto';
import { isBornBy, type BookingView } from '#domain/booking.ts';
import type { ConfirmRefusal } from '#domain/api.ts';
import type { ConfirmBooking } from '#domain/commands.ts';
import { BookingId, PatientId, type DeviceKey } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { must, ok, refuse, type Result } from '#domain/result.ts';
import { MINUTE_MS, type Clock } from '#domain/time.ts';
import { wrongField } from '#domain/wrong-field.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Sql } from '../platform/postgres.ts';
import { readBookingView } from '../store/booking-view.ts';
import { confirmHold } from '../store/confirm-hold.ts';
import { handOverUrl } from './hand-over-url.ts';

/** K6: a handed-over time stays claimed this long, unless its source shows it taken sooner. */
export const HAND_OVER_MS = 15 * MINUTE_MS;

type Deps = {
	readonly sql: Sql;
	readonly phi: PhiCipher;
	readonly clock: Clock;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	/** H42: visits to come that one person may have. */
	readonly maxVisits: number;
	/** May fail: asked again from Postgres. */
	readonly enqueue: (bookingId: BookingId) => Promise<void>;
};

export const confirmBooking =
	({ sql, phi, clock, maxVisits, publish, enqueue }: Deps) =>
	async (
		device: DeviceKey,
		command: ConfirmBooking
	): Promise<Result<BookingView, ConfirmRefusal>> => {
		if (!isBornBy(command.patient.bornOn, clock.now())) {
			const errors = [wrongField('not_a_date', '#/patient/bornOn')];
			return refuse('bad_request', { errors });
		}
		const bookingId = BookingId.parse(randomUUID());
		const patientId = PatientId.parse(randomUUID());
		const confirmed = await confirmHold(sql, phi, {
			device,
			command,
			bookingId,
			patientId,
			maxVisits,
			linkOf: (bookUrl) => handOverUrl(bookUrl, bookingId),
			handOverMs: HAND_OVER_MS
		});
		if (!confirmed.ok) return confirmed;
		const { bookingId: id, state, entries } = confirmed.value;
		if (entries.length > 0) publish(entries);
		if (state === 'confirming') await enqueue(id).catch(() => undefined);
		return ok(must(await readBookingView(sql, device, id), 'the booking just made'));
	};
