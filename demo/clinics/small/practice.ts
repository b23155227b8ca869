// A practice of the world as the small servers see it: one clinician's visits over the clinic's own
// book, which the world's driver fills and frees like that of every other clinic.
import { must } from '#domain/result.ts';
import type { Appointment, Clinic } from '../clinic.ts';
import { fullName } from '../people.ts';
import type { Slot } from '../slot-book.ts';
import type { Booking, Office, Visit } from './office.ts';

/** Longer than any of the servers keeps a time: they give theirs back themselves. */
const HOLD_MS = 600_000;

/** A live view of one slot. */
const visitOf = (clinic: Clinic, { id, startAt, endAt }: Slot): Visit => ({
	id,
	startAt,
	endAt,
	get isFree(): boolean {
		return clinic.slots.get(id)?.status === 'free';
	},
	get heldBy(): string | null {
		const slot = clinic.slots.get(id);
		return slot?.status === 'busy-tentative' ? (slot.heldBy ?? 'the desk') : null;
	},
	set heldBy(holder: string | null) {
		if (holder !== null) clinic.hold(id, holder, HOLD_MS);
		else if (clinic.slots.get(id)?.status === 'busy-tentative' && !clinic.isKept(id)) {
			clinic.setSlotStatus(id, 'free');
		}
	}
});

const bookingOf = (appointment: Appointment): Booking => ({
	id: appointment.id,
	visitId: appointment.slotId,
	startAt: appointment.startAt,
	status: appointment.status === 'cancelled' ? 'cancelled' : 'booked',
	reference: appointment.identifiers[0] ?? '',
	content: appointment.content
});

/** The office of a clinic with one practitioner. Throws when there are more or none. */
export const officeOf = (clinic: Clinic): Office => {
	const { profile, practitioners } = clinic.organisation;
	const [person, ...others] = practitioners;
	if (person === undefined || others.length > 0) throw new Error('a practice is one practitioner');
	const upcoming = (): Visit[] =>
		clinic.slots
			.sorted()
			.filter(({ startAt }) => startAt >= clinic.now())
			.map((slot) => visitOf(clinic, slot));
	let touched = 0;
	return {
		name: profile.name,
		host: `${profile.key}.example`,
		zone: person.timeZone,
		who: {
			ref: person.id,
			name: fullName(person.name),
			state: person.home,
			zoneWord: person.timeZone
		},
		visitMinutes: person.slotMinutes,
		now: clinic.now,
		visits: upcoming,
		at: (startAt) => upcoming().find((visit) => visit.startAt === startAt),
		bookings: () => clinic.appointments().map(bookingOf),
		setFree: (visitId, isFree) => void clinic.setSlotStatus(visitId, isFree ? 'free' : 'busy'),
		book: (visit, holder, { reference, content }) => {
			const made = clinic.book({
				slotId: visit.id,
				via: 'fhir',
				identifiers: [reference],
				referral: null,
				source: null,
				content,
				status: 'booked',
				holder
			});
			return made.ok ? bookingOf(must(made.value, 'appointment')) : null;
		},
		cancel: (bookingId) =>
			clinic.appointment(bookingId)?.status === 'booked' &&
			clinic.changeAppointment(bookingId, 'cancelled').ok,
		revision: () => clinic.slots.revision() + touched,
		touch: () => {
			touched += 1;
		}
	};
};
