// The checker of the simulation. It keeps its own book of what was promised to whom, from the answers
// alone, and compares every answer and every row with it. It trusts no rule of the model.
import { SOURCE_LAG_MS } from '#domain/booking.ts';
import { HOUR_MS } from '#domain/time.ts';
import { OFFER_LEAD_MS, OFFER_TTL_MS } from '#domain/waiting.ts';
import type { Outcome } from './bookings.ts';
import type { Extending, Placed, Placing } from './holds.ts';
import type { Offer } from './line.ts';
import type { Booking, Device, Entry, Hold, Model, Slot } from './model.ts';
import type { Told } from './poll.ts';

/** `kept` = a booking's: a source that shows the time taken may end it early. */
type Promised = { readonly hold: Hold; until: number; isKept: boolean; mayBeGone: boolean };
type Page = { promises: Promised[]; fence: number };

export type Ledger = {
	readonly model: Model;
	readonly pages: Map<Slot, Page>;
	/** What each request made, when it made something. */
	readonly effects: Map<number, Hold>;
	readonly grants: Map<Device, number[]>;
	/** Visits that their patients were told are booked. */
	readonly acknowledged: Set<Booking>;
	/** Also when the clinic once kept it: another worker's late word may be that it did not. */
	readonly cancelAsked: Set<Booking>;
};

export const createLedger = (model: Model): Ledger => ({
	model,
	pages: new Map(model.slots.map((slot) => [slot, { promises: [], fence: 0 }])),
	effects: new Map(),
	grants: new Map(model.devices.map((device) => [device, []])),
	acknowledged: new Set(),
	cancelAsked: new Set()
});

const demand = (holds: boolean, broken: string): void => {
	if (!holds) throw new Error(broken);
};

const pageOf = ({ pages }: Ledger, slot: Slot): Page => {
	const page = pages.get(slot);
	if (page === undefined) throw new Error('a slot of another life');
	return page;
};

const livePromises = (ledger: Ledger, slot: Slot): number => {
	let live = 0;
	for (const { until } of pageOf(ledger, slot).promises) if (until > ledger.model.now) live += 1;
	return live;
};

/** Row and book say the same: no promise without its claim, no claim that keeps a time for nobody. */
export const compareRow = (ledger: Ledger, slot: Slot): void => {
	const { now } = ledger.model;
	const page = pageOf(ledger, slot);
	page.promises = page.promises.filter(
		(one) =>
			one.until > now &&
			!(one.mayBeGone && !slot.claims.some((claim) => claim.fence === one.hold.fence))
	);
	let live = 0;
	let before = 0;
	for (const { fence, until } of slot.claims) {
		demand(fence > before, 'claims out of order');
		before = fence;
		if (until <= now) continue;
		live += 1;
		const promised = page.promises.find((one) => one.hold.fence === fence);
		demand(promised?.until === until, 'a time is kept for nobody, or for another while');
	}
	demand(live === page.promises.length, 'a promise without its claim');
};

const grantsLately = ({ model, grants }: Ledger, device: Device): number => {
	const times = grants.get(device) ?? [];
	let lately = 0;
	for (let at = times.length - 1; at >= 0; at -= 1) {
		if ((times[at] ?? 0) <= model.now - HOUR_MS) break;
		lately += 1;
	}
	return lately;
};

const heldBy = ({ model, pages }: Ledger, device: Device): number => {
	let held = 0;
	for (const { promises } of pages.values()) {
		for (const { hold, until, isKept } of promises) {
			if (hold.device === device && until > model.now && !isKept) held += 1;
		}
	}
	return held;
};

