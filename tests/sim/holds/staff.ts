// Everybody else in the simulation: the sweep, the polls, the workers that ask the clinics, the round
// of offers, the clinics' desks and the clock. Each of them dies now and then.
import { BOOKING_LEASE_MS, pauseAfter } from '#workers/jobs/write-booking.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import { keep, settle, takeUp, type Asking, type Outcome } from './bookings.ts';
import { sweep } from './holds.ts';
import { sawOffers, sawPoll, sawSettle, sawSweep } from './ledger.ts';
import { offerRound } from './line.ts';
import type { Booking, Source } from './model.ts';
import { beginPoll, commitPoll, diffOf, type Told } from './poll.ts';
import { deskOf, mishap, readListing, roomAt, type Town } from './town.ts';

export const actAsSweeper = (town: Town): number => {
	const { model, ledger, random, races } = town;
	town.operations += 1;
	const booked = new Set([...model.open].filter(({ state }) => state === 'booked'));
	const ended = sweep(model);
	sawSweep(ledger, ended);
	for (const hold of ended) if (booked.has(hold)) races.claimsEndedByTime += 1;
	if (mishap(town, 0.02)) {
		races.pausedSweeps += 1;
		return model.now + 12 * MINUTE_MS;
	}
	return model.now + random.int(20, 90) * SECOND_MS;
};

const POLL_LEASE_MS = 90 * SECOND_MS;

/** A poll under way: begun, then read, then committed. */
export type Poll = {
	readonly source: Source;
	gen: number | null;
	listing: Told[] | null;
	changes: Told[];
};

export const actAsPoller = (town: Town, poll: Poll): number => {
	const { model, ledger, random, races } = town;
	const { source } = poll;
	town.operations += 1;
	if (poll.gen === null) {
		poll.gen = beginPoll(model, source, POLL_LEASE_MS);
		return model.now + random.int(1, 30) * (poll.gen === null ? 5 * SECOND_MS : SECOND_MS);
	}
	if (mishap(town, 0.02)) {
		races.killedPollers += 1;
		poll.gen = null;
		poll.listing = null;
		return model.now + 30 * SECOND_MS;
	}
	if (poll.listing === null) {
		poll.listing = readListing(town, source);
		poll.changes = diffOf(model, poll.listing);
		// Now and then longer than its lease: another has begun meanwhile.
		return model.now + random.int(1, mishap(town, 0.05) ? 200 : 20) * SECOND_MS;
	}
	const { gen, listing, changes } = poll;
	poll.gen = null;
	poll.listing = null;
	if (commitPoll(model, source, { gen, listing, changes })) sawPoll(ledger, listing);
	else races.fencedPolls += 1;
	return model.now + random.int(20, 240) * SECOND_MS;
};

type Answer = Outcome | 'kept' | null;

/** A worker of bookings: claims one, asks the clinic, and settles what it heard. */
export type Writer = { booking: Booking | null; asking: Asking; answer: Answer };

/** When bookings are due to be asked about again. */
export type Due = Map<Booking, number>;

const askClinic = (town: Town, booking: Booking, { attempts }: Asking): Answer => {
	const { races } = town;
	const desk = deskOf(town, booking.hold.slot);
	// The request is lost on the way, or the clinic is down: nobody knows which.
	if (mishap(town, 0.06)) return 'unconfirmed';
	const isHeard = !mishap(town, 0.08);
	if (!isHeard) races.clinicRepliesLost += 1;
	if (booking.isCancelling) {
		// What it has struck already it cannot refuse to strike.
		if (desk.ours.has(booking) && mishap(town, 0.1)) return isHeard ? 'kept' : 'unconfirmed';
		desk.ours.delete(booking);
		return isHeard ? 'cancelled' : 'unconfirmed';
	}
	const isRepeat = attempts > 1 || booking.state !== 'confirming';
	if (isRepeat && desk.ours.has(booking)) {
		races.unknownFoundBooked += 1;
		return isHeard ? 'booked' : 'unconfirmed';
	}
	// The clinic knows our key: asked twice, it is one visit, also when it was struck meanwhile.
	if (desk.ours.has(booking) || desk.struck.has(booking)) return isHeard ? 'booked' : 'unconfirmed';
	if (!desk.isListed || desk.isPaused || roomAt(desk) <= 0) {
		if (isHeard) races.filledElsewhere += 1;
		if (isHeard && isRepeat) races.unknownFoundRefused += 1;
		return isHeard ? 'slot_taken' : 'unconfirmed';
	}
	if (mishap(town, 0.03)) return isHeard ? 'clinic_refused' : 'unconfirmed';
	desk.ours.add(booking);
	return isHeard ? 'booked' : 'unconfirmed';
};

