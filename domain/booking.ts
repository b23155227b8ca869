// A Booking: from confirmation to the end of the visit. Mapped to FHIR Appointment in connectors.
import type { BookingId, HoldId, ScheduleId, SlotId } from './ids.ts';
import type { VisitKind } from './codes.ts';
import { HOUR_MS, type Instant } from './time.ts';
import { wallTimeAt } from './zone.ts';

/**
 * K1: confirming → booked | rejected | unconfirmed; unconfirmed → booked | rejected; booked →
 * cancelling → cancelled | booked. `handed_over` = the publisher only lists: its own portal books.
 * `unconfirmed` = the clinic's answer was lost: never released blindly, never repeated blindly,
 * settled by asking. `cancelling` = the clinic is asked to cancel; until it says so the visit stands.
 */
export const bookingStates = [
	'confirming',
	'booked',
	'rejected',
	'unconfirmed',
	'handed_over',
	'cancelling',
	'cancelled'
] as const;
export type BookingState = (typeof bookingStates)[number];

const moves: Readonly<Record<BookingState, readonly BookingState[]>> = {
	confirming: ['booked', 'rejected', 'unconfirmed', 'handed_over'],
	unconfirmed: ['booked', 'rejected'],
	booked: ['cancelling', 'cancelled'],
	cancelling: ['booked', 'cancelled'],
	handed_over: ['booked', 'cancelled'],
	rejected: [],
	cancelled: []
};

export const canMove = (from: BookingState, to: BookingState): boolean => moves[from].includes(to);

/**
 * K21: how long a source may go on listing a time as free after we booked it there, ms. Later its
 * word counts: the visit was cancelled before we saw it taken.
 */
export const SOURCE_LAG_MS = 10 * 60_000;

/**
 * Why a booked visit was not cancelled: the clinic said no, it is over or under way, or this clinic
 * takes changes by telephone only.
 */
export type ChangeRefused = 'clinic_refused' | 'too_late' | 'call_clinic';

/** J26: whom the visit is for: the one who types, their child, or someone they care for. */
export const visitFor = ['me', 'child', 'cared_for'] as const;
export type VisitFor = (typeof visitFor)[number];

/** What the patient types. Encrypted before it touches a disk; never in a log, job or URL. */
export type PatientDetails = {
	readonly givenName: string;
	readonly familyName: string;
	/** ISO date, `1961-05-23`. */
	readonly bornOn: string;
	readonly phone: string;
	readonly email: string | null;
	readonly reason: string | null;
	readonly planId: string | null;
	/** J26; left out by those who typed before it was asked = me. */
	readonly forWhom?: VisitFor;
};

/** What an e-mail tells of a visit. */
export type MailKind = 'booked' | 'moved' | 'cancelled';

/** The other visit of a move: the one that was left, or the one that was moved to. */
export type OtherVisit = Pick<BookingView, 'id' | 'state' | 'startsAt' | 'changeRefused'>;

export type BookingView = {
	readonly id: BookingId;
	readonly holdId: HoldId;
	readonly slotId: SlotId;
	readonly scheduleId: ScheduleId;
	readonly state: BookingState;
	readonly startsAt: Instant;
	readonly endsAt: Instant;
	readonly kind: VisitKind | null;
	readonly practitionerName: string;
	readonly organizationName: string;
	readonly zone: string;
	readonly phone: string | null;
	/** How to join, told by the clinic after booking: a link or a number; null = not told yet. */
	readonly joinUrl: string | null;
	/** For `handed_over`: the publisher's own page for this slot, with our referral handle. */
	readonly linkUrl: string | null;
	/** For `rejected`: why, in one word of the refusals table. */
	readonly rejectedBecause: 'slot_taken' | 'clinic_refused' | null;
	/** J3: why the clinic did not cancel when it was last asked; null = it was not, or it did. */
	readonly changeRefused: ChangeRefused | null;
	/** J10: the visit that this one takes the place of. */
	readonly replaces: OtherVisit | null;
	/** The newest visit that was to take this one's place, however that ended. */
	readonly movedTo: OtherVisit | null;
	/** J24: what became of the newest e-mail about it; null = none is sent. */
	readonly mail: 'coming' | 'sent' | null;
	/** iCalendar UID and SEQUENCE: one event, however often it is moved. */
	readonly calendarUid: string;
	readonly sequence: number;
};

/** U41: a visit to come, as its device finds it again: neither who nor what it is about. */
export type ComingVisit = Pick<BookingView, 'id' | 'state' | 'startsAt' | 'zone'>;

/** One line of the provider console. Names come from encrypted rows; each read is audited. */
export type ClinicBooking = {
	readonly bookingId: BookingId;
	readonly state: BookingState;
	readonly slotId: SlotId;
	readonly scheduleId: ScheduleId;
	readonly practitionerName: string;
	readonly zone: string;
	readonly startsAt: Instant;
	readonly endsAt: Instant;
	readonly kind: VisitKind | null;
	readonly arrivedAt: Instant;
	readonly acknowledgedAt: Instant | null;
	/** J12: the patient goes to another time instead, which the clinic has booked. */
	readonly isMoved: boolean;
	/** Given name and initial only: `Rosa M.`. */
	readonly patientLabel: string;
	readonly phone: string;
	readonly reason: string | null;
	/** Who calls and types for the patient; `me` = the patient. */
	readonly forWhom: VisitFor;
};

export type ClinicDay = {
	/** Local date of the clinic, `2026-11-21`. */
	readonly date: string;
	readonly open: number;
	readonly held: number;
	readonly taken: number;
};

export type ClinicSnapshot = {
	readonly sourceId: number;
	readonly name: string;
	readonly zone: string;
	readonly epoch: string;
	readonly seq: number;
	readonly asOf: Instant;
	/** Bookings not seen yet first, then by time of the visit. */
	readonly bookings: readonly ClinicBooking[];
	readonly heldNow: readonly {
		readonly slotId: SlotId;
		readonly scheduleId: ScheduleId;
		readonly practitionerName: string;
		readonly startsAt: Instant;
	}[];
	/** People in waiting lists for any of the clinic's providers. */
	readonly waiting: number;
	/** Fill rate of today and the next six days. */
	readonly days: readonly ClinicDay[];
};

/** J19: wrong dates of birth that one manage link bears. */
export const MAX_LINK_TRIES = 5;
/** J18: how long a device that proved to be the patient's may see and change the visit, ms. */
export const GUEST_MS = HOUR_MS;

/** The zone whose days begin first, 14 hours before those of UTC. */
const FIRST_ZONE = 'Pacific/Kiritimati';

/** K20: the day has begun somewhere on Earth. `bornOn` as YYYY-MM-DD. */
export const isBornBy = (bornOn: string, now: Instant): boolean => {
	const { year, month, day } = wallTimeAt(now, FIRST_ZONE);
	const today = [year, month, day].map((part) => String(part).padStart(2, '0')).join('-');
	return bornOn <= today;
};
