// Checker C1: decides from a history alone whether holds and bookings kept their promises. It trusts
// neither the hub nor its tables: what patients heard, what the tables say and what the clinic wrote
// in its book must tell one story. Pure.
import type { Attempt, History, LedgerBooking, LedgerHold } from './history.ts';

export type Verdict = {
	/** In words; empty when all is well. */
	readonly violations: readonly string[];
	readonly counts: {
		readonly attempts: number;
		readonly granted: number;
		readonly refused: number;
		readonly booked: number;
		/** Wishes that got no answer and were asked again under the same key. */
		readonly retriedWishes: number;
		/** Wishes whose last answer was lost; the key told what became of them. */
		readonly resolvedByKey: number;
		/** Confirmations under way within RACE_MS of the end of their hold. */
		readonly expiryRaces: number;
		/** Refusals that nothing explains. */
		readonly falseRefusals: number;
	};
};

/** A confirmation this near to the end of its hold is a race, ms. */
export const RACE_MS = 5;
/** A place let go is free for others once that is committed, which a busy disk delays, ms. */
const COMMIT_MS = 500;
const MAX_TOLD = 20;

const groupBy = <T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> => {
	const groups = new Map<K, T[]>();
	for (const one of all) {
		const group = groups.get(keyOf(one));
		if (group === undefined) groups.set(keyOf(one), [one]);
		else group.push(one);
	}
	return groups;
};

type Span = { readonly from: number; readonly to: number; readonly who: string };

/** The most spans at any one moment, and who was there first when `limit` is passed. */
const overlap = (spans: readonly Span[], limit: number): string | null => {
	const live: Span[] = [];
	for (const span of spans.toSorted((a, b) => a.from - b.from)) {
		for (let at = live.length - 1; at >= 0; at -= 1) {
			if ((live[at]?.to ?? 0) <= span.from) live.splice(at, 1);
		}
		if (span.to > span.from) live.push(span);
		if (live.length > limit) return live.map(({ who }) => who).join(' and ');
	}
	return null;
};

/** Fences rise with time, claims never overlap beyond the places, every grant has one cause. */
const checkHolds = ({ holds, attempts, places }: History): string[] => {
	const found: string[] = [];
	const asked = new Set(attempts.filter(({ op }) => op === 'hold').map(({ key }) => key));
	const causes = new Map<string, string>();
	for (const hold of holds) {
		if (hold.keys.length !== 1) found.push(`hold ${hold.id} has ${hold.keys.length} causes`);
		for (const key of hold.keys) {
			if (!asked.has(key)) found.push(`hold ${hold.id} was asked for by nobody`);
			if (causes.has(key)) found.push(`request ${key} was granted twice`);
			causes.set(key, hold.id);
		}
	}
	for (const [slotId, ofSlot] of groupBy(holds, (hold) => hold.slotId)) {
		const byFence = ofSlot.toSorted((a, b) => a.fence - b.fence);
		for (const [at, hold] of byFence.entries()) {
			const before = byFence[at - 1];
			if (before === undefined) continue;
			if (before.fence === hold.fence) found.push(`slot ${slotId} gave fence ${hold.fence} twice`);
			if (before.placedAt > hold.placedAt) found.push(`slot ${slotId}: fences out of order`);
		}
		// A booked place is the clinic's from then on: whether it was given twice is in its book.
		const spans = ofSlot.map((hold) => ({
			from: hold.placedAt,
			to: hold.state === 'booked' ? hold.placedAt : hold.endedAt,
			who: hold.id
		}));
		const clash = overlap(spans, places.get(slotId) ?? 1);
		if (clash !== null) found.push(`slot ${slotId} was held at once by ${clash}`);
	}
	return found;
};

/**
 * While a patient is certain to hold: from the answer until the time to live has passed since the
 * question, or until she let go or took her booking. Her own clock alone is used.
 */
