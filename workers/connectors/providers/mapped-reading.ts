// Makes schedules and slots of a vendor's answers by its mapping. Pure: what cannot be read is
// refused with a reason, and nothing throws.
import { findSpecialty, isVisitKind } from '#domain/codes.ts';
import { isNpi } from '#domain/npi.ts';
import type { Mapping, MappedSchedules, MappedSlots } from '#domain/mapping.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import { isSlotStatus, type SlotFact, type SlotStatus } from '#domain/slot.ts';
import type { SourceSettings } from '#domain/source.ts';
import { DAY_MS, MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import { isZone } from '#domain/zone.ts';
import type { PlacedRead } from '../computed.ts';
import { sortedUnique, webAddressOf } from './fhir-shapes.ts';
import { scopesOf, textBy, textsAt, valueAt, type Scope } from './mapped-paths.ts';
import { timeBy, type MappedTime, type TimeContext } from './mapped-times.ts';
import { notedSchedule } from './noted-schedule.ts';
import { MAX_SCHEDULES } from './schedule-facts.ts';
import { regionOfText } from './schedule-zone.ts';

/** One answer, parsed. */
export type MappedPage = { readonly name: string; readonly value: unknown };

export type MappedRead = {
	readonly schedules: readonly ScheduleFact[];
	readonly reads: readonly PlacedRead[];
	/** Records of slots on each page, for paging. */
	readonly counts: readonly number[];
};

type Context = {
	readonly source: Pick<SourceSettings, 'name' | 'notes'>;
	readonly byKey: ReadonlyMap<string, { readonly zone: string | null }>;
};

/** The schedule of slots that name none. */
const ONLY_KEY = 'all';
const LONGEST_SLOT_MS = 31 * DAY_MS;
const MAX_PLACES = 100_000;

type Described = { readonly fact: ScheduleFact; readonly zone: string | null };

/** Who says the zone: the record, the operator, the state of the address; or nobody. */
const zoneBy = (
	scope: Scope,
	rule: MappedSchedules,
	notes: SourceSettings['notes']
): string | null => {
	const told = textBy(scope, rule.zone, 60);
	if (/^[A-Za-z]{2,}\/|^UTC$/.test(told) && isZone(told)) return told;
	if (notes.zone !== undefined) return notes.zone;
	return regionOfText(textBy(scope, rule.state, 60))?.defaultTimeZone ?? null;
};

const describe = (
	scope: Scope,
	rule: MappedSchedules,
	source: Context['source']
): Described | null => {
	const { notes } = source;
	const key = textBy(scope, rule.key);
	if (key === '') return null;
	const noted = notedSchedule(source, { key });
	const zone = zoneBy(scope, rule, notes);
	const npi = textBy(scope, rule.npi, 20);
	const state = regionOfText(textBy(scope, rule.state, 60));
	const specialty = findSpecialty(textBy(scope, rule.specialty, 60))?.id;
	const kinds = rule.kinds;
	const told =
		kinds === undefined ? [] : textsAt(scope, kinds.at).map((text) => kinds.words[text] ?? '');
	const known = sortedUnique(told.filter(isVisitKind));
	const fact: ScheduleFact = {
		...noted,
		practitionerName: textBy(scope, rule.name) || noted.practitionerName,
		practitionerNpi: isNpi(npi) ? npi : null,
		organizationName: textBy(scope, rule.organization) || noted.organizationName,
		specialtyIds: specialty === undefined ? noted.specialtyIds : [specialty],
		regions: noted.regions.length > 0 || state === undefined ? noted.regions : [state.code],
		kinds: known.length > 0 ? known : noted.kinds,
		zone: zone ?? 'UTC',
		phone: textBy(scope, rule.phone, 40) || noted.phone
	};
	return { fact, zone };
};

const writtenOut = (scope: Scope): string => {
	try {
		return JSON.stringify(scope);
	} catch {
		// Nested so deeply that it cannot be written: nobody's schedule.
		return '';
	}
};

/** Whether `a` is to be kept before `b`; the same whichever was read first. */
const isNewer = (a: Scope, b: Scope, path: string | undefined): boolean => {
	const [one, other] = [a, b].map((scope) =>
		path === undefined ? '' : String(valueAt(scope, path) ?? '')
	);
	if (one !== other) return (one ?? '') > (other ?? '');
	return writtenOut(a) > writtenOut(b);
};

/** A schedule's record without the levels above it, which repeat whole answers. */
const ownScope = (scope: Scope, rule: MappedSchedules): Scope => {
	const last = rule.each.at(-1)?.as ?? '';
	return { [last]: scope[last] };
};

type Schedules = {
	readonly described: ReadonlyMap<string, Described>;
	readonly refused: PlacedRead[];
};

const schedulesOf = (
	pages: readonly MappedPage[],
	rule: MappedSchedules | undefined,
	source: Context['source']
): Schedules => {
	const refused: PlacedRead[] = [];
	if (rule === undefined) {
		const fact = notedSchedule(source, { key: ONLY_KEY });
		return { described: new Map([[ONLY_KEY, { fact, zone: source.notes.zone ?? null }]]), refused };
	}
	const newest = new Map<string, Scope>();
	for (const page of pages) {
		for (const { scope, where } of scopesOf(page.value, rule.each)) {
			const key = textBy(scope, rule.key);
			const known = newest.get(key);
			if (key === '') {
				const reason = 'a schedule without a key';
				refused.push({
					where: `${page.name} ${where}`,
					read: { kind: 'bad', reason, scheduleKey: null }
				});
			} else if (known === undefined) {
				if (newest.size < MAX_SCHEDULES) newest.set(key, scope);
			} else if (isNewer(ownScope(scope, rule), ownScope(known, rule), rule.newest))
				newest.set(key, scope);
		}
	}
	const described = new Map<string, Described>();
	for (const [key, scope] of newest) {
		const one = describe(scope, rule, source);
		if (one !== null) described.set(key, one);
	}
	return { described, refused };
};

type Span = {
	readonly startsAt: Instant;
	readonly endsAt: Instant;
	readonly isOffsetWrong: boolean;
};

const endBy = (
	scope: Scope,
	rule: MappedSlots,
	{ start, times }: { start: Instant; times: TimeContext }
): MappedTime => {
	if (rule.end !== undefined) return timeBy(scope, rule.end, times);
	const told = typeof rule.minutes === 'string' ? valueAt(scope, rule.minutes) : rule.minutes;
	const minutes = typeof told === 'string' && /^\d{1,5}$/.test(told) ? Number(told) : told;
	if (typeof minutes !== 'number' || !(minutes > 0)) return { ok: false, reason: 'is missing' };
	return { ok: true, at: toInstant(start + minutes * MINUTE_MS), isOffsetWrong: false };
};

const spanBy = (scope: Scope, rule: MappedSlots, times: TimeContext): Span | string => {
	const start = timeBy(scope, rule.start, times);
	if (!start.ok) return `start ${start.reason}`;
	const end = endBy(scope, rule, { start: start.at, times });
	if (!end.ok) return `end ${end.reason}`;
	const length = end.at - start.at;
	if (length <= 0) return 'ends before it starts';
	if (length > LONGEST_SLOT_MS) return 'longer than a month';
	const isOffsetWrong = start.isOffsetWrong || end.isOffsetWrong;
	return { startsAt: start.at, endsAt: end.at, isOffsetWrong };
};

const placesBy = (scope: Scope, path: string | undefined): number | null => {
	if (path === undefined) return null;
	const told = valueAt(scope, path);
	const places = typeof told === 'string' && /^\s*\d{1,9}\s*$/.test(told) ? Number(told) : told;
	const isCount = typeof places === 'number' && Number.isInteger(places) && places >= 0;
	return isCount ? Math.min(places, MAX_PLACES) : null;
};

type Offer = Pick<SlotFact, 'status' | 'capacity' | 'remaining'> & { readonly isUnknown: boolean };

const offerBy = (scope: Scope, rule: MappedSlots): Offer | string => {
	const left = placesBy(scope, rule.remaining);
	if (rule.remaining !== undefined && left === null) return 'places left are no number';
	const word = rule.status === undefined ? '' : textBy(scope, rule.status, 40);
	if (rule.status !== undefined && word === '') return 'no status';
	const isUnknown = rule.status !== undefined && !isSlotStatus(word);
	const byPlaces: SlotStatus = left === 0 ? 'busy' : 'free';
	const status = rule.status === undefined ? byPlaces : isSlotStatus(word) ? word : 'busy';
	const remaining = status === 'free' ? (left ?? 1) : 0;
	const capacity = Math.max(placesBy(scope, rule.capacity) ?? left ?? 1, remaining, 1);
	return { status, remaining, capacity, isUnknown };
};

const readSlot = (scope: Scope, rule: MappedSlots, context: Context): PlacedRead['read'] => {
	const { notes } = context.source;
	const scheduleKey = rule.schedule === undefined ? ONLY_KEY : textBy(scope, rule.schedule);
	const schedule = context.byKey.get(scheduleKey);
	const bad = (reason: string): PlacedRead['read'] => ({
		kind: 'bad',
		reason,
		scheduleKey: schedule === undefined ? null : scheduleKey
	});
	if (scheduleKey === '') return bad('no schedule');
	const times = {
		zone: schedule === undefined ? (notes.zone ?? null) : schedule.zone,
		trustsWall: notes.trust === 'wall'
	};
	const span = spanBy(scope, rule, times);
	if (typeof span === 'string') return bad(span);
	const offer = offerBy(scope, rule);
	if (typeof offer === 'string') return bad(offer);
	const { isUnknown, ...places } = offer;
	const { startsAt, endsAt, isOffsetWrong } = span;
	const id = textBy(scope, rule.id) || `${scheduleKey} ${startsAt}`;
	const fact: SlotFact = {
		scheduleKey,
		startsAt,
		endsAt,
		service: textBy(scope, rule.service, 60),
		...places,
		sourceSlotId: id,
		version: textBy(scope, rule.version, 64),
		kinds: null,
		bookUrl: webAddressOf(textBy(scope, rule.bookUrl, 2_000)) ?? notes.bookUrl ?? null,
		bookPhone: textBy(scope, rule.bookPhone, 40) || null
	};
	return {
		kind: 'slot',
		fact,
		id,
		isOffsetWrong,
		isStatusUnknown: isUnknown,
		isOrphan: schedule === undefined
	};
};

/** Reads all pages of a vendor. Never throws. */
export const readMapped = (
	pages: readonly MappedPage[],
	mapping: Pick<Mapping, 'schedules' | 'slots'>,
	source: Context['source']
): MappedRead => {
	const { described, refused } = schedulesOf(pages, mapping.schedules, source);
	const context: Context = { source, byKey: described };
	const reads = [...refused];
	const counts: number[] = [];
	const rule = mapping.slots;
	for (const page of rule === undefined ? [] : pages) {
		const scopes = scopesOf(page.value, rule?.each ?? []);
		counts.push(scopes.length);
		for (const { scope, where } of scopes) {
			if (rule !== undefined)
				reads.push({ where: `${page.name} ${where}`, read: readSlot(scope, rule, context) });
		}
	}
	return { schedules: [...described.values()].map(({ fact }) => fact), reads, counts };
};
