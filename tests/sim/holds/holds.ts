// Holds of the model: placing, extending, letting go and the sweep, as the functions of the database
// do (server/store/migrations, the files about holds and about notice).
import { isLive as isHoldLive } from '#domain/hold.ts';
import { HOUR_MS, toInstant } from '#domain/time.ts';
import type { Device, Hold, Limits, Model, Slot } from './model.ts';

export const isLive = (until: number, now: number): boolean =>
	isHoldLive({ expiresAt: toInstant(until) }, toInstant(now));

export const liveClaims = (slot: Slot, now: number): number => {
	let live = 0;
	for (const claim of slot.claims) if (isLive(claim.until, now)) live += 1;
	return live;
};

export const hasClaim = (slot: Slot, fence: number): boolean =>
	slot.claims.some((claim) => claim.fence === fence);

export const dropClaim = (model: Model, slot: Slot, fence: number): void => {
	slot.claims = slot.claims.filter((claim) => claim.fence !== fence);
	slot.ownChangedAt = model.now;
};

/** False when the slot bears no such claim. */
export const setClaim = (slot: Slot, fence: number, until: number): boolean => {
	for (const claim of slot.claims) {
		if (claim.fence !== fence) continue;
		claim.until = until;
		return true;
	}
	return false;
};

/** Whether the sweep will ever have to look at it. */
export const noteOpen = (model: Model, hold: Hold): void => {
	const mayEnd = hold.state === 'held' || hold.state === 'confirming' || hold.state === 'booked';
	if (mayEnd && hold.expiresAt < Infinity) model.open.add(hold);
	else model.open.delete(hold);
};

export type Placing =
	| 'granted'
	| 'slot_taken'
	| 'slot_gone'
	| 'slot_past'
	| 'too_soon'
	| 'hold_limit'
	| 'hour_limit'
	| 'request_reused';

export type Placed = { readonly outcome: Placing; readonly hold: Hold | null };

const refused: Readonly<Record<Placing, Placed>> = {
	granted: { outcome: 'granted', hold: null },
	slot_taken: { outcome: 'slot_taken', hold: null },
	slot_gone: { outcome: 'slot_gone', hold: null },
	slot_past: { outcome: 'slot_past', hold: null },
	too_soon: { outcome: 'too_soon', hold: null },
	hold_limit: { outcome: 'hold_limit', hold: null },
	hour_limit: { outcome: 'hour_limit', hold: null },
	request_reused: { outcome: 'request_reused', hold: null }
};

const limitOf = ({ now }: Model, device: Device, limits: Limits): Placing | null => {
	let live = 0;
	let lately = 0;
	for (let at = device.holds.length - 1; at >= 0; at -= 1) {
		const hold = device.holds[at];
		if (hold === undefined || hold.placedAt <= now - HOUR_MS) break;
		lately += 1;
		if (hold.state === 'held' && isLive(hold.expiresAt, now)) live += 1;
	}
	if (live >= limits.maxLive) return 'hold_limit';
	return lately >= limits.maxPerHour ? 'hour_limit' : null;
};

const refusalOfSlot = (slot: Slot, now: number): Placing | null => {
	if (slot.isRemoved || slot.status === 'entered-in-error') return 'slot_gone';
	if (slot.startsAt <= now) return 'slot_past';
	if (slot.status !== 'free') return 'slot_taken';
	return liveClaims(slot, now) < slot.remaining ? null : 'slot_taken';
};

export type Asked = { readonly device: Device; readonly request: number; readonly slot: Slot };

export const place = (model: Model, asked: Asked, limits: Limits = model.limits): Placed => {
	const { device, slot } = asked;
	const { now } = model;
	const before = device.requests.get(asked.request);
	const { minNoticeMs } = slot.schedule.source;
	if (before === undefined && slot.startsAt > now && slot.startsAt - minNoticeMs <= now)
		return refused.too_soon;
	const print = `hold:${slot.nr}`;
	if (before !== undefined) {
		return before.print === print
			? { outcome: 'granted', hold: before.hold }
			: refused.request_reused;
	}
	const refusal = limitOf(model, device, limits) ?? refusalOfSlot(slot, now);
	if (refusal !== null) return refused[refusal];
	slot.fence += 1;
	const hold: Hold = {
		nr: (model.made.holds += 1),
		slot,
		fence: slot.fence,
		device,
		placedAt: now,
		state: 'held',
		expiresAt: now + limits.ttlMs,
		isExtended: false,
		isTaken: false,
		booking: null
	};
	slot.claims = slot.claims.filter((claim) => isLive(claim.until, now));
	slot.claims.push({ fence: hold.fence, until: hold.expiresAt });
	slot.ownChangedAt = now;
	device.holds.push(hold);
	device.requests.set(asked.request, { print, hold });
	model.open.add(hold);
	return { outcome: 'granted', hold };
};

export type Extending = 'extended' | 'hold_extended' | 'hold_unknown' | 'hold_expired';

export const extend = (model: Model, device: Device, hold: Hold): Extending => {
	if (hold.device !== device) return 'hold_unknown';
	if (hold.state === 'expired') return 'hold_expired';
	if (hold.state !== 'held') return 'hold_unknown';
	if (!isLive(hold.expiresAt, model.now)) return 'hold_expired';
	if (hold.isExtended) return 'hold_extended';
	const until = Math.max(hold.expiresAt, model.now + model.limits.ttlMs);
	if (!setClaim(hold.slot, hold.fence, until)) return 'hold_expired';
	hold.expiresAt = until;
	hold.isExtended = true;
	return 'extended';
};

export type Releasing = 'released' | 'hold_unknown' | 'hold_expired';

export const release = (model: Model, device: Device, hold: Hold): Releasing => {
	if (hold.device !== device) return 'hold_unknown';
	if (hold.state === 'released') return 'released';
	if (hold.state === 'expired') return 'hold_expired';
	if (hold.state !== 'held') return 'hold_unknown';
	if (!isLive(hold.expiresAt, model.now)) return 'hold_expired';
	hold.state = 'released';
	dropClaim(model, hold.slot, hold.fence);
	noteOpen(model, hold);
	return 'released';
};

const end = (model: Model, hold: Hold): void => {
	const isClaimed = hasClaim(hold.slot, hold.fence);
	if (hold.state === 'booked') {
		hold.expiresAt = Infinity;
		if (isClaimed) dropClaim(model, hold.slot, hold.fence);
	} else {
		hold.isTaken = isLive(hold.expiresAt, model.now);
		hold.state = hold.state === 'held' ? 'expired' : 'released';
		dropClaim(model, hold.slot, hold.fence);
	}
	noteOpen(model, hold);
};

/** H43: its source says that somebody else has the time. */
export const isTakenElsewhere = (slot: Slot): boolean =>
	slot.isRemoved ||
	['busy', 'busy-unavailable', 'entered-in-error'].includes(slot.status) ||
	(slot.status === 'free' && slot.remaining <= 0);

const mustEnd = ({ now }: Model, hold: Hold): boolean =>
	!isLive(hold.expiresAt, now) || (hold.state === 'held' && isTakenElsewhere(hold.slot));

/**
 * Ends every hold whose time is over or was taken elsewhere, or of those only the ones of `which`;
 * returns what it ended.
 */
export const sweep = (model: Model, which: (hold: Hold) => boolean = () => true): Hold[] => {
	const due: Hold[] = [];
	for (const hold of model.open) if (mustEnd(model, hold) && which(hold)) due.push(hold);
	for (const hold of due) end(model, hold);
	return due;
};
