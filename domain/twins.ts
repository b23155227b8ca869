// Twins: schedules of several sources that are one practitioner at one clinic (a clinic's own server
// and a marketplace that lists it too). One source's are shown; the others' would be the same times
// twice. Pure.
import type { ScheduleId, SourceId } from './ids.ts';
import { lettersOf } from './letters.ts';

export type TwinCandidate = {
	readonly id: ScheduleId;
	readonly sourceId: SourceId;
	readonly sourceKey: string;
	readonly npi: string | null;
	readonly practitionerName: string;
	readonly organizationName: string;
	readonly specialtyIds: readonly string[];
	/** Keys of sources that, as the operator noted, list the same as this one's. */
	readonly sameAs: readonly string[];
	/** Its last good answer is recent enough to offer its times (B4). */
	readonly isOffered: boolean;
	readonly isEnabled: boolean;
	/** The operator's order of trust, 1 first. */
	readonly trustRank: number;
	readonly booking: 'fhir' | 'link' | 'phone';
	readonly freshForMs: number;
};

/** Why two schedules are one. */
export type TwinRule = 'npi_and_clinic' | 'noted';

/** What decides which source is shown; the first that differs counts. */
export type TwinReason = 'offered' | 'enabled' | 'trust' | 'booking' | 'freshness' | 'older';

export type TwinDecision = {
	readonly shownBy: ScheduleId;
	/** Key of the source that is shown. */
	readonly source: string;
	readonly rule: TwinRule;
	readonly because: TwinReason;
};

const overlaps = (a: readonly string[], b: readonly string[]): boolean =>
	a.length === 0 || b.length === 0 || a.some((each) => b.includes(each));

/**
 * E20: the rule by which two schedules are one, or null. Never within one source; never with two
 * different NPIs or in different fields. By itself only where NPI and clinic are the same: a
 * practitioner may well work at two clinics.
 */
export const twinRuleOf = (a: TwinCandidate, b: TwinCandidate): TwinRule | null => {
	if (a.sourceId === b.sourceId || !overlaps(a.specialtyIds, b.specialtyIds)) return null;
	const isNpiSame = a.npi !== null && a.npi === b.npi;
	if (isNpiSame && lettersOf(a.organizationName) === lettersOf(b.organizationName)) {
		return 'npi_and_clinic';
	}
	if (!a.sameAs.includes(b.sourceKey) && !b.sameAs.includes(a.sourceKey)) return null;
	const isNameSame = lettersOf(a.practitionerName) === lettersOf(b.practitionerName);
	const isUnsaid = a.npi === null || b.npi === null;
	return isNpiSame || (isUnsaid && isNameSame) ? 'noted' : null;
};

const bookingRank = { fhir: 0, link: 1, phone: 2 } as const;

/** Each part: lower is shown. In this order. */
const ranks: readonly (readonly [TwinReason, (one: TwinCandidate) => number])[] = [
	['offered', (one) => (one.isOffered ? 0 : 1)],
	['enabled', (one) => (one.isEnabled ? 0 : 1)],
	['trust', (one) => one.trustRank],
	['booking', (one) => bookingRank[one.booking]],
	['freshness', (one) => one.freshForMs],
	['older', (one) => one.sourceId]
];

/** Below 0: `a` is shown rather than `b`. */
const compare = (a: TwinCandidate, b: TwinCandidate): number => {
	for (const [, rank] of ranks) if (rank(a) !== rank(b)) return rank(a) - rank(b);
	return a.id - b.id;
};

const reasonOf = (shown: TwinCandidate, other: TwinCandidate): TwinReason =>
	ranks.find(([, rank]) => rank(shown) !== rank(other))?.[0] ?? 'older';

type Pair = {
	readonly a: TwinCandidate;
	readonly b: TwinCandidate;
	readonly rule: TwinRule;
};

/** Only those who share a number or a name can be twins: compared within such a group. */
const pairsOf = (candidates: readonly TwinCandidate[]): Pair[] => {
	const groups = new Map<string, TwinCandidate[]>();
	const add = (key: string, one: TwinCandidate): void => {
		const group = groups.get(key);
		if (group === undefined) groups.set(key, [one]);
		else group.push(one);
	};
	for (const one of candidates) {
		if (one.npi !== null) add(`npi ${one.npi}`, one);
		add(`name ${lettersOf(one.practitionerName)}`, one);
	}
	const pairs: Pair[] = [];
	for (const group of groups.values()) {
		for (const [at, a] of group.entries()) {
			for (const b of group.slice(at + 1)) {
				const rule = twinRuleOf(a, b);
				if (rule !== null) pairs.push({ a, b, rule });
			}
		}
	}
	return pairs;
};

/**
 * E20: which schedules are not shown, and by which each is shown instead. A schedule is hidden only
 * for one that is shown itself: going through the candidates from the most trusted on, each that is
 * still shown hides its twins. The order of the candidates does not matter.
 */
export const decideTwins = (
	candidates: readonly TwinCandidate[]
): ReadonlyMap<ScheduleId, TwinDecision> => {
	const twins = new Map<ScheduleId, Map<ScheduleId, Pair>>();
	for (const pair of pairsOf(candidates)) {
		for (const [from, to] of [
			[pair.a, pair.b],
			[pair.b, pair.a]
		] as const) {
			const known = twins.get(from.id) ?? new Map<ScheduleId, Pair>();
			twins.set(from.id, known.set(to.id, pair));
		}
	}
	const decided = new Map<ScheduleId, TwinDecision>();
	for (const shown of candidates.toSorted(compare)) {
		if (decided.has(shown.id)) continue;
		for (const { a, b, rule } of twins.get(shown.id)?.values() ?? []) {
			const other = a.id === shown.id ? b : a;
			if (decided.has(other.id)) continue;
			const because = reasonOf(shown, other);
			decided.set(other.id, { shownBy: shown.id, source: shown.sourceKey, rule, because });
		}
	}
	return decided;
};
