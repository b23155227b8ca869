// How a clinic's slots live when nobody steers them: people book elsewhere too, cancel, hold and let
// go; the desk opens days in batches. Pure: the moves of a stretch of time, from chance given.
import { must } from '#domain/result.ts';
import type { Practitioner } from './practitioner.ts';
import type { Random } from './random.ts';
import type { Slot } from './slot-book.ts';
import { instantToWall } from './zones.ts';

export type Move = {
	slotId: string;
	/** book: one place; fill: all places; hold: tentative; lapse: a hold let go; cancel: a place back;
	 * open and close: the desk opens or blocks the time. */
	kind: 'book' | 'fill' | 'hold' | 'lapse' | 'cancel' | 'open' | 'close';
};

/** A move that comes later. */
export type DueMove = Move & { at: number };

export type LifeView = {
	slots: readonly Slot[];
	people: ReadonlyMap<string, Practitioner>;
	/** The whole organisation is sought after. */
	isHot: boolean;
	/** Slots with an appointment of the clinic's own; nobody else moves them. */
	isKept: (slotId: string) => boolean;
};

export type Stretch = {
	/** UTC ms of its end. */
	now: number;
	elapsedMs: number;
	/** How much faster than life, 1 = as in life. */
	pace: number;
	random: Random;
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Chance per hour that one free slot is booked at an average hour with weeks to go. */
const BOOK_PER_HOUR = 0.03;
const CANCEL_PER_HOUR = 0.008;
const BATCHES_PER_HOUR = 0.2;
const CLOSINGS_PER_HOUR = 0.05;
const HOLD_SHARE = 0.35;

/** When people book: asleep at night, busiest before noon, a second wave after supper. */
const byHour = [
	0.1, 0.06, 0.05, 0.05, 0.06, 0.15, 0.35, 0.8, 1.4, 1.8, 1.8, 1.6, 1.4, 1.3, 1.2, 1.2, 1.1, 1, 1,
	1.2, 1.3, 1, 0.5, 0.25
];
const byWeekday = [0.45, 1.5, 1.25, 1.05, 1, 0.9, 0.5];
const BUSIEST = 1.8 * 1.5;

/** How lively an hour of the local week is; 1 is an average hour. */
export const hourOfWeek = (timeZone: string, at: number): number => {
	const { weekday, minute } = instantToWall(timeZone, at);
	return must(byWeekday[weekday]) * must(byHour[Math.floor(minute / 60)]);
};

const heatOf = (person: Practitioner, isHot: boolean): number =>
	(person.hot ? 6 : 1) * (isHot ? 2 : 1);

const MOST_HEAT = 12;
const MOST_PER_HOUR = BOOK_PER_HOUR * BUSIEST * 4 * MOST_HEAT;

/** Chance per hour that something befalls this slot now. */
export const hazardPerHour = (
	slot: Slot,
	person: Practitioner,
	isHot: boolean,
	now: number
): number => {
	const leadDays = (slot.startAt - now) / DAY_MS;
	if (leadDays <= 0) return 0;
	const lively = hourOfWeek(person.timeZone, now);
	if (slot.status === 'free') {
		return BOOK_PER_HOUR * lively * (1 + 3 * Math.exp(-leadDays / 1.5)) * heatOf(person, isHot);
	}
	return slot.status === 'busy' ? CANCEL_PER_HOUR * lively * (leadDays < 2 ? 2 : 1) : 0;
};

/** Slots of one practitioner and day that the desk treats as one. */
const batchOf = (view: LifeView, slot: Slot): Slot[] => {
	const day = Math.floor(slot.startAt / DAY_MS);
	return view.slots.filter(
		(each) =>
			each.practitionerId === slot.practitionerId &&
			each.status === slot.status &&
			Math.floor(each.startAt / DAY_MS) === day &&
			!view.isKept(each.id)
	);
};

const deskMoves = (view: LifeView, { now, elapsedMs, pace, random }: Stretch): Move[] => {
	const hours = (elapsedMs / HOUR_MS) * pace;
	const anyone = view.people.values().next().value;
	const lively = anyone === undefined ? 0 : hourOfWeek(anyone.timeZone, now);
	const pickBatch = (status: Slot['status'], leadMs: number): Slot[] => {
		const from = view.slots.filter((each) => each.status === status && each.startAt > now + leadMs);
		return from.length === 0 ? [] : batchOf(view, random.pick(from));
	};
	const opened = Array.from({ length: random.poisson(BATCHES_PER_HOUR * lively * hours) }, () =>
		pickBatch('busy-unavailable', HOUR_MS).map(({ id }) => ({ slotId: id, kind: 'open' as const }))
	);
	const closed = Array.from({ length: random.poisson(CLOSINGS_PER_HOUR * lively * hours) }, () =>
		pickBatch('free', 3 * DAY_MS).map(({ id }) => ({ slotId: id, kind: 'close' as const }))
	);
	return [...opened.flat(), ...closed.flat()];
};

/**
 * What happens in one stretch: Poisson events thinned by each slot's own hazard, and moves that
 * follow later (the end of a hold).
 */
export const stepLife = (view: LifeView, stretch: Stretch): { moves: Move[]; later: DueMove[] } => {
	const { now, elapsedMs, pace, random } = stretch;
	const hours = (elapsedMs / HOUR_MS) * pace;
	const moves: Move[] = deskMoves(view, stretch);
	const later: DueMove[] = [];
	const tries = random.poisson(view.slots.length * MOST_PER_HOUR * hours);
	for (let turn = 0; turn < tries; turn += 1) {
		const slot = random.pick(view.slots);
		const person = must(view.people.get(slot.practitionerId), 'practitioner');
		const happens = random.chance(hazardPerHour(slot, person, view.isHot, now) / MOST_PER_HOUR);
		if (!happens || view.isKept(slot.id)) continue;
		if (slot.status === 'busy') moves.push({ slotId: slot.id, kind: 'cancel' });
		else if (slot.capacity > 1 || !random.chance(HOLD_SHARE)) {
			moves.push({ slotId: slot.id, kind: 'book' });
		} else {
			moves.push({ slotId: slot.id, kind: 'hold' });
			const forMs = (120_000 + random.int(240_000)) / pace;
			later.push({
				slotId: slot.id,
				kind: random.chance(0.75) ? 'book' : 'lapse',
				at: now + forMs
			});
		}
	}
	return { moves, later };
};
