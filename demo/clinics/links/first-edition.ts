// What a publisher of SMART Scheduling Links 1.0 can say: places and schedules, nothing about who
// sees the patient, how, in which zone, or who pays. The rest is in the operator's notes.
import { specialtyOf } from '../codes.ts';
import { fullName } from '../people.ts';
import type { Practitioner } from '../practitioner.ts';
import { contactOf, identifierSystem, scheduleId } from '../records.ts';
import type { DirectoryRecord } from '../wire.ts';
import type { Organisation } from '../world.ts';

const locationId = (person: Practitioner): string => `${person.id}-loc`;

/** One bookable place for each clinician, named after them: 1.0 has no other place for a name. */
const locationRecord = (org: Organisation, person: Practitioner): DirectoryRecord => ({
	resourceType: 'Location',
	id: locationId(person),
	identifier: [{ system: identifierSystem(org), value: locationId(person) }],
	name: `${fullName(person.name)} at ${org.profile.name}`,
	...contactOf(org, person)
});

const scheduleRecord = (org: Organisation, person: Practitioner): DirectoryRecord => {
	const { serviceType, coding } = specialtyOf(person.specialtyId);
	return {
		resourceType: 'Schedule',
		id: scheduleId(person.id),
		identifier: [{ system: identifierSystem(org), value: scheduleId(person.id) }],
		actor: [{ reference: `Location/${locationId(person)}`, display: fullName(person.name) }],
		serviceType: [{ coding: [serviceType, coding] }]
	};
};

/** All records of a 1.0 publisher but the slots. */
export const firstEditionRecords = (org: Organisation): DirectoryRecord[] =>
	org.practitioners.flatMap((person) => [locationRecord(org, person), scheduleRecord(org, person)]);