const certainSpans = (attempts: readonly Attempt[]): Map<number, Span[]> => {
	const ends = new Map<string, number>();
	const lives = new Map<string, { from: number; slotId: number; device: string }>();
	for (const { op, outcome, holdId, answer, slotId, ...attempt } of attempts) {
		if (op === 'hold' && outcome === 'ok' && answer !== null && !lives.has(answer.id)) {
			if (answer.state !== 'held' || answer.ttlMs === null) continue;
			lives.set(answer.id, { from: attempt.answeredAt, slotId, device: attempt.device });
			ends.set(answer.id, attempt.sentAt + answer.ttlMs);
		}
		if (holdId === null) continue;
		const end = ends.get(holdId);
		if (end === undefined) continue;
		const isLonger = op === 'extend' && outcome === 'ok' && answer?.state === 'held';
		if (isLonger) ends.set(holdId, Math.max(end, attempt.sentAt + (answer.ttlMs ?? 0)));
		else if (op !== 'extend') ends.set(holdId, Math.min(end, attempt.sentAt));
	}
	const spans = new Map<number, Span[]>();
	for (const [id, { from, slotId, device }] of lives) {
		const span = { from, to: ends.get(id) ?? from, who: `${device.slice(0, 8)} by ${id}` };
		spans.set(slotId, [...(spans.get(slotId) ?? []), span]);
	}
	return spans;
};

const checkCertainty = ({ attempts, places }: History): string[] =>
	[...certainSpans(attempts)].flatMap(([slotId, spans]) => {
		const clash = overlap(spans, places.get(slotId) ?? 1);
		return clash === null ? [] : [`slot ${slotId} was promised at once to ${clash}`];
	});

const settled = new Set(['booked', 'rejected', 'cancelled', 'handed_over']);

/** What was acknowledged is there, what is there was asked for, and nothing hangs. */
const checkBookings = ({ attempts, bookings }: History): string[] => {
	const found: string[] = [];
	const byId = new Map(bookings.map((booking) => [booking.id, booking]));
	const confirms = attempts.filter(({ op }) => op === 'confirm');
	const asked = new Set(confirms.map(({ key }) => key));
	for (const { outcome, answer, device, slotId } of confirms) {
		if (outcome !== 'ok' || answer === null) continue;
		const booking = byId.get(answer.id);
		if (booking === undefined) found.push(`booking ${answer.id} was acknowledged and is lost`);
		else if (booking.device !== device || booking.slotId !== slotId) {
			found.push(`booking ${answer.id} belongs to somebody else now`);
		}
	}
	for (const booking of bookings) {
		if (!booking.keys.some((key) => asked.has(key))) {
			found.push(`booking ${booking.id} was asked for by nobody`);
		}
		if (!settled.has(booking.state)) found.push(`booking ${booking.id} is left ${booking.state}`);
	}
	return found;
};

/** The clinic's book: one appointment per booking and place, none without its booking. */
const checkClinic = ({ bookings, appointments, places }: History): string[] => {
	const found: string[] = [];
	const ours = groupBy(
		appointments.filter(({ bookingId }) => bookingId !== null),
		({ bookingId }) => bookingId
	);
	const states = new Map(bookings.map((booking) => [booking.id, booking.state]));
	for (const [bookingId, made] of ours) {
		const state = states.get(bookingId ?? '') ?? 'unknown';
		if (made.length > 1) found.push(`booking ${bookingId} has ${made.length} appointments`);
		// The desk may have cancelled it before we heard that it was made.
		if (state !== 'booked' && made.some(({ isCancelled }) => !isCancelled)) {
			found.push(`booking ${bookingId} stands at the clinic and is ${state}`);
		}
	}
	for (const { id, state } of bookings) {
		if (state === 'booked' && !ours.has(id)) found.push(`booking ${id} is not at the clinic`);
	}
	const standing = appointments.filter(({ isCancelled }) => !isCancelled);
	for (const [slotId, made] of groupBy(standing, (one) => one.slotId)) {
		if (made.length > (places.get(slotId) ?? 1)) found.push(`slot ${slotId} is booked twice`);
	}
	return found;
};

