// What happens next, from a seed: steps that make sense in the model's state, many of them at the very
// end of something, some of them by the wrong person or under a used request.
import type { SlotStatus } from '#domain/slot.ts';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import type { Outcome } from '../../sim/holds/bookings.ts';
import * as make from '../../sim/holds/model.ts';
import type { Booking, Hold, Model } from '../../sim/holds/model.ts';
import type { Random } from '../../support/random.ts';
import { holdsOf, keyOf, type Fact, type Machine, type Step } from './steps.ts';

const LIMITS = { ttlMs: 5 * MINUTE_MS, maxLive: 2, maxPerHour: 6 };
const HAND_OVER_MS = 15 * MINUTE_MS;
const PEOPLE = 5;

/** Two clinics, four calendars' worth of times, of which two overlap. */
export const createMachine = (random: Random): Machine => {
	const model = make.createModel(LIMITS, HAND_OVER_MS, 0);
	const fhir = make.addSource(model, { booking: 'fhir', minNoticeMs: 0, freshForMs: 2 * HOUR_MS });
	const other = make.addSource(model, {
		booking: random.chance(0.5) ? 'link' : 'fhir',
		minNoticeMs: random.chance(0.5) ? HOUR_MS : 0,
		freshForMs: HOUR_MS
	});
	const schedules = [
		{ source: fhir, regions: ['US-MT'], planIds: null },
		{ source: other, regions: ['US-ID', 'US-MT'], planIds: ['medicaid'] }
	].map((of) => make.addSchedule(model, of));
	for (const schedule of schedules) {
		for (let nr = 0; nr < 3; nr += 1) {
			const startsAt = random.int(1, 5) * HOUR_MS + nr * 10 * MINUTE_MS;
			const capacity = random.chance(0.6) ? 1 : random.int(2, 3);
			const endsAt = startsAt + 15 * MINUTE_MS;
			make.addSlot(model, { schedule, startsAt, endsAt, capacity });
		}
	}
	for (let nr = 0; nr < PEOPLE; nr += 1) make.addDevice(model);
	return { model, polls: new Map() };
};

/** Numbers of requests: mostly new, now and then one that was used. */
export type Chooser = { readonly random: Random; requests: number };

const requestFor = (chooser: Chooser): number => {
	if (chooser.requests > 0 && chooser.random.chance(0.12)) {
		return chooser.random.int(Math.max(1, chooser.requests - 6), chooser.requests);
	}
	return (chooser.requests += 1);
};

const deviceFor = ({ random }: Chooser, own: number): number =>
	random.chance(0.95) ? own : random.int(0, PEOPLE - 1);

/** To just before, at, or just after the end of something; or some minutes on. */
export const advance = ({ random }: Chooser, model: Model): Step => {
	const ends = [...model.open].map((hold) => hold.expiresAt).filter((at) => at > model.now);
	if (ends.length > 0 && random.chance(0.6)) {
		const to = random.pick(ends) + random.int(-1, 1);
		return { do: 'advance', ms: Math.max(0, to - model.now) };
	}
	return { do: 'advance', ms: random.int(1, random.chance(0.1) ? 40 : 4) * MINUTE_MS };
};

const outcomes: readonly Outcome[] = [
	'booked',
	'booked',
	'booked',
	'slot_taken',
	'clinic_refused',
	'unconfirmed'
];

const settling = ({ random }: Chooser, booking: Booking): Step => {
	const { attempts, round, isCancelling } = booking;
	const asking = { attempts: random.chance(0.9) ? attempts : attempts - 1, round };
	const key = keyOf(booking.hold);
	if (random.chance(0.25)) return { do: 'takeUp', booking: key };
	if (isCancelling && random.chance(0.4)) return { do: 'keep', booking: key, asking };
	const outcome = isCancelling && random.chance(0.9) ? 'cancelled' : random.pick(outcomes);
	return { do: 'settle', booking: key, outcome, asking };
};

const holding = (chooser: Chooser, hold: Hold): Step => {
	const { random } = chooser;
	const device = deviceFor(chooser, hold.device.nr);
	const key = keyOf(hold);
	const chosen = random.next();
	if (chosen < 0.2) return { do: 'extend', device, hold: key };
	if (chosen < 0.4) return { do: 'release', device, hold: key };
	const request = requestFor(chooser);
	return { do: 'confirm', device, request, hold: key, words: random.chance(0.9) ? 1 : 2 };
};

const changing = (chooser: Chooser, model: Model, booking: Booking): Step => {
	const { random } = chooser;
	const device = deviceFor(chooser, booking.device.nr);
	const request = requestFor(chooser);
	const key = keyOf(booking.hold);
	const own = holdsOf(model).filter((hold) => hold.device === booking.device);
	const to = own.at(-1);
	if (to === undefined || random.chance(0.4)) {
		return { do: 'cancel', device, request, booking: key };
	}
	return { do: 'move', device, request, booking: key, hold: keyOf(to) };
};

