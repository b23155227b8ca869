// Who and what a Schedule is about: its actors and what they refer to, found in the directory of one
// source. A PractitionerRole leads to the person, the service, the places and the organisation.
import type { Directory } from './directory.ts';
import { codingsOf, referencesOf, type Json } from './fhir-shapes.ts';

/** Everybody and everything a Schedule's slots are about, references followed. */
export type Actors = {
	readonly roles: readonly Json[];
	readonly people: readonly Json[];
	readonly services: readonly Json[];
	readonly places: readonly Json[];
	/** Places of licence: physical type `jdn`. */
	readonly licences: readonly Json[];
	readonly organizations: readonly Json[];
};

const isType =
	(type: string) =>
	(resource: Json): boolean =>
		resource['resourceType'] === type;

const isLicence = (place: Json): boolean =>
	codingsOf(place['physicalType']).some(({ code }) => code === 'jdn');

const follow = (directory: Directory, values: readonly unknown[]): Json[] =>
	values
		.flatMap(referencesOf)
		.map(directory.resolve)
		.filter((resource) => resource !== undefined);

export const actorsOf = (schedule: Json, directory: Directory): Actors => {
	const direct = follow(directory, [schedule['actor']]);
	const roles = direct.filter(isType('PractitionerRole'));
	const services = [
		...direct.filter(isType('HealthcareService')),
		...follow(
			directory,
			roles.map((role) => role['healthcareService'])
		)
	];
	const people = [
		...direct.filter(isType('Practitioner')),
		...follow(
			directory,
			roles.map((role) => role['practitioner'])
		)
	];
	const places = [
		...direct.filter(isType('Location')),
		...follow(
			directory,
			[...roles, ...services].flatMap((each) => [each['location'], each['coverageArea']])
		)
	];
	const sites = places.filter((place) => !isLicence(place));
	const organizations = follow(directory, [
		...roles.map((role) => role['organization']),
		...services.map((service) => service['providedBy']),
		...sites.map((place) => place['managingOrganization'])
	]);
	return {
		roles,
		people,
		services,
		places: sites,
		licences: places.filter(isLicence),
		organizations
	};
};
