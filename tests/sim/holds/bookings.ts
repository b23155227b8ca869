// Bookings of the model: confirming, what the clinic answers, cancelling and moving, as
// server/store does it (confirm-hold, make-booking, bookings, cancel-booking, move-booking).
import { canMove, SOURCE_LAG_MS, type BookingState } from '#domain/booking.ts';
import { dropClaim, hasClaim, isLive, noteOpen, setClaim } from './holds.ts';
import type { Booking, Device, Hold, Model, Slot } from './model.ts';

export type Outcome = 'booked' | 'slot_taken' | 'clinic_refused' | 'unconfirmed' | 'cancelled';

const stateAfter: Readonly<Record<Outcome, BookingState>> = {
	booked: 'booked',
	slot_taken: 'rejected',
	clinic_refused: 'rejected',
	unconfirmed: 'unconfirmed',
	cancelled: 'cancelled'
};
const holdAfter = {
	booked: 'booked',
	slot_taken: 'rejected',
	clinic_refused: 'rejected',
	unconfirmed: 'confirming',
	cancelled: 'released'
} as const;

/** What the constraints below the holds forbid a second time. */
const isStanding = ({ exclusive, state }: Booking): boolean =>
	exclusive && (state === 'confirming' || state === 'unconfirmed' || state === 'booked');

const collides = (model: Model, slot: Slot): boolean =>
	model.slots.some(
		(other) =>
			other.schedule === slot.schedule &&
			other.startsAt < slot.endsAt &&
			slot.startsAt < other.endsAt &&
			other.bookings.some(isStanding)
	);

const takePlace = (model: Model, slot: Slot): void => {
	if (slot.remaining <= 1) slot.status = 'busy';
	slot.remaining = Math.max(0, slot.remaining - 1);
	slot.ownChangedAt = model.now;
};

/** K13. */
const yieldToSource = (slot: Slot): void => {
	if (slot.status !== 'free') return;
	for (const booking of slot.bookings) {
		if (booking.state === 'booked' && booking.exclusive && !hasClaim(slot, booking.hold.fence)) {
			booking.exclusive = false;
		}
	}
};

const book = (
	model: Model,
	hold: Hold,
	{ device, replaces }: Pick<Booking, 'device' | 'replaces'>
): Booking | null => {
	const { slot } = hold;
	const { booking: kind } = slot.schedule.source;
	const until = kind === 'fhir' ? Infinity : model.now + model.handOverMs;
	if (!setClaim(slot, hold.fence, until)) return null;
	slot.ownChangedAt = model.now;
	hold.state = 'confirming';
	hold.expiresAt = until;
	yieldToSource(slot);
	const exclusive = slot.capacity === 1;
	const isLost = kind === 'fhir' && exclusive && collides(model, slot);
	const wanted = kind === 'fhir' ? 'confirming' : 'handed_over';
	const booking: Booking = {
		nr: (model.made.bookings += 1),
		hold,
		device,
		replaces,
		state: isLost ? 'rejected' : wanted,
		exclusive,
		isCancelling: false,
		round: 0,
		attempts: 0
	};
	hold.booking = booking;
	slot.bookings.push(booking);
	if (isLost) {
		hold.state = 'rejected';
		dropClaim(model, slot, hold.fence);
		takePlace(model, slot);
	}
	noteOpen(model, hold);
	return booking;
};

const refusalOfHold = (hold: Hold, now: number): 'hold_unknown' | 'hold_expired' | null => {
	if (hold.state === 'expired') return 'hold_expired';
	if (hold.state !== 'held') return 'hold_unknown';
	return isLive(hold.expiresAt, now) ? null : 'hold_expired';
};

export type Confirming = BookingState | 'hold_unknown' | 'hold_expired' | 'request_reused';
export type ConfirmAsked = {
	readonly device: Device;
	readonly request: number;
	readonly hold: Hold;
	/** Stands for what the patient typed. */
	readonly words: number;
};

/** The state of the booking that was made, now or before, or why there is none. */
export const confirm = (
	model: Model,
	{ device, request, hold, words }: ConfirmAsked
): Confirming => {
	const print = `confirm:${hold.nr}:${words}`;
	const before = device.requests.get(request);
	if (before !== undefined && before.print !== print) return 'request_reused';
	if (hold.device !== device) return 'hold_unknown';
	if (hold.booking !== null) return hold.booking.state;
	const refusal = refusalOfHold(hold, model.now);
	if (refusal !== null) return refusal;
	const booking = book(model, hold, { device, replaces: null });
	if (booking === null) return 'hold_expired';
	device.requests.set(request, { print, hold });
	return booking.state;
};

const shownState = (booking: Booking): BookingState =>
	booking.state === 'booked' && booking.isCancelling ? 'cancelling' : booking.state;

const startCancel = (booking: Booking): boolean => {
	if (shownState(booking) !== 'booked') return false;
	booking.isCancelling = true;
	booking.round += 1;
	booking.attempts = 0;
	return true;
};

