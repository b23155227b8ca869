// A Schedule (FHIR R4) with the facts patients choose by: who, what, where licensed, how, and
// which insurance. Facts a source does not tell stay unknown (null), never "none".
import type { VisitKind } from './codes.ts';

export type ScheduleFact = {
	/** The source's own id of the Schedule. */
	readonly key: string;
	readonly practitionerName: string;
	/** National Provider Identifier, ten digits, when the source gives one. */
	readonly practitionerNpi: string | null;
	readonly organizationName: string;
	/** Our specialty ids (domain/data/specialties.json), sorted. Empty = not mapped. */
	readonly specialtyIds: readonly string[];
	/** ISO 3166-2 codes of the regions in which a patient may sit, sorted. Empty = unknown. */
	readonly regions: readonly string[];
	/** Sorted; empty = unknown. */
	readonly kinds: readonly VisitKind[];
	/** BCP 47 primary tags, sorted. Empty = unknown. */
	readonly languages: readonly string[];
	/** Our plan type ids, sorted; null = the source does not say. */
	readonly planIds: readonly string[] | null;
	/** IANA zone of the practitioner. */
	readonly zone: string;
	readonly phone: string | null;
};

const sameList = (a: readonly string[] | null, b: readonly string[] | null): boolean =>
	a === b || (a !== null && b !== null && a.length === b.length && a.every((x, i) => x === b[i]));

export const sameSchedule = (a: ScheduleFact, b: ScheduleFact): boolean =>
	a.practitionerName === b.practitionerName &&
	a.practitionerNpi === b.practitionerNpi &&
	a.organizationName === b.organizationName &&
	a.zone === b.zone &&
	a.phone === b.phone &&
	sameList(a.specialtyIds, b.specialtyIds) &&
	sameList(a.regions, b.regions) &&
	sameList(a.kinds, b.kinds) &&
	sameList(a.languages, b.languages) &&
	sameList(a.planIds, b.planIds);