/** Every refusal has its reason in the state of things. */
const justify = (ledger: Ledger, device: Device, slot: Slot, why: Placing): void => {
	const { now, limits } = ledger.model;
	switch (why) {
		case 'slot_taken':
			return demand(
				slot.status !== 'free' || livePromises(ledger, slot) >= slot.remaining,
				'refused as taken, and nobody has it'
			);
		case 'slot_gone':
			return demand(slot.isRemoved, 'refused as gone, and it is listed');
		case 'slot_past':
			return demand(slot.startsAt <= now, 'refused as past before it began');
		case 'too_soon':
			return demand(slot.startsAt - slot.schedule.source.minNoticeMs <= now, 'not too soon');
		case 'hold_limit':
			return demand(heldBy(ledger, device) >= limits.maxLive, 'holds fewer than the limit');
		case 'hour_limit':
			return demand(grantsLately(ledger, device) >= limits.maxPerHour, 'below the hour limit');
		default:
			throw new Error(`unexplained: ${why}`);
	}
};

const promise = (ledger: Ledger, hold: Hold, until: number): void => {
	const { slot, device } = hold;
	const page = pageOf(ledger, slot);
	demand(livePromises(ledger, slot) < slot.remaining, 'promised more often than it has places');
	demand(slot.status === 'free' && !slot.isRemoved, 'promised what its source does not offer');
	demand(slot.startsAt > ledger.model.now, 'promised after its beginning');
	demand(hold.fence === page.fence + 1, 'a fence did not rise by one');
	page.fence = hold.fence;
	page.promises.push({ hold, until, isKept: false, mayBeGone: false });
	ledger.grants.get(device)?.push(ledger.model.now);
};

export const sawPlace = (
	ledger: Ledger,
	asked: { readonly device: Device; readonly slot: Slot; readonly request: number },
	{ outcome, hold }: Placed
): void => {
	const before = ledger.effects.get(asked.request);
	if (before !== undefined) {
		if (before.slot === asked.slot)
			demand(hold === before, 'a request asked twice had two effects');
		else demand(outcome === 'request_reused', 'a used request was taken for another');
	} else if (hold === null) justify(ledger, asked.device, asked.slot, outcome);
	else {
		const { model } = ledger;
		demand(heldBy(ledger, asked.device) < model.limits.maxLive, 'more holds than allowed');
		promise(ledger, hold, model.now + model.limits.ttlMs);
		ledger.effects.set(asked.request, hold);
	}
	compareRow(ledger, asked.slot);
};

const promiseOf = (ledger: Ledger, hold: Hold): Promised | undefined =>
	pageOf(ledger, hold.slot).promises.find(
		(one) => one.hold === hold && one.until > ledger.model.now
	);

const forget = (ledger: Ledger, hold: Hold): void => {
	const page = pageOf(ledger, hold.slot);
	page.promises = page.promises.filter((one) => one.hold !== hold);
};

export const sawExtend = (ledger: Ledger, hold: Hold, outcome: Extending): void => {
	const promised = promiseOf(ledger, hold);
	if (outcome === 'extended') {
		demand(promised !== undefined && !promised.isKept, 'extended after its end');
		if (promised !== undefined)
			promised.until = Math.max(promised.until, ledger.model.now + ledger.model.limits.ttlMs);
	} else if (outcome === 'hold_expired') demand(promised === undefined, 'ended before its time');
	compareRow(ledger, hold.slot);
};

export const sawRelease = (ledger: Ledger, hold: Hold, outcome: string): void => {
	if (outcome === 'hold_expired') {
		demand(promiseOf(ledger, hold) === undefined, 'ended before its time');
	}
	if (outcome === 'released') forget(ledger, hold);
	compareRow(ledger, hold.slot);
};

export const sawSweep = (ledger: Ledger, ended: readonly Hold[]): void => {
	for (const hold of ended) {
		const { status, remaining, isRemoved } = hold.slot;
		const isOffered = status === 'busy-tentative' || (status === 'free' && remaining > 0);
		const isLost = isRemoved || !isOffered;
		demand(isLost || promiseOf(ledger, hold) === undefined, 'swept before its end');
		forget(ledger, hold);
	}
	for (const { slot } of ended) compareRow(ledger, slot);
};

