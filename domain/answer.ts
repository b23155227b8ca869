// An Answer: what one poll of one source returned. Unknown is an answer: `silent` says nothing
// about any slot, `partial` may add and change but never removes.
import type { Instant } from './time.ts';
import type { ScheduleFact } from './schedule.ts';
import type { SlotFact, SlotKey } from './slot.ts';

/** Why a source was silent. Facts, snake_case, safe to show to an operator. */
export const silentReasons = [
	'timeout',
	'unreachable',
	'refused_address',
	'http_error',
	'throttled',
	'unauthorized',
	'too_large',
	'not_understood',
	'misconfigured'
] as const;
export type SilentReason = (typeof silentReasons)[number];

/** Counts of what looked wrong in an answer; zeros when all was well. */
export type AnswerFlags = {
	/** Slot records read. */
	readonly records: number;
	/** Records refused, each with its reason in `refused`. */
	readonly badRecords: number;
	/** Records whose UTC offset is not their zone's at that time. */
	readonly offsetMismatches: number;
	/** Records beyond the first under one source id (id reuse). */
	readonly repeatedIds: number;
	/** Records beyond the first under one natural key. */
	readonly duplicates: number;
	/** Records with a status outside the allow-list: kept as not bookable. */
	readonly unknownStatuses: number;
	/** Slots of schedules the answer does not describe. */
	readonly orphans: number;
};

export const noFlags: AnswerFlags = {
	records: 0,
	badRecords: 0,
	offsetMismatches: 0,
	repeatedIds: 0,
	duplicates: 0,
	unknownStatuses: 0,
	orphans: 0
};

/** At most this many refused records are described one by one; the rest are only counted. */
export const MAX_REFUSED_EXAMPLES = 20;
export type RefusedRecord = { readonly where: string; readonly reason: string };

/**
 * What the answer says of slots.
 * - `unchanged`: byte for byte as at the last committed poll.
 * - `full`: every slot of the window (one fact per natural key).
 * - `delta`: only what differs from the last committed poll; everything else is as it was.
 */
export type Listing =
	| { readonly form: 'unchanged' }
	| { readonly form: 'full'; readonly facts: readonly SlotFact[] }
	| {
			readonly form: 'delta';
			readonly changed: readonly SlotFact[];
			readonly gone: readonly SlotKey[];
			/** Slots the source now lists in all: for the shrink guard. */
			readonly total: number;
	  };

/** Opaque to all but the connector that made it. */
export type Fingerprint = Readonly<Record<string, unknown>>;

/** Polls ask for the near days or for the whole window; each is told against the last of its kind. */
export const reaches = ['near', 'whole'] as const;
export type Reach = (typeof reaches)[number];

export type SpokenAnswer = {
	readonly state: 'complete' | 'partial';
	/** The source says this was true at (its transactionTime or Date header, never our ordering). */
	readonly validAt: Instant;
	/** Only slots that start in [from, to) are spoken of. */
	readonly window: { readonly from: Instant; readonly to: Instant };
	readonly listing: Listing;
	/** null = as at the last committed poll. */
	readonly schedules: readonly ScheduleFact[] | null;
	/** Schedules whose slots this answer does not fully list: nothing of theirs is removed. */
	readonly unreadSchedules: readonly string[];
	/** The source said itself that nothing is open (an explicit, complete, empty list). */
	readonly explicitEmpty: boolean;
	readonly flags: AnswerFlags;
	readonly refused: readonly RefusedRecord[];
	/** The source asks not to be polled sooner than this (Cache-Control max-age), ms. */
	readonly maxAgeMs: number | null;
	/** Opaque to all but the connector: validators, `_since`, server features. At most 64 kB. */
	readonly cursor: Readonly<Record<string, unknown>>;
	/** Bytes read from the network. */
	readonly bytes: number;
	/**
	 * A100: asking for the near days alone would be less. Of an answer about the near days: it did
	 * keep to them. Left out = no.
	 */
	readonly canNarrow?: boolean;
	/**
	 * A36, A106: only what changed since a complete listing, told without a gap: partial, because what
	 * it does not name may have gone, but with that listing the store shows all that is known. `gone`
	 * is what the source itself says was deleted. Left out = no.
	 */
	readonly isUpdate?: boolean;
	/**
	 * N20: by what any process sees later that the source still says this: addresses, validators and
	 * digests of what was read. Made when it is to be kept. Left out or null = only by reading it again.
	 */
	readonly fingerprint?: () => Fingerprint | null;
};

export type SilentAnswer = {
	readonly state: 'silent';
	readonly reason: SilentReason;
	/** One plain sentence for the operator; never a body, never a token. */
	readonly detail: string;
	readonly retryAfterMs: number | null;
	readonly bytes: number;
	/** Examples of what was refused, when that is why the whole answer is of no use. */
	readonly refused?: readonly RefusedRecord[];
};

export type Answer = SpokenAnswer | SilentAnswer;
