import { expect, test } from 'vitest';
import type { ClinicBooking } from '#domain/booking.ts';
import type { ClinicChange } from '#domain/protocol.ts';
import { createArrivals } from '#lib/arrivals.ts';

type Told = Extract<ClinicChange, { kind: 'booking' }>;

const booking = (bookingId: string, state: Told['state']): ClinicChange =>
	({ kind: 'booking', bookingId, state, slotId: 1, scheduleId: 1, startsAt: 0 }) as Told;
const held = { kind: 'hold', slotId: 1, scheduleId: 1, startsAt: 0, held: true } as ClinicChange;

test('[U31] each booking is news once, whatever state it is first told in', () => {
	const arrivals = createArrivals({ bookings: [{ bookingId: 'old' } as ClinicBooking] });
	expect(arrivals.count([held, booking('a', 'booked'), booking('b', 'handed_over')])).toBe(2);
	expect(arrivals.count([booking('c', 'confirming')])).toBe(1);
	expect(arrivals.count([booking('c', 'booked'), booking('a', 'booked')])).toBe(0);
	expect(arrivals.count([booking('old', 'confirming')])).toBe(0);
});

test('[U31] a booking that was refused is no news', () => {
	const arrivals = createArrivals({ bookings: [] });
	expect(arrivals.count([booking('a', 'rejected'), booking('b', 'cancelled')])).toBe(0);
});
