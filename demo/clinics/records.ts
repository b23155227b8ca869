// The clinic's directory as FHIR R4 resources: organisation, places, people, roles, services and
// schedules. Both protocols publish these; what a 1.0 publisher can say is in links/first-edition.
import { must } from '#domain/result.ts';
import { languageNames, modalityOf, planTypeOf, regionOf, specialtyOf } from './codes.ts';
import { fictionPhone, placeOf } from './geography.ts';
import type { Network } from './networks.ts';
import { networkOf } from './networks.ts';
import { fullName } from './people.ts';
import type { Practitioner } from './practitioner.ts';
import { instantText } from './zones.ts';
import type { CodeableConcept, Coding, DirectoryRecord, Extension, Meta } from './wire.ts';
import type { Organisation } from './world.ts';
import { WINDOW_MS } from './world.ts';

const planNet = 'http://hl7.org/fhir/us/davinci-pdex-plan-net/StructureDefinition';
const physicalType = 'http://terminology.hl7.org/CodeSystem/location-physical-type';

export const identifierSystem = (org: Organisation): string =>
	`https://${org.profile.key}.example/ids`;

const concept = (...coding: Coding[]): CodeableConcept => ({ coding });

const timeZoneExtension = (timeZone: string): Extension => ({
	url: 'http://hl7.org/fhir/StructureDefinition/timezone',
	valueCode: timeZone
});

const orgId = (org: Organisation): string => `${org.code}-org`;
const networkId = (org: Organisation, network: Network): string => `${org.code}-net-${network.id}`;
const licenceId = (org: Organisation, usps: string): string =>
	`${org.code}-lic-${usps.toLowerCase()}`;

const siteId = (org: Organisation, person: Practitioner): string =>
	`${org.code}-site-${person.home.toLowerCase()}-${must(person.timeZone.split('/').at(-1)).toLowerCase().replaceAll('_', '-')}`;

export const scheduleId = (practitionerId: string): string => `${practitionerId}-sch`;
export const roleId = (practitionerId: string): string => `${practitionerId}-role`;

const serviceKey = (person: Practitioner): string =>
	[person.specialtyId, person.visitKinds.join('+'), person.networkIds.join('+')].join('/');

const organizationRecord = (org: Organisation): DirectoryRecord => ({
	resourceType: 'Organization',
	id: orgId(org),
	identifier: [{ system: identifierSystem(org), value: org.profile.key }],
	active: true,
	type: [
		concept({
			system: 'http://terminology.hl7.org/CodeSystem/organization-type',
			code: 'prov',
			display: 'Healthcare Provider'
		})
	],
	name: org.profile.name,
	telecom: [{ system: 'url', value: `https://${org.profile.key}.example/` }]
});

const networkRecord = (org: Organisation, network: Network): DirectoryRecord => ({
	resourceType: 'Organization',
	id: networkId(org, network),
	active: true,
	type: [
		concept({
			system: 'http://hl7.org/fhir/us/davinci-pdex-plan-net/CodeSystem/OrgTypeCS',
			code: 'ntwk',
			display: 'Network'
		})
	],
	name: network.name
});

const planRecord = (org: Organisation, network: Network): DirectoryRecord => ({
	resourceType: 'InsurancePlan',
	id: `${org.code}-plan-${network.id}`,
	status: 'active',
	type: network.planTypes.map((id) => concept(planTypeOf(id))),
	name: network.name,
	network: [{ reference: `Organization/${networkId(org, network)}`, display: network.name }]
});

/** Where a practitioner can be reached: the same in every edition. */
export const contactOf = (org: Organisation, person: Practitioner) => {
	const { town, postcode } = placeOf(person.home);
	return {
		telecom: [
			{ system: 'phone' as const, value: fictionPhone(person.home, 10) },
			{ system: 'url' as const, value: `https://${org.profile.key}.example/` }
		],
		address: {
			line: ['1 Main Street'],
			city: town,
			state: person.home,
			postalCode: postcode,
			country: 'US'
		}
	};
};

const siteRecord = (org: Organisation, person: Practitioner): DirectoryRecord => {
	const { town } = placeOf(person.home);
	return {
		resourceType: 'Location',
		id: siteId(org, person),
		extension: [timeZoneExtension(person.timeZone)],
		identifier: [{ system: identifierSystem(org), value: siteId(org, person) }],
		status: 'active',
		name: `${org.profile.name}, ${town}`,
		mode: 'instance',
		...contactOf(org, person),
		physicalType: concept({ system: physicalType, code: 'si', display: 'Site' }),
		managingOrganization: { reference: `Organization/${orgId(org)}` }
	};
};

/** A region of licence: where the patient may be. */
const licenceRecord = (org: Organisation, usps: string): DirectoryRecord => ({
	resourceType: 'Location',
	id: licenceId(org, usps),
	identifier: [{ system: identifierSystem(org), value: licenceId(org, usps) }],
	status: 'active',
	name: regionOf(usps).name,
	mode: 'kind',
	address: { state: usps, country: 'US' },
	physicalType: concept({ system: physicalType, code: 'jdn', display: 'Jurisdiction' }),
	managingOrganization: { reference: `Organization/${orgId(org)}` }
});

