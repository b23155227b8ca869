// One life of the simulation: two clinics, their times, people, and how the clinics answer. The clinic
// is a book of its own, which knows nothing of the hub and counts its own places.
import { HOLD_TTL_MS, MAX_HOLDS_PER_DEVICE, MAX_HOLDS_PER_HOUR } from '#domain/hold.ts';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { randomFrom, type Random } from '../../support/random.ts';
import { createAgenda, type Agenda } from './heap.ts';
import { createLedger, type Ledger } from './ledger.ts';
import * as make from './model.ts';
import type { Booking, Model, Slot, Source } from './model.ts';
import type { Told } from './poll.ts';

export const HAND_OVER_MS = 15 * MINUTE_MS;

/** What really happened; a run in which one of them did not happen proves nothing. */
export const noRaces = {
	confirmedJustBeforeTheEnd: 0,
	confirmRefusedAtTheEnd: 0,
	grantedAtTheVeryEnd: 0,
	refusedJustBeforeTheEnd: 0,
	lostRequests: 0,
	lostReplies: 0,
	doubleSubmits: 0,
	killedHubs: 0,
	killedWriters: 0,
	overtakenWriters: 0,
	killedPollers: 0,
	pausedSweeps: 0,
	clockJumps: 0,
	fencedPolls: 0,
	filledElsewhere: 0,
	visitsCancelledByTheClinic: 0,
	clinicRepliesLost: 0,
	unknownFoundBooked: 0,
	unknownFoundRefused: 0,
	cancelled: 0,
	moved: 0,
	offers: 0,
	lapsedOffers: 0,
	passedOffers: 0,
	takenOffers: 0,
	lostToAConstraint: 0,
	claimsEndedByTime: 0
};
export type Races = { -readonly [name in keyof typeof noRaces]: number };

/** The clinic's own book about one of its times. */
export type Desk = {
	readonly slot: Slot;
	elsewhere: number;
	isListed: boolean;
	isPaused: boolean;
	readonly ours: Set<Booking>;
	/** Visits that the clinic took out of its book by itself. */
	readonly struck: Set<Booking>;
};

export type Town = {
	readonly seed: number;
	readonly random: Random;
	readonly agenda: Agenda;
	readonly model: Model;
	readonly ledger: Ledger;
	readonly desks: Desk[];
	readonly races: Races;
	/** Bookings whose clinic has still to answer. */
	readonly unsettled: Set<Booking>;
	/** From then on nothing is lost any more. */
	isCalm: boolean;
	requests: number;
	/** Steps of the machine so far. */
	operations: number;
};

const PEOPLE = 12;

export const createTown = (seed: number): Town => {
	const random = randomFrom(seed);
	const limits = {
		ttlMs: HOLD_TTL_MS,
		maxLive: MAX_HOLDS_PER_DEVICE,
		maxPerHour: MAX_HOLDS_PER_HOUR
	};
	const model = make.createModel(limits, HAND_OVER_MS, 0);
	const clinic = make.addSource(model, {
		booking: 'fhir',
		minNoticeMs: 0,
		freshForMs: 30 * MINUTE_MS
	});
	const lister = make.addSource(model, {
		booking: random.chance(0.5) ? 'link' : 'fhir',
		minNoticeMs: random.chance(0.5) ? 2 * HOUR_MS : 0,
		freshForMs: 10 * MINUTE_MS
	});
	const schedules = [
		{ source: clinic, regions: ['US-MT'], planIds: null },
		{ source: clinic, regions: ['US-MT', 'US-ID'], planIds: ['medicaid'] },
		{ source: lister, regions: ['US-ID'], planIds: null }
	].map((of) => make.addSchedule(model, of));
	for (const schedule of schedules) {
		const first = random.int(2, 14) * HOUR_MS;
		for (let nr = 0; nr < 3; nr += 1) {
			// The second overlaps the first now and then: the constraint below the holds has work.
			const apart = random.chance(0.4) ? 10 * MINUTE_MS : HOUR_MS;
			const startsAt = nr < 2 ? first + nr * apart : first + 3 * HOUR_MS;
			const endsAt = startsAt + 20 * MINUTE_MS;
			const capacity = random.chance(0.7) ? 1 : random.int(2, 3);
			make.addSlot(model, { schedule, startsAt, endsAt, capacity });
		}
	}
	for (let nr = 0; nr < PEOPLE; nr += 1) make.addDevice(model);
	return {
		seed,
		random,
		agenda: createAgenda(random.next),
		model,
		ledger: createLedger(model),
		desks: model.slots.map((slot) => ({
			slot,
			elsewhere: 0,
			isListed: true,
			isPaused: false,
			ours: new Set(),
			struck: new Set()
		})),
		races: { ...noRaces },
		unsettled: new Set(),
		isCalm: false,
		requests: 0,
		operations: 0
	};
};

export const roomAt = ({ slot, elsewhere, ours }: Desk): number =>
	slot.capacity - elsewhere - ours.size;

/** What the clinic's calendar says at this moment. */
export const readListing = ({ desks }: Town, source: Source): Told[] =>
	desks
		.filter(({ slot }) => slot.schedule.source === source)
		.map((desk) => {
			const { slot, isListed, isPaused } = desk;
			if (!isListed) return { slot, fact: null };
			const { capacity } = slot;
			if (isPaused) return { slot, fact: { status: 'busy-tentative', capacity, remaining: 0 } };
			const remaining = roomAt(desk);
			return { slot, fact: { status: remaining > 0 ? 'free' : 'busy', capacity, remaining } };
		});

export const deskOf = ({ desks }: Town, slot: Slot): Desk => {
	const desk = desks[slot.nr];
	if (desk === undefined) throw new Error('a slot of no clinic');
	return desk;
};

/** Chance of mishaps, which stop when the life calms down. */
export const mishap = (town: Town, share: number): boolean =>
	!town.isCalm && town.random.next() < share;
