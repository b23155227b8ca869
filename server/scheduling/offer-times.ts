// One round of offers: what became of the earlier ones, then every free time that somebody waits
// for is kept for the person who waited longest. Any number of processes may try; one does it.
import { randomUUID } from 'node:crypto';
import { RequestId, type DeviceKey, type HoldId, type WaitingId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import {
	MAX_LAPSES,
	OFFER_LEAD_MS,
	OFFER_TTL_MS,
	planOffers,
	type PlannedOffer
} from '#domain/waiting.ts';
import type { Sql } from '../platform/postgres.ts';
import { placeHold } from '../store/holds.ts';
import { lockDevice } from '../store/requests.ts';
import {
	keepOffer,
	lockWaiter,
	readFreeTimes,
	readLine,
	settleOffers,
	tryLockOffering
} from '../store/waiting.ts';

export type OfferDeps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	/** OFFER_TTL_MS unless told otherwise. */
	readonly ttlMs?: number;
};

/** Whom to tell of which offer. */
export type MadeOffer = {
	readonly device: DeviceKey;
	readonly waitingId: WaitingId;
	readonly holdId: HoldId;
};

/** People and times looked at in one round; the rest waits for the next. */
const LINE = 10_000;
const TIMES = 1_000;
const OFFERS_PER_ROUND = 50;
/** An offer comes on top of what the person holds already. */
const NO_LIMIT = 1_000_000;

/**
 * The device's lock first, then its entry, then the slot: the order everybody keeps. The entry and
 * its hold are one transaction, so that no place is kept for somebody who does not know of it.
 */
const offer = async (
	{ sql, publish, ttlMs = OFFER_TTL_MS }: OfferDeps,
	{ waiter, slotId }: PlannedOffer
): Promise<MadeOffer | null> => {
	const { device } = waiter;
	const made = await sql.begin(async (tx) => {
		await lockDevice(tx, device);
		if (!(await lockWaiter(tx, waiter.id))) return null;
		const requestId = RequestId.parse(randomUUID());
		const limits = { ttlMs, maxLive: NO_LIMIT, maxPerHour: NO_LIMIT };
		const placed = await placeHold(tx, { device, slotId, requestId }, limits);
		// Somebody was quicker: the next round looks again.
		if (placed.outcome !== 'granted') return null;
		await keepOffer(tx, waiter.id, placed.hold.id);
		return placed;
	});
	if (made === null) return null;
	if (made.entries.length > 0) publish(made.entries);
	return { device, waitingId: waiter.id, holdId: made.hold.id };
};

const plan = async (sql: Sql): Promise<PlannedOffer[]> => {
	// The line first: where nobody waits, which is usual, no calendar is looked at.
	const line = await readLine(sql, LINE);
	if (line.length === 0) return [];
	const times = await readFreeTimes(sql, { leadMs: OFFER_LEAD_MS, limit: TIMES });
	return planOffers(line, times).slice(0, OFFERS_PER_ROUND);
};

/** One offer that fails takes nothing from the others; it is thrown only when none was made. */
const offerAll = async (
	deps: OfferDeps,
	planned: readonly PlannedOffer[]
): Promise<readonly MadeOffer[]> => {
	const made: MadeOffer[] = [];
	let fault: unknown = null;
	for (const one of planned) {
		try {
			const kept = await offer(deps, one);
			if (kept !== null) made.push(kept);
		} catch (error) {
			fault ??= error;
		}
	}
	if (made.length === 0 && fault !== null) throw fault;
	return made;
};

/** G5: returns the offers made, already kept and published. */
export const offerTimes = (deps: OfferDeps) => async (): Promise<readonly MadeOffer[]> =>
	deps.sql.begin(async (tx) => {
		// Only the lock is held here; each offer is a transaction of its own.
		if (!(await tryLockOffering(tx))) return [];
		await settleOffers(deps.sql, MAX_LAPSES);
		return await offerAll(deps, await plan(deps.sql));
	});