const waitingStep = (chooser: Chooser, model: Model): Step => {
	const { random } = chooser;
	if (model.line.length > 0 && random.chance(0.6)) {
		const entry = random.pick(model.line);
		const device = deviceFor(chooser, entry.device.nr);
		return { do: random.chance(0.3) ? 'leave' : 'resume', device, entry: entry.nr };
	}
	return {
		do: 'join',
		device: random.int(0, PEOPLE - 1),
		request: requestFor(chooser),
		region: random.pick(['US-MT', 'US-MT', 'US-ID']),
		plan: random.chance(0.3) ? random.pick(['medicaid', 'medicare']) : null,
		schedule: random.chance(0.3) ? random.int(0, model.schedules.length - 1) : null
	};
};

const statuses: readonly SlotStatus[] = [
	'free',
	'free',
	'free',
	'busy',
	'busy-unavailable',
	'busy-tentative',
	'entered-in-error'
];

const listed = ({ random }: Chooser, known: Fact): Fact | null => {
	if (random.chance(0.5)) return known;
	if (random.chance(0.1)) return null;
	const status = random.pick(statuses);
	const capacity = random.chance(0.8) ? known.capacity : random.int(1, 3);
	return { status, capacity, remaining: status === 'free' ? random.int(1, capacity) : 0 };
};

const polling = (chooser: Chooser, { model, polls }: Machine): Step => {
	const { random } = chooser;
	const source = random.int(0, model.sources.length - 1);
	const begun = polls.get(source) ?? [];
	const newest = begun.at(-1);
	if (newest === undefined || random.chance(0.2)) return { do: 'beginPoll', source };
	if (newest.listing.length > 0) return { do: 'commitPoll', source };
	const listing = new Map(
		model.slots
			.filter(({ schedule }) => schedule.source.nr === source)
			.map((slot) => {
				const { status, capacity, remaining } = slot;
				return [slot.nr, listed(chooser, { status, capacity, remaining })];
			})
	);
	return { do: 'readPoll', source, listing };
};

const placing = (chooser: Chooser, model: Model): Step => ({
	do: 'place',
	device: chooser.random.int(0, PEOPLE - 1),
	request: requestFor(chooser),
	slot: chooser.random.int(0, model.slots.length - 1)
});

/** A step of one person or worker, which is one transaction in the hub. */
const chooseTransaction = (chooser: Chooser, model: Model): Step => {
	const { random } = chooser;
	const holds = holdsOf(model).slice(-40);
	const bookings = holds.flatMap(({ booking }) => (booking === null ? [] : [booking])).slice(-8);
	const chosen = random.next();
	const recent = holds.filter(({ booking, state }) => booking === null && state === 'held');
	if (chosen < 0.35 && recent.length > 0) return holding(chooser, random.pick(recent));
	if (chosen < 0.4 && holds.length > 0) return holding(chooser, random.pick(holds));
	// What was handed over is settled by nobody here: the publisher decides.
	const askable = bookings.filter(({ state }) => state !== 'handed_over');
	if (chosen < 0.58 && askable.length > 0) return settling(chooser, random.pick(askable));
	if (chosen < 0.66 && bookings.length > 0) return changing(chooser, model, random.pick(bookings));
	if (chosen < 0.72) return { do: 'sweep', only: null };
	return placing(chooser, model);
};

/** Some that meet: at one time, over one hold, or anywhere. */
export const chooseMeeting = (chooser: Chooser, model: Model, count: number): Step[] => {
	const { random } = chooser;
	const live = holdsOf(model).filter(({ state }) => state === 'held');
	const isOver = random.chance(0.4) && live.length > 0;
	const hold = isOver ? random.pick(live.slice(-4)) : null;
	const slot = random.int(0, model.slots.length - 1);
	const one = (): Step => {
		if (hold !== null && random.chance(0.8)) return holding(chooser, hold);
		const step = random.chance(0.4) ? placing(chooser, model) : chooseTransaction(chooser, model);
		// Which of two workers took a booking up cannot be asked in one statement.
		if (step.do === 'takeUp') return { do: 'sweep', only: null };
		return step.do === 'place' && random.chance(0.7) ? { ...step, slot } : step;
	};
	return Array.from({ length: count }, one);
};

export const chooseStep = (chooser: Chooser, machine: Machine): Step => {
	const { random } = chooser;
	const chosen = random.next();
	if (chosen < 0.14) return advance(chooser, machine.model);
	if (chosen < 0.25) return polling(chooser, machine);
	if (chosen < 0.33) return waitingStep(chooser, machine.model);
	if (chosen < 0.41) return { do: 'offer' };
	if (chosen < 0.42) {
		return { do: 'enable', source: random.int(0, 1), enabled: random.chance(0.7) };
	}
	return chooseTransaction(chooser, machine.model);
};
