// Makes SlotFacts of FHIR R4 Slots, whether they come as NDJSON or in a Bundle: statuses by
// allow-list, instants checked against the zone, capacity, links and numbers to book by.
import type { AnswerFlags } from '#domain/answer.ts';
import type { VisitKind } from '#domain/codes.ts';
import { isSlotStatus, type SlotFact } from '#domain/slot.ts';
import type { SourceSettings } from '#domain/source.ts';
import { DAY_MS, MINUTE_MS, parseOffsetInstant, toInstant, type Instant } from '#domain/time.ts';
import { instantOfWall, offsetMinutesAt, wallTimeAt } from '#domain/zone.ts';
import type { SlotRead, SlotReader } from '../ledger.ts';
import type { Directory } from './directory.ts';
import {
	codingsOf,
	extensionsOf,
	isJson,
	listOf,
	sortedUnique,
	textOf,
	webAddressOf,
	type Json
} from './fhir-shapes.ts';
import { kindsOfExtensions, type DescribedSchedule } from './schedule-facts.ts';

const smart = 'http://fhir-registry.smarthealthit.org/StructureDefinition/';
const LONGEST_SLOT_MS = 31 * DAY_MS;
const MAX_CAPACITY = 100_000;

type When = { readonly at: Instant; readonly isOffsetWrong: boolean };

type ZoneRule = { readonly candidates: readonly string[]; readonly trustsWall: boolean };

/** UTC written as such claims nothing about local time; where the zone is near UTC it does. */
const isClaim = (text: string, offset: number, zoneOffset: number): boolean =>
	!text.endsWith('Z') && (offset !== 0 || Math.abs(zoneOffset) <= 60);

/** Reads an instant; null when it is none. With `trustsWall` a wrong offset is repaired. */
export const readWhen = (value: unknown, rule: ZoneRule): When | null => {
	if (typeof value !== 'string') return null;
	const parsed = parseOffsetInstant(value);
	if (parsed === null) return null;
	const { at, offsetMinutes } = parsed;
	const zone = rule.candidates[0];
	if (zone === undefined) return { at, isOffsetWrong: false };
	const offsets = rule.candidates.map((each) => offsetMinutesAt(at, each));
	if (offsets.includes(offsetMinutes)) return { at, isOffsetWrong: false };
	if (rule.trustsWall) {
		const wall = wallTimeAt(toInstant(at + offsetMinutes * MINUTE_MS), 'UTC');
		return { at: instantOfWall(wall, zone), isOffsetWrong: true };
	}
	return { at, isOffsetWrong: isClaim(value, offsetMinutes, offsets[0] ?? 0) };
};

/** `slot-capacity` as a number or, as CVS sends it, a numeric string; 1 when absent or odd. */
const placesOf = (slot: Json): number => {
	const [extension] = extensionsOf(slot, (url) => url === `${smart}slot-capacity`);
	const value = extension?.['valueInteger'] ?? extension?.['valueString'];
	const places = typeof value === 'string' && /^\s*\d{1,9}\s*$/.test(value) ? Number(value) : value;
	if (typeof places !== 'number' || !Number.isInteger(places) || places < 0) return 1;
	return Math.min(places, MAX_CAPACITY);
};

const valueOfExtension = (slot: Json, name: string, value: string): unknown =>
	extensionsOf(slot, (url) => url === `${smart}${name}`)[0]?.[value];

const channelKinds: Readonly<Record<string, VisitKind>> = {
	telephone: 'phone',
	phone: 'phone',
	video: 'video',
	'video-call': 'video'
};

/** How this very slot is held: UK Core delivery channel, or a delivery method as on services. */
const kindsOf = (slot: Json): VisitKind[] | null => {
	const channels = extensionsOf(slot, (url) => /DeliveryChannel$/i.test(url))
		.map((each) => channelKinds[textOf(each['valueCode'], 40).toLowerCase()])
		.filter((kind) => kind !== undefined);
	const kinds = sortedUnique([...channels, ...kindsOfExtensions(slot)]);
	return kinds.length === 0 ? null : kinds;
};

const serviceOf = (slot: Json): string => {
	const [concept] = listOf(slot['serviceType']);
	if (concept === undefined) return '';
	const code = codingsOf(concept).find((coding) => coding.code !== '')?.code;
	return (code ?? textOf(concept['text'], 60)).slice(0, 60);
};

const versionOf = (slot: Json): string =>
	isJson(slot['meta']) ? textOf(slot['meta']['versionId'], 64) : '';

