// The schedule of a source that describes none: all of it is the operator's word.
import { findSpecialty } from '#domain/codes.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import type { SourceSettings } from '#domain/source.ts';
import { sortedUnique } from './fhir-shapes.ts';

/** `over`: what the source says after all. */
export const notedSchedule = (
	source: Pick<SourceSettings, 'name' | 'notes'>,
	over: Pick<ScheduleFact, 'key'> & Partial<ScheduleFact>
): ScheduleFact => {
	const { notes, name } = source;
	return {
		practitionerName: notes.practitionerName ?? name,
		practitionerNpi: null,
		organizationName: notes.organizationName ?? name,
		specialtyIds: sortedUnique((notes.specialtyIds ?? []).filter((id) => findSpecialty(id))),
		regions: sortedUnique(notes.regions ?? []),
		kinds: sortedUnique(notes.kinds ?? []),
		languages: sortedUnique(notes.languages ?? []),
		planIds: notes.planIds === undefined ? null : sortedUnique(notes.planIds),
		zone: notes.zone ?? 'UTC',
		phone: notes.phone ?? null,
		...over
	};
};