const store = (town: Town, booking: Booking, { answer, asking }: Writer, due: Due): void => {
	const { model, ledger, races } = town;
	const isOvertaken = booking.attempts !== asking.attempts || booking.round !== asking.round;
	if (isOvertaken) races.overtakenWriters += 1;
	if (answer === 'kept') {
		if (keep(booking, asking)) town.unsettled.delete(booking);
		return;
	}
	if (answer === null) return;
	if (answer === 'unconfirmed') {
		due.set(booking, model.now + pauseAfter(asking.attempts));
		if (booking.isCancelling || booking.state !== 'confirming') return;
	}
	const { slot } = booking.hold;
	const wasKnownTaken = slot.status === 'busy' || slot.isRemoved;
	if (!settle(model, booking, answer, asking)) return;
	sawSettle(ledger, booking, answer, wasKnownTaken);
	if (answer === 'unconfirmed') return;
	if (answer === 'cancelled') races.cancelled += 1;
	town.unsettled.delete(booking);
	const { replaces } = booking;
	if (answer === 'booked' && replaces?.isCancelling === true) {
		ledger.cancelAsked.add(replaces);
		town.unsettled.add(replaces);
	}
};

export const actAsWriter = (town: Town, writer: Writer, due: Due): number => {
	const { model, random, races } = town;
	if (mishap(town, 0.02)) {
		races.killedWriters += 1;
		writer.booking = null;
		return model.now + 20 * SECOND_MS;
	}
	const { booking } = writer;
	town.operations += 1;
	if (booking !== null) {
		store(town, booking, writer, due);
		writer.booking = null;
		return model.now + random.int(1, 20) * SECOND_MS;
	}
	for (const next of town.unsettled) {
		if ((due.get(next) ?? 0) > model.now) continue;
		due.set(next, model.now + BOOKING_LEASE_MS);
		writer.booking = next;
		writer.asking = takeUp(next);
		writer.answer = askClinic(town, next, writer.asking);
		// As long as its deadlines let it; now and then it is stopped, and another takes it up.
		if (mishap(town, 0.03)) return model.now + random.int(30, 60) * SECOND_MS;
		return model.now + random.int(1, 12) * SECOND_MS;
	}
	return model.now + random.int(5, 60) * SECOND_MS;
};

export const actAsOfferer = (town: Town): number => {
	const { model, ledger, random, races } = town;
	town.operations += 1;
	const before = model.line.filter(({ state }) => state === 'offered');
	const lapses = before.map((entry) => entry.lapses);
	const offers = offerRound(model);
	sawOffers(ledger, offers);
	races.offers += offers.length;
	before.forEach((entry, at) => {
		if (!model.line.includes(entry)) races.takenOffers += 1;
		else if (entry.lapses > (lapses[at] ?? 0)) races.lapsedOffers += 1;
		else if (entry.state === 'waiting') races.passedOffers += 1;
	});
	return model.now + random.int(5, 90) * SECOND_MS;
};

/** People book at the clinic too, and the clinic strikes visits and takes times off its list. */
export const actAsDesk = (town: Town): number => {
	const { model, random, races } = town;
	const desk = random.pick(town.desks);
	const chosen = random.next();
	if (chosen < 0.3 && roomAt(desk) > 0) desk.elsewhere += 1;
	else if (chosen < 0.65 && desk.elsewhere > 0) desk.elsewhere -= 1;
	else if (chosen < 0.7) desk.isListed = false;
	else if (chosen < 0.75) desk.isPaused = true;
	else if (chosen < 0.9) {
		desk.isListed = true;
		desk.isPaused = false;
	} else {
		for (const booking of desk.ours) {
			if (booking.state !== 'booked') continue;
			desk.ours.delete(booking);
			desk.struck.add(booking);
			races.visitsCancelledByTheClinic += 1;
			break;
		}
	}
	return model.now + random.int(10, 240) * SECOND_MS;
};

/** The clock leaps forward; what was to happen meanwhile happens late. */
export const actAsClock = (town: Town): number => {
	const { model, random, races, ledger } = town;
	const before = model.now;
	model.now += random.int(1, 15) * MINUTE_MS;
	for (const { promises } of ledger.pages.values()) {
		if (promises.some(({ until }) => until > before && until <= model.now)) {
			races.clockJumps += 1;
			break;
		}
	}
	return model.now + random.int(1, 3) * HOUR_MS;
};
