// The waiting list of the model: server/store/waiting.ts and the round of offers, planned by the
// product's own planOffers().
import type { DeviceKey, ScheduleId, SlotId, WaitingId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import {
	MAX_LAPSES,
	MAX_WAITING_PER_DEVICE,
	OFFER_LEAD_MS,
	OFFER_TTL_MS,
	planOffers,
	type FreeTime,
	type Waiter,
	type WaitingCriteria
} from '#domain/waiting.ts';
import { isLive, liveClaims, place, release } from './holds.ts';
import type { Device, Entry, Hold, Model, Slot, Wish } from './model.ts';

export const SPECIALTY = 'dermatology';

export const criteriaOf = ({ region, plan, schedule }: Wish): WaitingCriteria => ({
	specialty: SPECIALTY,
	region,
	// Ids of rows are positive.
	scheduleId: schedule === null ? null : ((schedule.nr + 1) as ScheduleId),
	kinds: [],
	plan,
	language: null,
	dayPart: 'any',
	zone: 'America/Denver'
});

const textOf = ({ region, plan, schedule }: Wish): string =>
	`${region}|${plan}|${schedule?.nr ?? 'any'}`;

export type Joined = {
	readonly outcome: 'joined' | 'waiting_limit' | 'request_reused';
	readonly entry: Entry | null;
};

export const join = (
	model: Model,
	{ device, request, wish }: { device: Device; request: number; wish: Wish }
): Joined => {
	const print = `wait:${textOf(wish)}`;
	const before = device.requests.get(request);
	if (before !== undefined && before.print !== print) {
		return { outcome: 'request_reused', entry: null };
	}
	const mine = model.line.filter((entry) => entry.device === device);
	const same = mine.find((entry) => textOf(entry.wish) === textOf(wish));
	if (same !== undefined) return { outcome: 'joined', entry: same };
	if (mine.length >= MAX_WAITING_PER_DEVICE) return { outcome: 'waiting_limit', entry: null };
	const entry: Entry = {
		nr: (model.made.entries += 1),
		device,
		wish,
		state: 'waiting',
		lapses: 0,
		hold: null,
		passed: new Set()
	};
	model.line.push(entry);
	if (before === undefined) device.requests.set(request, { print, hold: null });
	return { outcome: 'joined', entry };
};

/** False = nobody of this device stands there. */
export const leave = (model: Model, device: Device, entry: Entry): boolean => {
	if (entry.device !== device || !model.line.includes(entry)) return false;
	model.line = model.line.filter((other) => other !== entry);
	if (entry.hold !== null) release(model, device, entry.hold);
	return true;
};

export const resume = (model: Model, device: Device, entry: Entry): boolean => {
	if (entry.device !== device || !model.line.includes(entry)) return false;
	entry.lapses = 0;
	if (entry.state === 'paused') entry.state = 'waiting';
	return true;
};

const became = (model: Model, hold: Hold): 'answered' | 'passed' | 'lost' | 'lapsed' | 'open' => {
	if (hold.state === 'booked' || hold.booking?.state === 'handed_over') return 'answered';
	if (hold.state === 'released' || hold.state === 'rejected') return 'passed';
	if (hold.state === 'expired') return hold.isTaken ? 'lost' : 'lapsed';
	return hold.state === 'held' && !isLive(hold.expiresAt, model.now) ? 'lapsed' : 'open';
};

/** How many offers were settled. */
export const settleOffers = (model: Model): number => {
	let settled = 0;
	for (const entry of model.line.filter(({ state }) => state === 'offered')) {
		const { hold } = entry;
		const how = hold === null ? 'open' : became(model, hold);
		if (hold === null || how === 'open') continue;
		settled += 1;
		if (how === 'answered') {
			model.line = model.line.filter((other) => other !== entry);
			continue;
		}
		if (how !== 'lost') entry.passed.add(hold.slot.nr);
		entry.hold = null;
		entry.state = 'waiting';
		if (how !== 'lapsed') continue;
		entry.lapses += 1;
		if (entry.lapses >= MAX_LAPSES) entry.state = 'paused';
	}
	return settled;
};

const isOfferable = ({ now }: Model, slot: Slot): boolean => {
	const { source } = slot.schedule;
	return (
		slot.status === 'free' &&
		!slot.isRemoved &&
		source.enabled &&
		slot.startsAt > now + Math.max(source.minNoticeMs, OFFER_LEAD_MS) &&
		source.checkedAt > now - source.freshForMs &&
		slot.remaining > liveClaims(slot, now)
	);
};

const freeTimeOf = (slot: Slot, now: number): FreeTime => ({
	slotId: (slot.nr + 1) as SlotId,
	scheduleId: (slot.schedule.nr + 1) as ScheduleId,
	startsAt: toInstant(slot.startsAt),
	places: slot.remaining - liveClaims(slot, now),
	specialtyIds: [SPECIALTY],
	regions: slot.schedule.regions,
	kinds: ['video'],
	languages: ['en'],
	planIds: slot.schedule.planIds
});

const waiterOf = ({ nr, device, wish, passed }: Entry): Waiter => ({
	id: String(nr) as WaitingId,
	device: String(device.nr) as DeviceKey,
	criteria: criteriaOf(wish),
	passed: new Set([...passed].map((slot) => (slot + 1) as SlotId))
});

export type Offer = { readonly entry: Entry; readonly hold: Hold };

/** Requests that the hub makes for itself; no patient's are negative. */
const ownRequest = (model: Model): number => -1 - model.made.holds;

/** One round: what became of the earlier offers, then every free time to who waits longest. */
export const offerRound = (model: Model): Offer[] => {
	if (model.line.length === 0) return [];
	settleOffers(model);
	const free = model.slots.filter((slot) => isOfferable(model, slot));
	if (free.length === 0) return [];
	const asked = new Set(model.line.filter((one) => one.state === 'offered').map((e) => e.device));
	const waiting = model.line.filter((one) => one.state === 'waiting' && !asked.has(one.device));
	const planned = planOffers(
		waiting.map(waiterOf),
		free.map((slot) => freeTimeOf(slot, model.now))
	);
	const made: Offer[] = [];
	const limits = { ttlMs: OFFER_TTL_MS, maxLive: Infinity, maxPerHour: Infinity };
	for (const { waiter, slotId } of planned) {
		const entry = waiting.find(({ nr }) => String(nr) === waiter.id);
		const slot = model.slots[slotId - 1];
		if (entry === undefined || slot === undefined) throw new Error('an offer of nothing');
		const asked = { device: entry.device, request: ownRequest(model), slot };
		const { hold } = place(model, asked, limits);
		if (hold === null) continue;
		entry.state = 'offered';
		entry.hold = hold;
		made.push({ entry, hold });
	}
	return made;
};
