// What a connector is: code that speaks one kind of provider API. It maps; timeouts, limits,
// conditional requests and the address guard are the HTTP client's, once for all connectors.
import type { Answer, Fingerprint } from '#domain/answer.ts';
import type { ChangeRefused, VisitFor } from '#domain/booking.ts';
import type { SourceSettings } from '#domain/source.ts';
import type { Instant } from '#domain/time.ts';
import type { VisitKind } from '#domain/codes.ts';

export type PollRequest = {
	readonly source: SourceSettings;
	/** The cursor of the last committed answer, or {} at first. */
	readonly cursor: Readonly<Record<string, unknown>>;
	/**
	 * Names the last committed poll. A connector may answer `unchanged` or `delta` only against the
	 * body it kept under this token; with null it must answer in full.
	 */
	readonly basis: string | null;
	/**
	 * N20: that of the last committed answer. Without its body a connector may still answer `unchanged`
	 * where this shows that it is; left out or null = nothing is known.
	 */
	readonly fingerprint?: Fingerprint | null;
	/** Token under which the connector may keep this poll's body if it gets committed. */
	readonly token: string;
	readonly now: Instant;
	/** Ask for everything, without conditional headers (suspect shrink, integrity check). */
	readonly wantFull: boolean;
	/**
	 * Ask only for slots that start within this, ms; left out = for the whole window. `basis` then
	 * names the last such poll: what is kept of the two is kept apart.
	 */
	readonly nearMs?: number;
	readonly signal: AbortSignal;
};

/** What the clinic must know to book. Only in memory, on its way from the row to the wire. */
export type BookingOrder = {
	readonly source: SourceSettings;
	/** Ours; sent as Appointment.identifier, so that the clinic can recognise a repeat. */
	readonly bookingId: string;
	readonly sourceSlotId: string;
	readonly scheduleKey: string;
	readonly startsAt: Instant;
	readonly endsAt: Instant;
	readonly kind: VisitKind | null;
	readonly patient: {
		readonly givenName: string;
		readonly familyName: string;
		readonly bornOn: string;
		readonly phone: string;
		readonly email: string | null;
		readonly reason: string | null;
		/** Whose telephone it is: the patient's (`me`, or left out), a parent's, a carer's. */
		readonly forWhom?: VisitFor;
	};
	/** We may have asked for this booking before: a tentative slot may be held by ourselves. */
	readonly isRepeat?: boolean;
	readonly signal: AbortSignal;
};

export type BookingOutcome =
	| { readonly state: 'booked'; readonly appointmentId: string; readonly joinUrl: string | null }
	| { readonly state: 'rejected'; readonly because: 'slot_taken' | 'clinic_refused' }
	/** The answer was lost: the clinic may or may not have booked. Ask, never repeat blindly. */
	| { readonly state: 'unconfirmed'; readonly detail: string };

export type BookingLookup =
	| { readonly state: 'booked'; readonly appointmentId: string; readonly joinUrl: string | null }
	| { readonly state: 'absent' }
	| { readonly state: 'unknown'; readonly detail: string };

/** What a clinic must know to cancel: which appointment, and no word about the patient. */
export type CancelOrder = {
	readonly source: SourceSettings;
	/** Ours: the Appointment's identifier. */
	readonly bookingId: string;
	/** The clinic's own id, when it told one. */
	readonly appointmentId: string | null;
	readonly sourceSlotId: string;
	/** Ours; the same for every attempt at this cancellation. */
	readonly key: string;
	readonly signal: AbortSignal;
};

export type CancelOutcome =
	/** The clinic's own record says so: by this attempt, an earlier one, or somebody else. */
	| { readonly state: 'cancelled' }
	| { readonly state: 'refused'; readonly because: ChangeRefused }
	/** The answer was lost: look at the clinic's record again before anything else is sent. */
	| { readonly state: 'unconfirmed'; readonly detail: string };

/** What a source is asked for, so that it tells us of changes. */
export type SubscribeOrder = {
	readonly source: SourceSettings;
	/** The one that stands and is renewed, or null. */
	readonly subscription: string | null;
	readonly endpoint: string;
	/** Sent back to us with every notification. */
	readonly key: string;
	readonly heartbeatMs: number;
	readonly endsAt: Instant;
	readonly signal: AbortSignal;
};

export type SubscribeOutcome =
	| { readonly state: 'subscribed'; readonly subscription: string }
	/** This source tells nobody. */
	| { readonly state: 'not_offered' }
	/** `gone`: what was to be renewed is not there any more. */
	| { readonly state: 'failed'; readonly gone: boolean };

export type Subscriber = {
	readonly subscribe: (order: SubscribeOrder) => Promise<SubscribeOutcome>;
	/** false = it may still stand. */
	readonly unsubscribe: (
		order: Pick<SubscribeOrder, 'source' | 'signal'>,
		subscription: string
	) => Promise<boolean>;
};

/**
 * The key or token that a source was given, read anew each time: a new one counts at once. null =
 * none. It may fail: what is kept cannot be opened, or Postgres is away.
 */
export type SecretOf = (sourceKey: string) => Promise<string | null>;

export type Connector = {
	readonly poll: (request: PollRequest) => Promise<Answer>;
	/** Called after the poll of `token` was committed (or not): keeps or drops its body. */
	readonly settle: (
		sourceKey: string,
		token: string,
		committed: boolean,
		/** It was a poll of the near days. */
		isNear?: boolean
	) => void;
	/** Only kinds that can write. */
	readonly book: ((order: BookingOrder) => Promise<BookingOutcome>) | null;
	readonly findBooking:
		| ((order: Pick<BookingOrder, 'source' | 'bookingId' | 'signal'>) => Promise<BookingLookup>)
		| null;
	/**
	 * Cancels, or finds that it is cancelled. It reads before it writes, so that it may be called
	 * again after a lost answer. Left out or null = this kind takes changes by telephone only.
	 */
	readonly cancel?: ((order: CancelOrder) => Promise<CancelOutcome>) | null;
	/** Only kinds whose sources can be asked to push. */
	readonly subscriber?: Subscriber | null;
};
