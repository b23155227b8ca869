// The console's lists: what is new, today's visits, the later ones.
import type { ClinicBooking, ClinicDay, ClinicSnapshot } from '#domain/booking.ts';
import { dayKeyAt } from './clock.ts';

export type ClinicLists = {
	readonly fresh: readonly ClinicBooking[];
	readonly today: readonly ClinicBooking[];
	readonly later: readonly ClinicBooking[];
};

/** J4: a cancelled visit is news until it was seen. */
const isShown = ({ state, acknowledgedAt }: ClinicBooking): boolean =>
	state !== 'rejected' && (state !== 'cancelled' || acknowledgedAt === null);

/** U13: unseen ones stand on top, newest first, and in no other list. */
export const clinicLists = (
	clinic: Pick<ClinicSnapshot, 'bookings' | 'zone' | 'asOf'>
): ClinicLists => {
	const today = dayKeyAt(clinic.asOf, clinic.zone);
	const coming = clinic.bookings.filter(isShown);
	const byTime = coming
		.filter(({ acknowledgedAt }) => acknowledgedAt !== null)
		.toSorted((a, b) => a.startsAt - b.startsAt);
	const dayOf = ({ startsAt }: ClinicBooking): string => dayKeyAt(startsAt, clinic.zone);
	return {
		fresh: coming
			.filter(({ acknowledgedAt }) => acknowledgedAt === null)
			.toSorted((a, b) => b.arrivedAt - a.arrivedAt),
		today: byTime.filter((booking) => dayOf(booking) === today),
		later: byTime.filter((booking) => dayOf(booking) > today)
	};
};

/** U51: null = a day without a time, which is no day of which nothing is taken. */
export const takenOf = ({
	open,
	held,
	taken
}: Omit<ClinicDay, 'date'>): { readonly taken: number; readonly all: number } | null => {
	const all = open + held + taken;
	return all === 0 ? null : { taken: taken + held, all };
};