export type SlotContext = {
	readonly directory: Directory;
	readonly schedules: ReadonlyMap<string, DescribedSchedule>;
	readonly notes: SourceSettings['notes'];
};

const bad = (reason: string, scheduleKey: string | null): SlotRead => ({
	kind: 'bad',
	reason,
	scheduleKey
});

const factOf = (
	slot: Json,
	basic: Pick<SlotFact, 'scheduleKey' | 'startsAt' | 'endsAt' | 'sourceSlotId'>
): SlotFact => {
	const status = isSlotStatus(slot['status']) ? slot['status'] : 'busy';
	const places = placesOf(slot);
	const phone = textOf(valueOfExtension(slot, 'booking-phone', 'valueString'), 40);
	return {
		...basic,
		service: serviceOf(slot),
		status,
		capacity: Math.max(places, 1),
		remaining: status === 'free' ? places : 0,
		version: versionOf(slot),
		kinds: kindsOf(slot),
		bookUrl: webAddressOf(valueOfExtension(slot, 'booking-deep-link', 'valueUrl')),
		bookPhone: phone === '' ? null : phone
	};
};

const readOne = (slot: Json, context: SlotContext): SlotRead => {
	const reference = isJson(slot['schedule']) ? textOf(slot['schedule']['reference'], 500) : '';
	if (reference === '') return bad('no schedule', null);
	const scheduleKey = context.directory.scheduleKeyOf(reference);
	const id = textOf(slot['id']);
	if (id === '') return bad('no id', scheduleKey);
	if (typeof slot['status'] !== 'string') return bad('no status', scheduleKey);
	const schedule = context.schedules.get(scheduleKey);
	const rule = {
		candidates: schedule?.zone.candidates ?? [],
		trustsWall: context.notes.trust === 'wall'
	};
	const start = readWhen(slot['start'], rule);
	const end = readWhen(slot['end'], rule);
	if (start === null) return bad('start is not an instant', scheduleKey);
	if (end === null) return bad('end is not an instant', scheduleKey);
	const length = end.at - start.at;
	if (length <= 0) return bad('ends before it starts', scheduleKey);
	if (length > LONGEST_SLOT_MS) return bad('longer than a month', scheduleKey);
	return {
		kind: 'slot',
		fact: factOf(slot, { scheduleKey, startsAt: start.at, endsAt: end.at, sourceSlotId: id }),
		id,
		isOffsetWrong: start.isOffsetWrong || end.isOffsetWrong,
		isStatusUnknown: !isSlotStatus(slot['status']),
		isOrphan: schedule === undefined
	};
};

const REFERENCES = /"reference"\s*:\s*"([^"\\]{0,500})"/g;

const signatureOf = ({ schedules, notes }: SlotContext): string =>
	JSON.stringify([
		notes.trust ?? 'instant',
		[...schedules].map(([key, { zone }]) => JSON.stringify([key, zone.candidates])).toSorted()
	]);

/**
 * A reader of Slots. `place` tells where they come from: a file of nothing but Slots (anything else
 * is bad) or the entries of a Bundle, each with its resource inside.
 */
export const createSlotReader = (context: SlotContext, place: 'file' | 'bundle'): SlotReader => ({
	isStrict: place === 'bundle',
	signature: signatureOf(context),
	read: (record) => {
		const resource = place === 'bundle' && isJson(record) ? record['resource'] : record;
		if (!isJson(resource)) return bad('no resource', null);
		if (resource['resourceType'] === 'Slot') return readOne(resource, context);
		return place === 'bundle' ? { kind: 'other' } : bad('not a Slot', null);
	},
	guessSchedule: (raw) => {
		// A break can lie inside the reference itself, and a lost line feed makes one piece of two
		// records: only one reference, of a schedule that is described, tells whose slot it was.
		const references = new Set([...raw.matchAll(REFERENCES)].map(([, text = '']) => text));
		const [reference, ...others] = references;
		if (reference === undefined || others.length > 0) return null;
		const key = context.directory.scheduleKeyOf(reference);
		return context.schedules.has(key) ? key : null;
	}
});

/** Why an answer cannot be used although it came whole, in one sentence; or null. */
export const uselessness = (flags: AnswerFlags): string | null => {
	if (flags.badRecords * 2 > flags.records) return 'Most of the slots could not be read.';
	if (flags.records > 0 && flags.orphans === flags.records) {
		return 'No slot belongs to a schedule that the source describes.';
	}
	return null;
};
