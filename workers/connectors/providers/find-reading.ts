// Reads what `Appointment/$find` answers: proposed Appointments, in a Bundle, or in a Parameters
// around one. Pure; each proposal becomes a slot, or is refused with its reason.
import type { SlotFact } from '#domain/slot.ts';
import type { SourceSettings } from '#domain/source.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import { DAY_MS, parseOffsetInstant } from '#domain/time.ts';
import type { PlacedRead } from '../computed.ts';
import {
	codingsOf,
	isJson,
	listOf,
	referencesOf,
	textOf,
	webAddressOf,
	type Json
} from './fhir-shapes.ts';
import { notedSchedule } from './noted-schedule.ts';
import { MAX_SCHEDULES } from './schedule-facts.ts';

/** `Type/id` of a reference, however it is written; '' = it has none. */
const shortOf = (reference: string): string =>
	/(?:^|\/)([A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64})(?:\/_history\/[^/]*)?$/.exec(reference)?.[1] ?? '';

const actorsOf = (appointment: Json): readonly Json[] =>
	listOf(appointment['participant'])
		.map((participant) => participant['actor'])
		.filter(isJson);

const actorOfType = (appointment: Json, types: readonly string[]): Json | undefined => {
	for (const type of types) {
		const found = actorsOf(appointment).find((actor) =>
			shortOf(textOf(actor['reference'], 500)).startsWith(`${type}/`)
		);
		if (found !== undefined) return found;
	}
	return undefined;
};

/** Whose calendar a proposal is in: the Schedule of its contained Slots, else its first actor. */
export const scheduleKeyOfFound = (appointment: Json): string => {
	const slots = listOf(appointment['contained']).filter((each) => each['resourceType'] === 'Slot');
	const [schedule] = slots.flatMap((slot) => referencesOf(slot['schedule'])).map(shortOf);
	if (schedule !== undefined && schedule !== '') return schedule;
	const actor = actorOfType(appointment, [
		'PractitionerRole',
		'Practitioner',
		'HealthcareService',
		'Location',
		'Device'
	]);
	return shortOf(textOf(actor?.['reference'], 500));
};

const nameOf = (appointment: Json): string =>
	textOf(
		actorOfType(appointment, [
			'PractitionerRole',
			'Practitioner',
			'HealthcareService',
			'Location'
		])?.['display']
	);

const serviceOf = (appointment: Json): string => {
	const [concept] = listOf(appointment['serviceType']);
	if (concept === undefined) return '';
	const code = codingsOf(concept).find((coding) => coding.code !== '')?.code;
	return (code ?? textOf(concept['text'], 60)).slice(0, 60);
};

const readProposal = (appointment: Json, notes: SourceSettings['notes']): PlacedRead['read'] => {
	const scheduleKey = scheduleKeyOfFound(appointment);
	const bad = (reason: string): PlacedRead['read'] => ({
		kind: 'bad',
		reason,
		scheduleKey: scheduleKey === '' ? null : scheduleKey
	});
	if (appointment['status'] !== 'proposed') return bad('not a proposal');
	if (scheduleKey === '') return bad('nobody takes part');
	const [start, end] = [appointment['start'], appointment['end']].map((value) =>
		typeof value === 'string' ? (parseOffsetInstant(value)?.at ?? null) : null
	);
	if (start === null || start === undefined) return bad('start is not an instant');
	if (end === null || end === undefined) return bad('end is not an instant');
	if (end <= start) return bad('ends before it starts');
	if (end - start > 31 * DAY_MS) return bad('longer than a month');
	const service = serviceOf(appointment);
	// The id of a proposal may be another one at every asking: it is no name of the time.
	const sourceSlotId = `${scheduleKey} ${new Date(start).toISOString()} ${service}`.trim();
	const fact: SlotFact = {
		scheduleKey,
		startsAt: start,
		endsAt: end,
		service,
		status: 'free',
		capacity: 1,
		remaining: 1,
		sourceSlotId,
		version: '',
		kinds: null,
		bookUrl: webAddressOf(notes.bookUrl),
		bookPhone: null
	};
	return {
		kind: 'slot',
		fact,
		id: sourceSlotId,
		isOffsetWrong: false,
		isStatusUnknown: false,
		isOrphan: false
	};
};

/** The Bundle of an answer, bare or as a parameter; null = there is none. */
export const bundleOf = (answer: unknown): Json | null => {
	if (!isJson(answer)) return null;
	if (answer['resourceType'] === 'Bundle') return answer;
	if (answer['resourceType'] !== 'Parameters') return null;
	const inner = listOf(answer['parameter']).map((parameter) => parameter['resource']);
	return inner.filter(isJson).find((resource) => resource['resourceType'] === 'Bundle') ?? null;
};

/** The Appointments of an answer: of a Bundle, of Parameters, or itself. */
export const appointmentsOf = (answer: unknown): Json[] => {
	const bundle = bundleOf(answer);
	const inner = isJson(answer) ? listOf(answer['parameter']).map((each) => each['resource']) : [];
	const resources =
		bundle === null ? [answer, ...inner] : listOf(bundle['entry']).map((each) => each['resource']);
	return resources.filter(isJson).filter((each) => each['resourceType'] === 'Appointment');
};

export type FoundTimes = {
	readonly reads: readonly PlacedRead[];
	readonly schedules: readonly ScheduleFact[];
};

/** Reads all answers of one poll. `known`: schedules that are there even without a free time. */
export const readFound = (
	answers: readonly unknown[],
	source: Pick<SourceSettings, 'name' | 'notes'>,
	known: readonly string[]
): FoundTimes => {
	const schedules = new Map(known.map((key) => [key, notedSchedule(source, { key })]));
	const reads: PlacedRead[] = [];
	for (const [page, answer] of answers.entries()) {
		for (const [at, appointment] of appointmentsOf(answer).entries()) {
			const read = readProposal(appointment, source.notes);
			reads.push({ where: `answer ${page + 1} proposal ${at + 1}`, read });
			if (read.kind !== 'slot') continue;
			const key = read.fact.scheduleKey;
			const name = nameOf(appointment);
			const isNamed = schedules.get(key)?.practitionerName === name || name === '';
			if (schedules.has(key) && isNamed) continue;
			if (schedules.size >= MAX_SCHEDULES && !schedules.has(key)) continue;
			const noted = notedSchedule(source, { key });
			schedules.set(key, { ...noted, practitionerName: name || noted.practitionerName });
		}
	}
	const sorted = [...schedules.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
	return { reads, schedules: sorted };
};
