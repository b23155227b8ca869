// The board: what a patient asked for and what the hub shows for it.
import { DAY_MS, MINUTE_MS, toInstant, type Instant } from './time.ts';
import { dayPartAt, type DayPart } from './zone.ts';
import type { FillingUp } from './availability.ts';
import type { VisitKind } from './codes.ts';
import type { ScheduleId } from './ids.ts';
import type { InsuranceAnswer } from './insurance.ts';
import type { RoomName } from './room.ts';
import type { WireSlot } from './protocol.ts';
import type { Freshness } from './source.ts';

/** Everything a search is made of; all of it lives in the URL. */
export type BoardQuery = {
	/** Our specialty id. */
	readonly specialty: string;
	/** ISO 3166-2 code of where the patient sits: `US-MT`. */
	readonly region: string;
	/** Any of these; empty = any kind. */
	readonly kinds: readonly VisitKind[];
	/** Plan type id, or null = not asked. With `planOnly` providers that say no are left out. */
	readonly plan: string | null;
	readonly planOnly: boolean;
	readonly dayPart: DayPart | 'any';
	/** BCP 47 tag, or null = any. */
	readonly language: string | null;
	/** IANA zone in which days and day parts are meant; default: the region's first. */
	readonly zone: string;
	/** Only this provider ("all times"), or null. */
	readonly scheduleId: ScheduleId | null;
};

export type ScheduleCard = {
	readonly id: ScheduleId;
	readonly practitionerName: string;
	readonly organizationName: string;
	readonly kinds: readonly VisitKind[];
	readonly languages: readonly string[];
	readonly regions: readonly string[];
	readonly zone: string;
	readonly phone: string | null;
	/** How a time here is booked. */
	readonly booking: 'fhir' | 'link' | 'phone';
	readonly insurance: InsuranceAnswer;
	/** Plan types it takes; null = its calendar does not say. */
	readonly planIds: readonly string[] | null;
	/** When its calendar last answered; null = never. */
	readonly checkedAt: Instant | null;
	readonly freshForMs: number;
	readonly freshness: Freshness;
	/** Open times that match the search but are not in `slots` (the page shows the first few). */
	readonly moreOpen: number;
	/** K25: its clinic takes no more visits here until then; null = it takes them. */
	readonly closedUntil: Instant | null;
};

export type Board = {
	readonly query: BoardQuery;
	readonly epoch: string;
	/** Position of every room of this search, taken in the same snapshot as the slots. */
	readonly heads: Readonly<Record<RoomName, number>>;
	readonly asOf: Instant;
	readonly schedules: readonly ScheduleCard[];
	/** Open and held slots, soonest first. */
	readonly slots: readonly WireSlot[];
	readonly openCount: number;
	/** Open times of the next OPEN_HOURS_MS by hour: `[whole hours since 1970, how many]`. */
	readonly openHours: readonly (readonly [hour: number, open: number])[];
	readonly filling: readonly FillingUp[];
	/** Providers of this search whose calendar could not be read lately: "we could not check". */
	readonly unknownCount: number;
	/** Providers left out because they do not take the plan (planOnly). */
	readonly outOfPlanCount: number;
	/** Providers in this specialty and region, before the other filters. */
	readonly providerCount: number;
};

/** Times shown per provider before "all times". */
export const SLOTS_PER_SCHEDULE = 6;
/** Slots on the first page: the byte budget is set for 40. */
export const SLOTS_PER_BOARD = 40;
/** Slots on the page of one provider. */
export const SLOTS_PER_PROVIDER_PAGE = 120;

export const startOf = (slot: WireSlot): Instant => toInstant(slot[2] * MINUTE_MS);
export const endOf = (slot: WireSlot): Instant => toInstant((slot[2] + slot[3]) * MINUTE_MS);

/** B1: a slot matches the day part in the viewer's zone, not the provider's. */
export const matchesDayPart = (
	query: Pick<BoardQuery, 'dayPart' | 'zone'>,
	startsAt: Instant
): boolean => query.dayPart === 'any' || dayPartAt(startsAt, query.zone) === query.dayPart;

/** B2: a provider matches unless it is known not to: unknown kinds or languages stay in. */
export const matchesSchedule = (
	query: Pick<BoardQuery, 'kinds' | 'language' | 'region'>,
	card: Pick<ScheduleCard, 'kinds' | 'languages' | 'regions'>
): boolean =>
	(card.regions.length === 0 || card.regions.includes(query.region)) &&
	(query.kinds.length === 0 ||
		card.kinds.length === 0 ||
		card.kinds.some((kind) => query.kinds.includes(kind))) &&
	(query.language === null ||
		card.languages.length === 0 ||
		card.languages.includes(query.language));

/** How far ahead `openHours` counts. */
export const OPEN_HOURS_MS = 7 * DAY_MS;

/** How far ahead the board looks. */
export const BOARD_WINDOW_MS = 14 * DAY_MS;