/** A refused request had no effect: its key led to nothing, unless another try of it did. */
const checkRefusals = ({ attempts, holds }: History): string[] => {
	const granted = new Map(holds.flatMap((hold) => hold.keys.map((key) => [key, hold] as const)));
	const lost = new Set(
		attempts.filter(({ outcome }) => outcome === 'unknown').map(({ key }) => key)
	);
	return attempts.flatMap(({ op, outcome, key }) =>
		op === 'hold' && outcome === 'refused' && !lost.has(key) && granted.has(key)
			? [`request ${key} was refused and granted`]
			: []
	);
};

/** A clinic that refused a time as taken is believed until it was read again, ms. */
const REFUSED_MS = 30_000;

const endOfEffect = ({ state, endedAt }: LedgerHold): number => {
	if (state === 'booked') return Infinity;
	return state === 'rejected' ? endedAt + REFUSED_MS : endedAt;
};

const isExplained = (attempt: Attempt, ofSlot: readonly LedgerHold[], offset: number): boolean =>
	ofSlot.some(
		(hold) =>
			hold.placedAt <= attempt.answeredAt + offset + COMMIT_MS &&
			endOfEffect(hold) >= attempt.sentAt + offset - COMMIT_MS
	);

const countFalseRefusals = ({ attempts, holds, clockOffsetMs }: History): number => {
	const bySlot = groupBy(holds, (hold) => hold.slotId);
	return attempts.filter(
		(attempt) =>
			attempt.op === 'hold' &&
			attempt.reason === 'slot_taken' &&
			!isExplained(attempt, bySlot.get(attempt.slotId) ?? [], clockOffsetMs)
	).length;
};

const countRaces = (
	{ attempts, holds, clockOffsetMs }: History,
	expiries: ReadonlyMap<string, number>
) => {
	const known = new Set(holds.map(({ id }) => id));
	return attempts.filter(({ op, holdId, sentAt, answeredAt }) => {
		const end = op === 'confirm' && holdId !== null ? expiries.get(holdId) : undefined;
		if (end === undefined || !known.has(holdId ?? '')) return false;
		const from = sentAt + clockOffsetMs - RACE_MS;
		return end >= from && end <= answeredAt + clockOffsetMs + RACE_MS;
	}).length;
};

const countWishes = (attempts: readonly Attempt[]) => {
	let retriedWishes = 0;
	let resolvedByKey = 0;
	for (const tries of groupBy(attempts, ({ op, key }) => `${op} ${key}`).values()) {
		if (tries.slice(0, -1).some(({ outcome }) => outcome === 'unknown')) retriedWishes += 1;
		if (tries.at(-1)?.outcome === 'unknown') resolvedByKey += 1;
	}
	return { retriedWishes, resolvedByKey };
};

const isBooked = ({ state }: LedgerBooking): boolean => state === 'booked';

/** `expiries`: when each hold ran out, ms since 1970, whether or not it got so far. */
export const checkLedger = (
	history: History,
	expiries: ReadonlyMap<string, number> = new Map()
): Verdict => {
	const { attempts } = history;
	const found = [
		...checkHolds(history),
		...checkCertainty(history),
		...checkBookings(history),
		...checkClinic(history),
		...checkRefusals(history)
	];
	return {
		violations: found.slice(0, MAX_TOLD),
		counts: {
			attempts: attempts.length,
			granted: history.holds.length,
			refused: attempts.filter(({ outcome }) => outcome === 'refused').length,
			booked: history.bookings.filter(isBooked).length,
			...countWishes(attempts),
			expiryRaces: countRaces(history, expiries),
			falseRefusals: countFalseRefusals(history)
		}
	};
};
