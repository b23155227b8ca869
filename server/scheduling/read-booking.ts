// What became of a booking, for the device that made it.
import { setTimeout as wait } from 'node:timers/promises';
import type { BookingState, BookingView, ComingVisit } from '#domain/booking.ts';
import type { BookingId, DeviceKey } from '#domain/ids.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import type { Clock } from '#domain/time.ts';
import type { Sql } from '../platform/postgres.ts';
import { readBookingView, readComingVisits } from '../store/booking-view.ts';
import { makeCalendarFile } from './calendar-file.ts';

type Deps = { readonly sql: Sql };
type Found = Promise<Result<BookingView, 'booking_unknown'>>;

export const readBooking =
	({ sql }: Deps) =>
	async (device: DeviceKey, bookingId: BookingId): Found => {
		const view = await readBookingView(sql, device, bookingId);
		return view === null ? refuse('booking_unknown') : ok(view);
	};

export const listVisits =
	({ sql }: Deps) =>
	(device: DeviceKey): Promise<readonly ComingVisit[]> =>
		readComingVisits(sql, device);

/** Nobody is kept waiting longer, ms. */
export const MAX_AWAIT_MS = 8_000;
const FIRST_LOOK_MS = 50;
const LONGEST_PAUSE_MS = 500;
const awaited: ReadonlySet<BookingState> = new Set(['confirming', 'cancelling']);

/** Looks again and again, ever more slowly, until the clinic answered or the time is over. */
export const awaitBooking =
	({ sql }: Deps) =>
	async (device: DeviceKey, bookingId: BookingId, withinMs: number): Found => {
		const deadline = performance.now() + Math.min(Math.max(withinMs, 0), MAX_AWAIT_MS);
		let pauseMs = FIRST_LOOK_MS;
		for (;;) {
			const found = await readBooking({ sql })(device, bookingId);
			if (!found.ok || !awaited.has(found.value.state)) return found;
			const leftMs = deadline - performance.now();
			if (leftMs <= 0) return found;
			await wait(Math.min(pauseMs, leftMs));
			pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
		}
	};

export const calendarFile =
	({ sql, clock }: Deps & { readonly clock: Clock }) =>
	async (device: DeviceKey, bookingId: BookingId): Promise<Result<string, 'booking_unknown'>> => {
		const found = await readBooking({ sql })(device, bookingId);
		return found.ok ? ok(makeCalendarFile(found.value, clock.now())) : found;
	};
