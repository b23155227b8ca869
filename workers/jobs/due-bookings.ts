// Bookings that are due and that no worker took: written right here, so that they reach the clinic
// while Redis is dead. A claim keeps them apart from the queue's jobs.
import type { ClaimedBooking } from '#server/store/claim-bookings.ts';
import { SECOND_MS } from '#domain/time.ts';
import type { Loop } from './repeat.ts';

export type DueBookingsDeps = {
	/** Lends at most `limit` bookings that are due. */
	readonly claim: (limit: number) => Promise<readonly ClaimedBooking[]>;
	/** Never throws. */
	readonly write: (claimed: ClaimedBooking) => Promise<unknown>;
	/** Aborted = takes up no more. */
	readonly signal: AbortSignal;
};

/** Often enough for a patient who waits while Redis is dead. */
const EVERY_MS = 2 * SECOND_MS;
/** Written at a time: nearly all of it is waiting for clinics. */
export const MOST_AT_ONCE = 32;

/**
 * W48: when one is done the next that is due is taken up; nobody waits for the slowest, nor for the
 * next turn.
 */
export const writeDueBookings = ({ claim, write, signal }: DueBookingsDeps): Loop => {
	const underWay = new Set<Promise<unknown>>();
	let isClosing = false;
	let taking: Promise<void> | null = null;

	const begin = (claimed: ClaimedBooking): void => {
		const written = write(claimed).finally(() => {
			underWay.delete(written);
			// A fault here is the next turn's to find and to tell.
			if (!isClosing) take().catch(() => {});
		});
		underWay.add(written);
	};
	const takeUp = async (): Promise<void> => {
		const free = MOST_AT_ONCE - underWay.size;
		if (free === 0 || signal.aborted) return;
		for (const claimed of await claim(free)) begin(claimed);
	};
	const take = (): Promise<void> => {
		taking ??= takeUp().finally(() => {
			taking = null;
		});
		return taking;
	};
	return {
		name: 'write-due-bookings',
		everyMs: EVERY_MS,
		run: take,
		settled: async () => {
			isClosing = true;
			await taking?.catch(() => {});
			await Promise.all(underWay);
		}
	};
};