const practitionerRecord = (person: Practitioner): DirectoryRecord => ({
	resourceType: 'Practitioner',
	id: person.id,
	extension: [timeZoneExtension(person.timeZone)],
	identifier: [{ system: 'http://hl7.org/fhir/sid/us-npi', value: person.npi }],
	active: true,
	name: [
		{
			use: 'official',
			text: fullName(person.name),
			family: person.name.family,
			given: [person.name.given],
			suffix: [person.name.credential]
		}
	],
	communication: person.languages.map((code) =>
		concept({ system: 'urn:ietf:bcp:47', code, display: languageNames[code] ?? code })
	)
});

const roleRecord = (
	org: Organisation,
	person: Practitioner,
	serviceId: string
): DirectoryRecord => ({
	resourceType: 'PractitionerRole',
	id: roleId(person.id),
	extension: person.networkIds.map(networkOf).map((network) => ({
		url: `${planNet}/network-reference`,
		valueReference: {
			reference: `Organization/${networkId(org, network)}`,
			display: network.name
		}
	})),
	active: true,
	practitioner: { reference: `Practitioner/${person.id}`, display: fullName(person.name) },
	organization: { reference: `Organization/${orgId(org)}`, display: org.profile.name },
	specialty: [concept(specialtyOf(person.specialtyId).coding)],
	location: person.regions.map((usps) => ({
		reference: `Location/${licenceId(org, usps)}`,
		display: regionOf(usps).name
	})),
	healthcareService: [{ reference: `HealthcareService/${serviceId}` }]
});

const serviceRecord = (
	org: Organisation,
	person: Practitioner,
	serviceId: string
): DirectoryRecord => ({
	resourceType: 'HealthcareService',
	id: serviceId,
	extension: [
		{
			url: `${planNet}/delivery-method`,
			extension: [
				{
					url: 'type',
					valueCodeableConcept: concept({
						system: 'http://terminology.hl7.org/CodeSystem/service-delivery-method',
						code: 'virtual',
						display: 'Virtual'
					})
				},
				...person.visitKinds.map((kind) => ({
					url: 'virtualModalities',
					valueCodeableConcept: concept(modalityOf(kind))
				}))
			]
		}
	],
	active: true,
	providedBy: { reference: `Organization/${orgId(org)}`, display: org.profile.name },
	type: [concept(specialtyOf(person.specialtyId).serviceType)],
	specialty: [concept(specialtyOf(person.specialtyId).coding)],
	location: [{ reference: `Location/${siteId(org, person)}` }],
	name: `${specialtyOf(person.specialtyId).name} at ${org.profile.name}`,
	comment: `Insurance accepted: ${person.networkIds.map((id) => networkOf(id).name).join('; ')}.`,
	telecom: [{ system: 'phone', value: fictionPhone(person.home, 11) }]
});

const scheduleRecord = (
	org: Organisation,
	person: Practitioner,
	serviceId: string,
	startAt: number
): DirectoryRecord => ({
	resourceType: 'Schedule',
	id: scheduleId(person.id),
	identifier: [{ system: identifierSystem(org), value: scheduleId(person.id) }],
	active: true,
	serviceType: [concept(specialtyOf(person.specialtyId).serviceType)],
	specialty: [concept(specialtyOf(person.specialtyId).coding)],
	actor: [
		{ reference: `PractitionerRole/${roleId(person.id)}`, display: fullName(person.name) },
		{ reference: `HealthcareService/${serviceId}`, display: specialtyOf(person.specialtyId).name },
		{ reference: `Location/${siteId(org, person)}`, display: org.profile.name }
	],
	planningHorizon: {
		start: instantText(person.timeZone, startAt),
		end: instantText(person.timeZone, startAt + WINDOW_MS)
	}
});

const personRecords = (
	org: Organisation,
	person: Practitioner,
	serviceId: string,
	startAt: number
): DirectoryRecord[] => [
	siteRecord(org, person),
	...person.regions.map((usps) => licenceRecord(org, usps)),
	...person.networkIds
		.map(networkOf)
		.flatMap((network) => [networkRecord(org, network), planRecord(org, network)]),
	practitionerRecord(person),
	serviceRecord(org, person, serviceId),
	roleRecord(org, person, serviceId),
	scheduleRecord(org, person, serviceId, startAt)
];

/** All directory resources of a clinic, each once, by `Type/id`. */
export const directoryOf = (
	org: Organisation,
	startAt: number
): ReadonlyMap<string, DirectoryRecord> => {
	const services = new Map<string, string>();
	const meta: Meta = { versionId: '1', lastUpdated: new Date(startAt).toISOString() };
	const records = org.practitioners.flatMap((person) => {
		const key = serviceKey(person);
		const serviceId = services.get(key) ?? `${org.code}-hs-${services.size + 1}`;
		services.set(key, serviceId);
		return personRecords(org, person, serviceId, startAt);
	});
	return new Map(
		[organizationRecord(org), ...records].map((record) => [
			`${record.resourceType}/${record.id}`,
			{ ...record, meta }
		])
	);
};
