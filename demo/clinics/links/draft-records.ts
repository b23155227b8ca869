// What a publisher of the 2026 draft says besides slots: the FHIR directory, with virtual places,
// a specialty on each Schedule, and actors that can be read without following them.
import { must } from '#domain/result.ts';
import { modalityOf } from '../codes.ts';
import type { Practitioner } from '../practitioner.ts';
import { directoryOf } from '../records.ts';
import type { DirectoryRecord, Extension } from '../wire.ts';
import type { Organisation } from '../world.ts';

export const linksExtension = 'http://fhir-registry.smarthealthit.org/StructureDefinition';

/** R5's Location.virtualService, in R4 by the cross-version extension. */
const virtualService = (person: Practitioner): Extension[] =>
	person.visitKinds.map((kind) => ({
		url: 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Location.virtualService',
		extension: [
			{ url: '_datatype', valueString: 'VirtualServiceDetail' },
			{ url: 'channelType', valueCoding: modalityOf(kind) }
		]
	}));

const roomId = (org: Organisation, kinds: readonly string[], siteId: string): string =>
	`${siteId.replace('-site-', '-virtual-')}-${kinds.join('-')}`.slice(0, 64) || org.code;

/** The place of a Schedule: the site it belongs to, met over video, telephone or chat. */
const virtualRoom = (
	org: Organisation,
	person: Practitioner,
	site: DirectoryRecord
): DirectoryRecord => {
	const id = roomId(org, person.visitKinds, site.id);
	return {
		...site,
		id,
		identifier: [{ system: must(site.identifier?.[0]).system, value: id }],
		extension: [...(site.extension ?? []), ...virtualService(person)],
		physicalType: {
			coding: [
				{
					system: 'http://terminology.hl7.org/CodeSystem/location-physical-type',
					code: 'vi',
					display: 'Virtual'
				}
			]
		}
	};
};

const withSpecialty = (
	org: Organisation,
	schedule: DirectoryRecord,
	room: DirectoryRecord
): DirectoryRecord => {
	const role = must(
		schedule.actor?.find(({ reference }) => reference.startsWith('PractitionerRole/'))
	);
	const { specialty, actor: _, ...rest } = schedule;
	return {
		...rest,
		extension: (specialty ?? []).flatMap(({ coding }) =>
			coding.map((valueCoding) => ({ url: `${linksExtension}/specialty`, valueCoding }))
		),
		actor: [role, { reference: `Location/${room.id}`, display: org.profile.name }]
	};
};

/** All directory records of a draft publisher. Every reference among them resolves. */
export const draftRecords = (org: Organisation, startAt: number): DirectoryRecord[] => {
	const directory = directoryOf(org, startAt);
	const made = new Map(directory);
	for (const person of org.practitioners) {
		const key = `Schedule/${person.id}-sch`;
		const schedule = must(directory.get(key), key);
		const place = must(schedule.actor?.find(({ reference }) => reference.startsWith('Location/')));
		const room = virtualRoom(org, person, must(directory.get(place.reference), 'site'));
		made.set(`Location/${room.id}`, room);
		made.set(key, withSpecialty(org, schedule, room));
	}
	return [...made.values()].map(({ meta: _, ...record }) => record);
};