/** `wasNew` = the hold had no booking before. */
export const sawConfirm = (
	ledger: Ledger,
	hold: Hold,
	{ outcome, wasNew }: { readonly outcome: string; readonly wasNew: boolean }
): void => {
	const promised = promiseOf(ledger, hold);
	if (wasNew && hold.booking !== null) {
		demand(promised !== undefined && !promised.isKept, 'booked without a live hold');
		if (promised !== undefined) {
			promised.isKept = true;
			promised.until =
				hold.booking.state === 'handed_over'
					? ledger.model.now + ledger.model.handOverMs
					: Infinity;
		}
		if (outcome === 'rejected') forget(ledger, hold);
	} else if (outcome === 'hold_expired') demand(promised === undefined, 'ended before its time');
	compareRow(ledger, hold.slot);
};

export const sawSettle = (
	ledger: Ledger,
	booking: Booking,
	outcome: Outcome,
	wasKnownTaken: boolean
): void => {
	const { hold } = booking;
	if (outcome === 'cancelled') {
		demand(ledger.cancelAsked.has(booking), 'an acknowledged visit vanished');
		ledger.acknowledged.delete(booking);
		forget(ledger, hold);
	} else {
		demand(!ledger.acknowledged.has(booking), 'a settled visit was settled again');
		if (outcome === 'booked') {
			ledger.acknowledged.add(booking);
			const promised = promiseOf(ledger, hold);
			if (!booking.exclusive || wasKnownTaken) forget(ledger, hold);
			else if (promised !== undefined) promised.until = ledger.model.now + SOURCE_LAG_MS;
		} else if (outcome !== 'unconfirmed') forget(ledger, hold);
	}
	compareRow(ledger, hold.slot);
};

export const sawPoll = (ledger: Ledger, listing: readonly Told[]): void => {
	for (const { slot, fact } of listing) {
		const isBusy = fact === null || fact.status !== 'free' || fact.remaining <= 0;
		for (const one of pageOf(ledger, slot).promises) {
			if (isBusy && ledger.acknowledged.has(one.hold.booking as Booking)) one.mayBeGone = true;
		}
		compareRow(ledger, slot);
	}
};

const suits = ({ wish, passed }: Entry, slot: Slot): boolean => {
	const { schedule } = slot;
	if (passed.has(slot.nr) || !schedule.regions.includes(wish.region)) return false;
	if (wish.schedule !== null && wish.schedule !== schedule) return false;
	return wish.plan === null || schedule.planIds === null || schedule.planIds.includes(wish.plan);
};

const isFree = (ledger: Ledger, slot: Slot): boolean => {
	const { now } = ledger.model;
	const { source } = slot.schedule;
	return (
		slot.status === 'free' &&
		!slot.isRemoved &&
		source.enabled &&
		source.checkedAt > now - source.freshForMs &&
		slot.startsAt > now + Math.max(OFFER_LEAD_MS, source.minNoticeMs) &&
		livePromises(ledger, slot) < slot.remaining
	);
};

/** After a round: one offer for each free place, to who joined first of those it suits. */
export const sawOffers = (ledger: Ledger, offers: readonly Offer[]): void => {
	const { line, slots, now } = ledger.model;
	for (const { entry, hold } of offers) {
		demand(hold.device === entry.device, "one person's offer is held by another");
		demand(suits(entry, hold.slot), 'offered what does not suit');
		promise(ledger, hold, now + OFFER_TTL_MS);
	}
	for (const { hold } of offers) compareRow(ledger, hold.slot);
	const asked = new Set<Device>();
	for (const { state, device } of line) {
		if (state !== 'offered') continue;
		demand(!asked.has(device), 'one person was asked about two times at once');
		asked.add(device);
	}
	const free = slots.filter((slot) => isFree(ledger, slot));
	for (const entry of line) {
		if (entry.state !== 'waiting' || asked.has(entry.device)) continue;
		demand(!free.some((slot) => suits(entry, slot)), 'a free time was offered to nobody');
		const later = offers.find((one) => one.entry.nr > entry.nr && suits(entry, one.hold.slot));
		demand(later === undefined, 'somebody who joined later was asked first');
	}
};
