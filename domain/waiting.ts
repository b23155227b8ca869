// The waiting list: people who want a time that is not there yet, and who is asked first when one
// comes free. Pure.
import type { AlertCriteria } from './alert.ts';
import { matchesDayPart, matchesSchedule } from './board.ts';
import type { VisitKind } from './codes.ts';
import type { DeviceKey, HoldId, ScheduleId, SlotId, WaitingId } from './ids.ts';
import { checkInsurance, type InsuranceAnswer } from './insurance.ts';
import { MINUTE_MS, type Instant } from './time.ts';

/** `paused`: too many offers ran out unanswered; the place in line is kept until asked for again. */
export const waitingStates = ['waiting', 'offered', 'paused'] as const;
export type WaitingState = (typeof waitingStates)[number];

/** What somebody waits for: a search, a provider (scheduleId) or a whole room. */
export type WaitingCriteria = AlertCriteria;

export type WaitingView = {
	readonly id: WaitingId;
	readonly criteria: WaitingCriteria;
	readonly state: WaitingState;
	readonly joinedAt: Instant;
	/** People who joined earlier and may want the same times: at most so many are asked before. */
	readonly ahead: number;
	/** The time that is kept for this device; null unless `offered`. */
	readonly offer: {
		readonly holdId: HoldId;
		readonly slotId: SlotId;
		readonly scheduleId: ScheduleId;
		readonly practitionerName: string;
		readonly zone: string;
		readonly startsAt: Instant;
		/** G7: an interval, never a time of day. */
		readonly ttlMs: number;
		readonly insurance: InsuranceAnswer;
	} | null;
};

/** G6: how long an offered time is kept for one person, ms. */
export const OFFER_TTL_MS = 10 * MINUTE_MS;
/** G6: a time that begins sooner than this is offered to nobody, ms: it would lapse unused. */
export const OFFER_LEAD_MS = 30 * MINUTE_MS;
/** G8: after so many unanswered offers we ask whether somebody still waits. */
export const MAX_LAPSES = 2;
/** G3: lists one device may stand in. */
export const MAX_WAITING_PER_DEVICE = 5;

/** A person in line, longest waiting first. */
export type Waiter = {
	readonly id: WaitingId;
	readonly device: DeviceKey;
	readonly criteria: WaitingCriteria;
	/** Times this person let pass. */
	readonly passed: ReadonlySet<SlotId>;
};

/** A time with places that nobody has. */
export type FreeTime = {
	readonly slotId: SlotId;
	readonly scheduleId: ScheduleId;
	readonly startsAt: Instant;
	readonly places: number;
	readonly specialtyIds: readonly string[];
	readonly regions: readonly string[];
	/** Of the time itself, else of its provider; none = unknown. */
	readonly kinds: readonly VisitKind[];
	readonly languages: readonly string[];
	readonly planIds: readonly string[] | null;
};

/**
 * G4: nobody is offered what their plan, their region or their own wishes exclude. What a calendar
 * does not say excludes nobody; the offer then says "not sure".
 */
export const fits = (criteria: WaitingCriteria, time: FreeTime): boolean =>
	time.specialtyIds.includes(criteria.specialty) &&
	(criteria.scheduleId === null || criteria.scheduleId === time.scheduleId) &&
	matchesSchedule(criteria, time) &&
	matchesDayPart(criteria, time.startsAt) &&
	checkInsurance(time.planIds, criteria.plan) !== 'no';

export type PlannedOffer = { readonly waiter: Waiter; readonly slotId: SlotId };

/**
 * G1: who joined first is asked first, and is offered the soonest time that fits; each place goes
 * to one person, and one person is asked about one time at a time. `waiters` longest waiting first.
 * O(waiters × times).
 */
export const planOffers = (
	waiters: readonly Waiter[],
	times: readonly FreeTime[]
): PlannedOffer[] => {
	const open = times
		.filter(({ places }) => places > 0)
		.toSorted((a, b) => a.startsAt - b.startsAt || a.slotId - b.slotId);
	const left = new Map(open.map(({ slotId, places }) => [slotId, places]));
	const asked = new Set<DeviceKey>();
	const offers: PlannedOffer[] = [];
	for (const waiter of waiters) {
		if (open.length === 0) break;
		if (asked.has(waiter.device)) continue;
		const at = open.findIndex(
			(time) => !waiter.passed.has(time.slotId) && fits(waiter.criteria, time)
		);
		const found = open[at];
		if (found === undefined) continue;
		const places = (left.get(found.slotId) ?? 0) - 1;
		left.set(found.slotId, places);
		if (places === 0) open.splice(at, 1);
		asked.add(waiter.device);
		offers.push({ waiter, slotId: found.slotId });
	}
	return offers;
};