const moveSlot = (model: Model, { hold, exclusive }: Booking, outcome: Outcome): void => {
	const { slot, fence } = hold;
	if (outcome === 'unconfirmed') return;
	if (outcome !== 'booked') {
		dropClaim(model, slot, fence);
		if (outcome === 'slot_taken') takePlace(model, slot);
		return;
	}
	const isKnown = slot.status === 'busy' || slot.status === 'busy-unavailable' || slot.isRemoved;
	takePlace(model, slot);
	if (isKnown || !exclusive) return dropClaim(model, slot, fence);
	const until = model.now + SOURCE_LAG_MS;
	if (setClaim(slot, fence, until)) hold.expiresAt = until;
};

/** Which asking of the clinic it was. */
export type Asking = Pick<Booking, 'attempts' | 'round'>;

/** H40: another worker has taken it up meanwhile, or another wish is asked for. */
const isOvertaken = (booking: Booking, asking: Asking): boolean =>
	booking.attempts !== asking.attempts || booking.round !== asking.round;

/** A worker takes the booking up. */
export const takeUp = (booking: Booking): Asking => {
	booking.attempts += 1;
	return { attempts: booking.attempts, round: booking.round };
};

/** False when the move is none of the state machine, or the worker was overtaken. */
export const settle = (
	model: Model,
	booking: Booking,
	outcome: Outcome,
	asking: Asking = booking
): boolean => {
	if (isOvertaken(booking, asking)) return false;
	if (!canMove(booking.state, stateAfter[outcome])) return false;
	booking.state = stateAfter[outcome];
	booking.hold.state = holdAfter[outcome];
	if (outcome === 'booked' && booking.replaces !== null) startCancel(booking.replaces);
	moveSlot(model, booking, outcome);
	noteOpen(model, booking.hold);
	return true;
};

/** The clinic did not cancel. */
export const keep = (booking: Booking, asking: Asking = booking): boolean => {
	if (isOvertaken(booking, asking)) return false;
	if (shownState(booking) !== 'cancelling') return false;
	booking.isCancelling = false;
	return true;
};

const isBeingReplaced = (model: Model, old: Booking): boolean =>
	model.slots.some((slot) =>
		slot.bookings.some(
			({ replaces, state }) =>
				replaces === old && (state === 'confirming' || state === 'unconfirmed')
		)
	);

const refusalOfChange = (model: Model, booking: Booking): ChangeRefusal | null => {
	switch (booking.state) {
		case 'confirming':
		case 'unconfirmed':
			return 'booking_unsettled';
		case 'handed_over':
			return 'call_clinic';
		case 'rejected':
			return 'too_late';
		case 'booked':
			if (booking.isCancelling) return null;
			if (isBeingReplaced(model, booking)) return 'booking_unsettled';
			return booking.hold.slot.startsAt <= model.now ? 'too_late' : null;
		default:
			return null;
	}
};

export type ChangeRefusal =
	| 'request_reused'
	| 'booking_unknown'
	| 'booking_unsettled'
	| 'call_clinic'
	| 'too_late';
/** `asked` = the clinic is asked from now on; `was_asked` = no further effect. */
export type Cancelling = 'asked' | 'was_asked' | ChangeRefusal;
export type ChangeAsked = {
	readonly device: Device;
	readonly request: number;
	readonly booking: Booking;
};

export const askCancel = (model: Model, { device, request, booking }: ChangeAsked): Cancelling => {
	const print = `cancel:${booking.nr}`;
	const before = device.requests.get(request);
	if (before !== undefined && before.print !== print) return 'request_reused';
	if (booking.device !== device) return 'booking_unknown';
	if (before !== undefined) return 'was_asked';
	const refusal = refusalOfChange(model, booking);
	if (refusal !== null) return refusal;
	if (!startCancel(booking)) return 'was_asked';
	device.requests.set(request, { print, hold: null });
	return 'asked';
};

export type Moving =
	| BookingState
	| ChangeRefusal
	| 'hold_unknown'
	| 'hold_expired'
	| 'other_clinic';

/** The state of the booking that takes the old one's place, or why there is none. */
export const move = (model: Model, asked: ChangeAsked & { readonly hold: Hold }): Moving => {
	const { device, request, booking: old, hold } = asked;
	const print = `move:${old.nr}:${hold.nr}`;
	const before = device.requests.get(request);
	if (before !== undefined && before.print !== print) return 'request_reused';
	if (old.device !== device) return 'booking_unknown';
	if (hold.device !== device) return 'hold_unknown';
	if (hold.booking !== null) return hold.booking.state;
	const refusal = refusalOfChange(model, old);
	if (refusal !== null) return refusal;
	if (shownState(old) !== 'booked') return 'too_late';
	const refusedHold = refusalOfHold(hold, model.now);
	if (refusedHold !== null) return refusedHold;
	if (hold.slot.schedule.source !== old.hold.slot.schedule.source) return 'other_clinic';
	const isLeft = model.slots.some((slot) =>
		slot.bookings.some((one) => one.replaces === old && one.state === 'booked')
	);
	if (isLeft) return 'too_late';
	const made = book(model, hold, { device: old.device, replaces: old });
	if (made === null) return 'hold_expired';
	device.requests.set(request, { print, hold });
	return made.state;
};
