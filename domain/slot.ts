// A Slot (FHIR R4): one bookable interval of one Schedule, as its source last told it.
import { unreachable } from './result.ts';
import { SECOND_MS, type Instant } from './time.ts';
import type { VisitKind } from './codes.ts';

/** FHIR R4 slotstatus, required binding. */
export const slotStatuses = [
	'free',
	'busy',
	'busy-unavailable',
	'busy-tentative',
	'entered-in-error'
] as const;
export type SlotStatus = (typeof slotStatuses)[number];
export const isSlotStatus = (text: unknown): text is SlotStatus =>
	(slotStatuses as readonly unknown[]).includes(text);

export type SlotFact = {
	/** The source's own id of the Schedule, e.g. `116`. */
	readonly scheduleKey: string;
	readonly startsAt: Instant;
	readonly endsAt: Instant;
	/** What is done in this slot when a schedule mixes services; '' when the source names none. */
	readonly service: string;
	readonly status: SlotStatus;
	/** Places in the slot; 1 unless the source folds identical slots into one. */
	readonly capacity: number;
	/** Places still free according to the source; 0 unless `status` is free. */
	readonly remaining: number;
	/** Kept beside, never used as a key: real feeds repeat ids. */
	readonly sourceSlotId: string;
	/** The source's version of this slot (`meta.versionId`), '' when it has none. */
	readonly version: string;
	/** How this slot may be held, when it differs from its schedule; null = as the schedule says. */
	readonly kinds: readonly VisitKind[] | null;
	readonly bookUrl: string | null;
	readonly bookPhone: string | null;
};

/** Identity of a slot inside its source: schedule, start, end and service. */
export type SlotKey = string;

/**
 * D1: the natural key. Ids are not identity: one published feed carried 1,542 slots under 112 ids.
 */
export const slotKeyOf = (
	fact: Pick<SlotFact, 'scheduleKey' | 'startsAt' | 'endsAt' | 'service'>
): SlotKey =>
	`${fact.scheduleKey}|${Math.floor(fact.startsAt / SECOND_MS)}|${Math.floor(
		(fact.endsAt - fact.startsAt) / SECOND_MS
	)}|${fact.service}`;

const sameKinds = (a: SlotFact['kinds'], b: SlotFact['kinds']): boolean =>
	a === b || (a !== null && b !== null && a.length === b.length && a.every((k, i) => k === b[i]));

/** D2: equal in everything a person could notice or that booking needs. */
export const sameFact = (a: SlotFact, b: SlotFact): boolean =>
	a.status === b.status &&
	a.remaining === b.remaining &&
	a.capacity === b.capacity &&
	a.version === b.version &&
	a.sourceSlotId === b.sourceSlotId &&
	a.bookUrl === b.bookUrl &&
	a.bookPhone === b.bookPhone &&
	sameKinds(a.kinds, b.kinds);

/** The number in a version that is one (most servers count), or null. */
export const versionNumberOf = (version: string): number | null =>
	/^\d{1,15}$/.test(version) ? Number(version) : null;

type Versioned = Pick<SlotFact, 'version' | 'sourceSlotId'>;

/** D8: an older version of the same record, by the source's own count; unknown = no. */
export const isOlderVersion = (told: Versioned, known: Versioned): boolean => {
	const [now, before] = [versionNumberOf(told.version), versionNumberOf(known.version)];
	return (
		told.sourceSlotId === known.sourceSlotId && now !== null && before !== null && now < before
	);
};

/**
 * D3: of two records under one natural key the less available one counts, whichever was read
 * first. Believing "free" when the source also says "busy" would send people to a taken time.
 */
export const mergeDuplicate = (a: SlotFact, b: SlotFact): SlotFact => {
	const byPlaces = a.remaining - b.remaining;
	if (byPlaces !== 0) return byPlaces < 0 ? a : b;
	return essenceOf(a) >= essenceOf(b) ? a : b;
};

/** All that may differ under one key, so that the choice never rests on the order of reading. */
const essenceOf = (fact: SlotFact): string =>
	JSON.stringify([
		fact.status,
		fact.version,
		fact.sourceSlotId,
		fact.bookUrl,
		fact.bookPhone,
		fact.capacity,
		fact.kinds
	]);

/** What a viewer sees of a slot. Numbers, because they travel. */
export const slotStates = { gone: 0, open: 1, held: 2, taken: 3 } as const;
export type SlotState = (typeof slotStates)[keyof typeof slotStates];

/**
 * D4: open only when the source says free (allow-list) and a place is left that nobody claims.
 * `liveClaims` = holds, confirmations and bookings of ours the source does not know yet.
 */
export const slotStateOf = (
	status: SlotStatus,
	remaining: number,
	liveClaims: number
): SlotState => {
	switch (status) {
		case 'free':
			if (remaining <= 0) return slotStates.taken;
			return liveClaims >= remaining ? slotStates.held : slotStates.open;
		case 'busy-tentative':
			return slotStates.held;
		case 'busy':
		case 'busy-unavailable':
			return slotStates.taken;
		case 'entered-in-error':
			return slotStates.gone;
		default:
			return unreachable(status);
	}
};
