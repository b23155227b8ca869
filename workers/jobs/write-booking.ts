// The job write-booking: tells the clinic of a booking, or of its cancellation, and settles what it
// answered. A lost answer is never repeated blindly: the clinic is asked first.
import type { BookingId } from '#domain/ids.ts';
import { MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import { unreachable } from '#domain/result.ts';
import { logFault, type Log } from '#server/platform/log.ts';
import type { ChangeRefused } from '#domain/booking.ts';
import type { StoredOrder } from '#server/store/booking-order.ts';
import type { Asking, SettledBooking } from '#server/store/bookings.ts';
import type { StoredCancel } from '#server/store/cancel-booking.ts';
import type { ClaimedBooking } from '#server/store/claim-bookings.ts';
import type {
	BookingLookup,
	BookingOutcome,
	CancelOutcome,
	Connector
} from '../connectors/connector.ts';
import type { Connectors } from '../connectors/connectors.ts';
import type { Queues } from '../queues.ts';
import type { SourcePlaces } from './source-places.ts';

/** The store's side (server/store/bookings.ts), with its connection and cipher bound. */
export type BookingStore = {
	readonly claim: (bookingId: BookingId, leaseMs: number) => Promise<ClaimedBooking | null>;
	/** Not asked about after all. */
	readonly giveBack: (claimed: ClaimedBooking, retryInMs: number) => Promise<void>;
	readonly read: (bookingId: BookingId) => Promise<StoredOrder | null>;
	/** A cancellation that is open; null = the booking itself is to be written. */
	readonly readCancel: (bookingId: BookingId) => Promise<StoredCancel | null>;
	/** Null also when another worker has taken the booking up since (H40). */
	readonly settle: (
		bookingId: BookingId,
		outcome: Outcome,
		asking: Asking
	) => Promise<SettledBooking | null>;
	/** The clinic did not cancel: the visit stands. */
	readonly keep: (
		bookingId: BookingId,
		because: ChangeRefused,
		asking: Asking
	) => Promise<SettledBooking | null>;
	readonly postpone: (bookingId: BookingId, retryInMs: number) => Promise<void>;
};

/** What is stored of an outcome; why an answer was lost is the connector's to tell. */
export type Outcome =
	| Exclude<BookingOutcome, { state: 'unconfirmed' }>
	| { readonly state: 'unconfirmed' }
	| { readonly state: 'cancelled' };

export type BookingDeps = {
	readonly bookings: BookingStore;
	readonly places: SourcePlaces;
	readonly connectors: Omit<Connectors, 'close'>;
	readonly queues: Pick<Queues, 'addBooking' | 'addMail'>;
	/** Publishes the entries and tells the device. */
	readonly announce: (bookingId: BookingId, settled: SettledBooking) => void;
	readonly log: Log;
};

export type BookingReport =
	/** Settled before, or being written elsewhere. */
	| { readonly state: 'skipped' }
	| { readonly state: 'settled'; readonly as: 'booked' | 'rejected' | 'cancelled' }
	/** Asked again after `retryInMs`. */
	| { readonly state: 'open'; readonly retryInMs: number };

/** Asking and booking together stay below the lease, so that two workers never do it at once. */
export const ASK_DEADLINE_MS = 8 * SECOND_MS;
export const BOOK_DEADLINE_MS = 12 * SECOND_MS;
export const BOOKING_LEASE_MS = 30 * SECOND_MS;
/** Until a booking is looked at again whose source had no place free. */
const NO_PLACE_PAUSE_MS = SECOND_MS;
/** A pause, an asking and a booking fit into a minute: so long a patient may be left unsure. */
export const PAUSE_WHILE_WAITED_FOR_MS = 30 * SECOND_MS;
/** About half an hour of attempts: until then somebody may be looking at the screen. */
export const ATTEMPTS_WHILE_WAITED_FOR = 64;
export const LONGEST_PAUSE_MS = 5 * MINUTE_MS;

/**
 * W26: 1 s, 2 s, 4 s … up to half a minute between attempts, so that a booking is settled within a
 * minute of the clinic's return; after half an hour of silence every five minutes.
 */
export const pauseAfter = (attempts: number): number =>
	attempts > ATTEMPTS_WHILE_WAITED_FOR
		? LONGEST_PAUSE_MS
		: Math.min(SECOND_MS * 2 ** (Math.max(attempts, 1) - 1), PAUSE_WHILE_WAITED_FOR_MS);

/** The connector's answer, or `otherwise` when it throws or outlasts its deadline. */
const ask = async <T>(
	call: (signal: AbortSignal) => Promise<T>,
	otherwise: T,
	{ deadlineMs, signal }: { deadlineMs: number; signal: AbortSignal }
): Promise<T> => {
	const limit = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
	const late = new Promise<T>((resolve) => {
		if (limit.aborted) resolve(otherwise);
		else limit.addEventListener('abort', () => resolve(otherwise), { once: true });
	});
	try {
		return await Promise.race([call(limit), late]);
	} catch {
		// What it threw may quote the patient's data: only that the answer is unknown goes on.
		return otherwise;
	}
};

const lost: BookingOutcome = { state: 'unconfirmed', detail: 'no answer' };
const unknown: BookingLookup = { state: 'unknown', detail: 'no answer' };

/**
 * Only the first attempt books straight away. Any later one may follow a request that arrived
 * though its answer, or the worker that sent it, was lost: it asks first.
 */
const consult = async (
	connector: Connector,
	stored: StoredOrder,
	signal: AbortSignal
): Promise<BookingOutcome> => {
	const { book, findBooking } = connector;
	if (book === null || findBooking === null) return lost;
	const { source, bookingId } = stored.order;
	const isRepeat = stored.attempts > 1 || stored.state !== 'confirming';
	if (isRepeat) {
		const found = await ask((limit) => findBooking({ source, bookingId, signal: limit }), unknown, {
			deadlineMs: ASK_DEADLINE_MS,
			signal
		});
		if (found.state === 'booked') return found;
		if (found.state === 'unknown') return lost;
	}
	return await ask((limit) => book({ ...stored.order, isRepeat, signal: limit }), lost, {
		deadlineMs: BOOK_DEADLINE_MS,
		signal
	});
};

const postpone = async (
	deps: BookingDeps,
	bookingId: BookingId,
	{ attempts, round = 0 }: { readonly attempts: number; readonly round?: number }
): Promise<BookingReport> => {
	const retryInMs = pauseAfter(attempts);
	await deps.bookings.postpone(bookingId, retryInMs);
	await deps.queues.addBooking(bookingId, attempts, retryInMs, round);
	return { state: 'open', retryInMs };
};

const storeOutcome = async (
	deps: BookingDeps,
	stored: StoredOrder,
	outcome: BookingOutcome
): Promise<BookingReport> => {
	const { bookingId } = stored.order;
	const settle = async (to: Outcome): Promise<boolean> => {
		const settled = await deps.bookings.settle(bookingId, to, { attempts: stored.attempts });
		if (settled === null) return false;
		deps.announce(bookingId, settled);
		// J10: the new visit stands: now the clinic is asked to cancel the old one. A job lost here is
		// found in Postgres.
		const { left, mail } = settled;
		if (mail !== null) await deps.queues.addMail(mail);
		if (left !== null) await deps.queues.addBooking(left.bookingId, 0, 0, left.round);
		return true;
	};
	switch (outcome.state) {
		case 'booked':
		case 'rejected':
			if (!(await settle(outcome))) return { state: 'skipped' };
			deps.log.info('booking_settled', { bookingId, as: outcome.state, attempts: stored.attempts });
			return { state: 'settled', as: outcome.state };
		case 'unconfirmed':
			if (stored.state === 'confirming') await settle({ state: 'unconfirmed' });
			deps.log.warn('booking_unconfirmed', { bookingId, attempts: stored.attempts });
			return await postpone(deps, bookingId, stored);
		default:
			return unreachable(outcome);
	}
};

/** Reads before it writes, whichever attempt it is: an earlier one may have reached the clinic. */
const consultCancel = async (
	{ cancel }: Connector,
	{ order, round }: StoredCancel,
	signal: AbortSignal
): Promise<CancelOutcome> => {
	if (cancel === undefined || cancel === null) return { state: 'refused', because: 'call_clinic' };
	const key = `${order.bookingId}-cancel-${round}`;
	return await ask((limit) => cancel({ ...order, key, signal: limit }), lost, {
		deadlineMs: ASK_DEADLINE_MS + BOOK_DEADLINE_MS,
		signal
	});
};

/** J2: freed for others only when the clinic has said so; a refusal leaves the visit as it was. */
const storeCancel = async (
	deps: BookingDeps,
	stored: StoredCancel,
	outcome: CancelOutcome
): Promise<BookingReport> => {
	const { order, attempts } = stored;
	const { bookingId } = order;
	if (outcome.state === 'unconfirmed') {
		deps.log.warn('cancel_unconfirmed', { bookingId, attempts });
		return await postpone(deps, bookingId, stored);
	}
	const asking = { attempts, round: stored.round };
	const settled =
		outcome.state === 'cancelled'
			? await deps.bookings.settle(bookingId, outcome, asking)
			: await deps.bookings.keep(bookingId, outcome.because, asking);
	if (settled === null) return { state: 'skipped' };
	deps.announce(bookingId, settled);
	if (settled.mail !== null) await deps.queues.addMail(settled.mail);
	const as = outcome.state === 'cancelled' ? 'cancelled' : 'booked';
	deps.log.info('cancel_settled', { bookingId, as, attempts });
	return { state: 'settled', as };
};

const writeNow = async (
	deps: BookingDeps,
	bookingId: BookingId,
	signal: AbortSignal
): Promise<BookingReport> => {
	const cancel = await deps.bookings.readCancel(bookingId);
	if (cancel !== null) {
		const at = deps.connectors[cancel.order.source.kind];
		return await storeCancel(deps, cancel, await consultCancel(at, cancel, signal));
	}
	const stored = await deps.bookings.read(bookingId);
	if (stored === null) return { state: 'skipped' };
	const connector = deps.connectors[stored.order.source.kind];
	return await storeOutcome(deps, stored, await consult(connector, stored, signal));
};

/**
 * Writes a booking that the caller has claimed, unless its source has no place free (W49): then it
 * is given back, for the loop to find. Throws nothing: a fault puts it off.
 */
export const writeClaimedBooking =
	(deps: BookingDeps) =>
	async (claimed: ClaimedBooking, signal: AbortSignal): Promise<BookingReport> => {
		const { bookingId, sourceId, attempts } = claimed;
		const leave = deps.places.enter(sourceId);
		try {
			if (leave !== null) return await writeNow(deps, bookingId, signal);
			await deps.bookings.giveBack(claimed, NO_PLACE_PAUSE_MS);
			return { state: 'open', retryInMs: NO_PLACE_PAUSE_MS };
		} catch (error) {
			// Someone must act: a person waits for this booking. The lease makes it due again.
			logFault(deps.log, 'booking_failed', error, { bookingId, attempts });
			return { state: 'open', retryInMs: BOOKING_LEASE_MS };
		} finally {
			leave?.();
		}
	};

/** Creates the job. Throws when Postgres cannot be asked. */
export const createWriteBooking = (deps: BookingDeps) => {
	const write = writeClaimedBooking(deps);
	return async (bookingId: BookingId, signal: AbortSignal): Promise<BookingReport> => {
		const claimed = await deps.bookings.claim(bookingId, BOOKING_LEASE_MS);
		return claimed === null ? { state: 'skipped' } : await write(claimed, signal);
	};
};
