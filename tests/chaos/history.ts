// The history of a chaos run: what each patient asked and heard, written by the patients alone and
// never by the system under test. One record per request.

export type Op = 'hold' | 'extend' | 'release' | 'confirm';

export type Attempt = {
	readonly op: Op;
	/** Digest of the device, as the hub keeps it. */
	readonly device: string;
	readonly slotId: number;
	/** Idempotency key of holds and confirmations; every try of one wish carries the same. */
	readonly key: string;
	/** The hold that is extended, released or confirmed; null for `hold`. */
	readonly holdId: string | null;
	/** ms on the patients' own monotonic clock. */
	readonly sentAt: number;
	readonly answeredAt: number;
	/** `unknown` = no answer, or one that does not tell whether it took effect. */
	readonly outcome: 'ok' | 'refused' | 'unknown';
	readonly reason: string | null;
	readonly answer: Answer | null;
};

/** What an `ok` said. */
export type Answer = {
	readonly id: string;
	readonly fence: number | null;
	readonly ttlMs: number | null;
	readonly state: string;
};

/** A hold as the tables have it; times in ms since 1970 by the database's clock. */
export type LedgerHold = {
	readonly id: string;
	readonly slotId: number;
	readonly fence: number;
	readonly device: string;
	readonly state: string;
	readonly placedAt: number;
	/** Expiry, release or refusal, whichever came first; Infinity while booked. */
	readonly endedAt: number;
	/** The requests that led to it. */
	readonly keys: readonly string[];
};

export type LedgerBooking = {
	readonly id: string;
	readonly holdId: string;
	readonly slotId: number;
	readonly device: string;
	readonly state: string;
	readonly keys: readonly string[];
};

/** An appointment in the clinic's own book. */
export type ClinicAppointment = {
	readonly slotId: number;
	/** The booking it was made for; null = not ours. */
	readonly bookingId: string | null;
	readonly isCancelled: boolean;
};

/** Everything that is known after a run. */
export type History = {
	readonly attempts: readonly Attempt[];
	readonly holds: readonly LedgerHold[];
	readonly bookings: readonly LedgerBooking[];
	readonly appointments: readonly ClinicAppointment[];
	/** Places of each slot. */
	readonly places: ReadonlyMap<number, number>;
	/** Added to the patients' clock it gives ms since 1970. */
	readonly clockOffsetMs: number;
};
