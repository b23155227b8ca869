// Puts a board together from rows of one snapshot: which providers match, which of their times are
// shown first, and honest counts of the rest. Pure.
import {
	matchesDayPart,
	matchesSchedule,
	OPEN_HOURS_MS,
	SLOTS_PER_BOARD,
	SLOTS_PER_PROVIDER_PAGE,
	SLOTS_PER_SCHEDULE,
	startOf,
	type Board,
	type BoardQuery,
	type ScheduleCard
} from '#domain/board.ts';
import type { FillingUp } from '#domain/availability.ts';
import type { ScheduleId } from '#domain/ids.ts';
import { checkInsurance } from '#domain/insurance.ts';
import type { WireSlot } from '#domain/protocol.ts';
import { slotStates } from '#domain/slot.ts';
import { freshnessOf, isOfferedAt } from '#domain/freshness.ts';
import { HOUR_MS, type Instant } from '#domain/time.ts';
import type { ScheduleRow, SnapshotPoint } from '../store/board.ts';

/** Providers on one board; those with times come first. */
export const MAX_CARDS = 60;

export const isOffered = (
	row: Pick<ScheduleRow, 'checkedAt' | 'freshForMs'>,
	asOf: Instant
): boolean => isOfferedAt(row.checkedAt === null ? null : asOf - row.checkedAt, row.freshForMs);

export const cardOf = (
	row: ScheduleRow,
	plan: string | null,
	asOf: Instant,
	moreOpen: number
): ScheduleCard => ({
	id: row.id,
	practitionerName: row.practitionerName,
	organizationName: row.organizationName,
	kinds: row.kinds,
	languages: row.languages,
	regions: row.regions,
	zone: row.zone,
	phone: row.phone,
	booking: row.booking,
	insurance: checkInsurance(row.planIds, plan),
	planIds: row.planIds,
	checkedAt: row.checkedAt,
	freshForMs: row.freshForMs,
	freshness: freshnessOf(row.checkedAt === null ? null : asOf - row.checkedAt, row.freshForMs),
	moreOpen,
	closedUntil: row.closedUntil
});

/** I2: with `planOnly` only a provider that says no is left out; one that does not say stays. */
const takesPlan = (query: BoardQuery, row: ScheduleRow): boolean =>
	!query.planOnly || checkInsurance(row.planIds, query.plan) !== 'no';

export type Chosen = {
	/** In the specialty and region, before the other filters. */
	readonly providerCount: number;
	readonly outOfPlanCount: number;
	/** Match every filter. */
	readonly matching: readonly ScheduleRow[];
	/** Match, and their calendar answered lately enough to offer its times. */
	readonly offered: readonly ScheduleRow[];
};

export const chooseSchedules = (
	query: BoardQuery,
	rows: readonly ScheduleRow[],
	asOf: Instant
): Chosen => {
	const inRegion = rows.filter(
		(row) =>
			!row.isOff &&
			(row.regions.length === 0 || row.regions.includes(query.region)) &&
			(query.scheduleId === null || row.id === query.scheduleId)
	);
	const fitting = inRegion.filter((row) => matchesSchedule(query, row));
	const matching = fitting.filter((row) => takesPlan(query, row));
	return {
		providerCount: inRegion.length,
		outOfPlanCount: fitting.length - matching.length,
		matching,
		offered: matching.filter((row) => isOffered(row, asOf))
	};
};

type Page = {
	readonly shown: readonly WireSlot[];
	readonly openBySchedule: ReadonlyMap<ScheduleId, number>;
	readonly shownOpen: ReadonlyMap<ScheduleId, number>;
	/** Open times per whole hour since 1970. */
	readonly byHour: ReadonlyMap<number, number>;
};

const addOne = <K>(counts: Map<K, number>, key: K): number => {
	const next = (counts.get(key) ?? 0) + 1;
	counts.set(key, next);
	return next;
};

/** B3: soonest first; the first few of every provider, and no more than fit on a page. */
const pickSlots = (query: BoardQuery, slots: readonly WireSlot[]): Page => {
	const onePage = query.scheduleId !== null;
	const perSchedule = onePage ? SLOTS_PER_PROVIDER_PAGE : SLOTS_PER_SCHEDULE;
	const perPage = onePage ? SLOTS_PER_PROVIDER_PAGE : SLOTS_PER_BOARD;
	const shown: WireSlot[] = [];
	const shownOf = new Map<ScheduleId, number>();
	const openBySchedule = new Map<ScheduleId, number>();
	const shownOpen = new Map<ScheduleId, number>();
	const byHour = new Map<number, number>();
	for (const slot of slots) {
		if (!matchesDayPart(query, startOf(slot))) continue;
		const isOpen = slot[4] === slotStates.open;
		if (isOpen) {
			addOne(openBySchedule, slot[1]);
			addOne(byHour, Math.floor(startOf(slot) / HOUR_MS));
		}
		if (shown.length >= perPage || (shownOf.get(slot[1]) ?? 0) >= perSchedule) continue;
		addOne(shownOf, slot[1]);
		if (isOpen) addOne(shownOpen, slot[1]);
		shown.push(slot);
	}
	return { shown, openBySchedule, shownOpen, byHour };
};

/** Providers with a time on the page, then those with more, then the others; each by its name. */
const orderCards = (matching: readonly ScheduleRow[], page: Page): readonly ScheduleRow[] => {
	const soonest = new Map<ScheduleId, number>();
	for (const [index, slot] of page.shown.entries()) {
		if (!soonest.has(slot[1])) soonest.set(slot[1], index);
	}
	const rankOf = (row: ScheduleRow): number =>
		soonest.get(row.id) ?? (page.openBySchedule.has(row.id) ? 1_000 : 2_000);
	return matching
		.toSorted(
			(a, b) => rankOf(a) - rankOf(b) || a.practitionerName.localeCompare(b.practitionerName, 'en')
		)
		.slice(0, MAX_CARDS);
};

/** `slots`: open and held times of the offered providers, soonest first. */
export const layOutBoard = (
	query: BoardQuery,
	point: SnapshotPoint,
	chosen: Chosen,
	found: { readonly slots: readonly WireSlot[]; readonly filling: readonly FillingUp[] }
): Board => {
	const page = pickSlots(query, found.slots);
	const cards = orderCards(chosen.matching, page);
	let openCount = 0;
	for (const count of page.openBySchedule.values()) openCount += count;
	const onPage = new Set(cards.map((row) => row.id));
	return {
		query,
		epoch: point.epoch,
		heads: point.heads,
		asOf: point.asOf,
		schedules: cards.map((row) => {
			const open = page.openBySchedule.get(row.id) ?? 0;
			return cardOf(row, query.plan, point.asOf, open - (page.shownOpen.get(row.id) ?? 0));
		}),
		slots: page.shown,
		openCount,
		openHours: [...page.byHour].filter(([hour]) => hour * HOUR_MS < point.asOf + OPEN_HOURS_MS),
		filling: found.filling.filter((one) => onPage.has(one.scheduleId)),
		unknownCount: chosen.matching.length - chosen.offered.length,
		outOfPlanCount: chosen.outOfPlanCount,
		providerCount: chosen.providerCount
	};
};
