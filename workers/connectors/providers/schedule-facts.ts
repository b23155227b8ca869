// Makes ScheduleFacts of what a source describes: Schedule and its actors (PractitionerRole,
// Practitioner, HealthcareService, Location, Organization, InsurancePlan). Where the source is
// silent the operator's notes speak; where both are, the fact stays unknown.
import {
	findSpecialty,
	planTypes,
	specialtyOfCoding,
	visitKindOfCoding,
	type Coding,
	type Region,
	type VisitKind
} from '#domain/codes.ts';
import { isNpi } from '#domain/npi.ts';
import { sameSchedule, type ScheduleFact } from '#domain/schedule.ts';
import type { SourceSettings } from '#domain/source.ts';
import type { Directory } from './directory.ts';
import {
	codingsOf,
	extensionsOf,
	firstPhone,
	listOf,
	referencesOf,
	sortedUnique,
	textOf,
	type Json
} from './fhir-shapes.ts';
import { actorsOf, type Actors } from './schedule-actors.ts';
import { regionOfText, zoneOfSchedule, type ScheduleZone } from './schedule-zone.ts';

export type DescribedSchedule = {
	readonly fact: ScheduleFact;
	readonly zone: ScheduleZone;
	/** `has-availability` of SMART Scheduling Links, or null. */
	readonly availability: 'some' | 'none' | 'unknown' | null;
};

/** More schedules than this of one source are not taken in. */
export const MAX_SCHEDULES = 20_000;

const smart = 'http://fhir-registry.smarthealthit.org/StructureDefinition/';

const nameOfPerson = (person: Json): string => {
	const names = listOf(person['name']);
	const name = names.find((each) => each['use'] === 'official') ?? names[0];
	if (name === undefined) return '';
	const told = textOf(name['text']);
	if (told !== '') return told;
	const words = (part: unknown): string[] =>
		Array.isArray(part) ? part.map((w) => textOf(w)) : [];
	const parts = [...words(name['prefix']), ...words(name['given']), textOf(name['family'])];
	const suffix = words(name['suffix']).filter((word) => word !== '');
	const plain = parts.filter((word) => word !== '').join(' ');
	return suffix.length === 0 ? plain : `${plain}, ${suffix.join(', ')}`;
};

const displaysOf = (value: unknown, prefix: string): string[] =>
	listOf(value)
		.filter((each) => textOf(each['reference'], 500).includes(prefix))
		.map((each) => textOf(each['display']));

const firstText = (texts: readonly string[]): string => texts.find((text) => text !== '') ?? '';

const practitionerNameOf = (schedule: Json, actors: Actors, fallback: string): string =>
	firstText([
		...actors.people.map(nameOfPerson),
		...actors.roles.flatMap((role) => displaysOf(role['practitioner'], '')),
		...displaysOf(schedule['actor'], 'Practitioner'),
		...displaysOf(schedule['actor'], 'Location/'),
		...actors.services.map((service) => textOf(service['name'])),
		...actors.places.map((place) => textOf(place['name'])),
		fallback
	]);

const npiOf = (actors: Actors): string | null => {
	const identifiers = [...actors.people, ...actors.roles].flatMap((each) =>
		listOf(each['identifier'])
	);
	for (const each of identifiers) {
		const value = textOf(each['value'], 20);
		if (each['system'] === 'http://hl7.org/fhir/sid/us-npi' && isNpi(value)) return value;
	}
	return null;
};

const listsOfCodings = (value: unknown): readonly (readonly Coding[])[] =>
	listOf(value).map((concept) => codingsOf(concept));

/** Of several codings of one concept the taxonomy's counts before the coarser service type. */
const mappedSpecialties = (codings: readonly Coding[]): string[] => {
	const isCoarse = (coding: Coding): boolean => coding.system?.endsWith('/service-type') === true;
	for (const some of [codings.filter((each) => !isCoarse(each)), codings]) {
		const found = some.map(specialtyOfCoding).filter((id) => id !== undefined);
		if (found.length > 0) return found;
	}
	return [];
};

const specialtiesOf = (
	schedule: Json,
	actors: Actors,
	notes: SourceSettings['notes']
): string[] => {
	const own = [
		schedule['specialty'],
		...extensionsOf(schedule, (url) => url === `${smart}specialty`).map(
			(each) => each['valueCoding']
		),
		...actors.roles.map((role) => role['specialty'])
	];
	const ofService = [
		schedule['serviceType'],
		...actors.services.flatMap((service) => [service['specialty'], service['type']])
	];
	// The person's own specialty counts before the broader service they work in.
	for (const values of [own, ofService]) {
		const found = values.flatMap(listsOfCodings).flatMap(mappedSpecialties);
		if (found.length > 0) return sortedUnique(found);
	}
	return sortedUnique((notes.specialtyIds ?? []).filter((id) => findSpecialty(id) !== undefined));
};

const statesOf = (places: readonly Json[]): Region[] =>
	places
		.flatMap((place) => listOf(place['address']))
		.map((address) => regionOfText(textOf(address['state'], 60)))
		.filter((region) => region !== undefined);

/** A licence counts before the operator's word, and that before the address of a building. */
const regionsOf = (actors: Actors, notes: SourceSettings['notes']): string[] => {
	const licensed = statesOf(actors.licences);
	if (licensed.length > 0) return sortedUnique(licensed.map(({ code }) => code));
	if (notes.regions !== undefined) return sortedUnique(notes.regions);
	return sortedUnique(statesOf(actors.places).map(({ code }) => code));
};

const kindsIn = (extension: Json): VisitKind[] => {
	const own = codingsOf(extension['valueCodeableConcept'] ?? extension['valueCoding'] ?? []);
	const found = own.map(visitKindOfCoding).filter((kind) => kind !== undefined);
	return [...found, ...listOf(extension['extension']).flatMap(kindsIn)];
};

/** Delivery method of a service (Plan-Net, NDH) and virtual service of a place (R5 on R4). */
export const kindsOfExtensions = (resource: Json): VisitKind[] =>
	extensionsOf(resource, (url) => /delivery-method|virtualService/i.test(url)).flatMap(kindsIn);

const kindsOf = (schedule: Json, actors: Actors, notes: SourceSettings['notes']): VisitKind[] => {
	const described = [schedule, ...actors.roles, ...actors.services, ...actors.places];
	const told = described.flatMap(kindsOfExtensions);
	return sortedUnique(told.length > 0 ? told : (notes.kinds ?? []));
};

const languagesOf = (actors: Actors, notes: SourceSettings['notes']): string[] => {
	const told = [...actors.people, ...actors.services]
		.flatMap((each) => codingsOf(each['communication']))
		.map(({ code }) => (code ?? '').toLowerCase().split(/[-_]/)[0] ?? '')
		.filter((tag) => /^[a-z]{2,3}$/.test(tag));
	return sortedUnique(told.length > 0 ? told : (notes.languages ?? []));
};

const planByCoding = new Map<string, string>();
for (const plan of planTypes) {
	planByCoding.set(`${plan.system}|${plan.code}`, plan.id);
	if ('v3ActCode' in plan && plan.v3ActCode !== undefined) {
		planByCoding.set(`${plan.v3ActCode.system}|${plan.v3ActCode.code}`, plan.id);
	}
}

/** Network reference (`Organization/…`) → plan types of the InsurancePlans that use it. */
export const planTypesByNetwork = (
	directory: Directory
): ReadonlyMap<string, readonly string[]> => {
	const byNetwork = new Map<string, string[]>();
	for (const plan of directory.ofType('InsurancePlan')) {
		const parts = [plan, ...listOf(plan['plan'])];
		const types = parts
			.flatMap((part) => codingsOf(part['type']))
			.map(({ system, code }) => planByCoding.get(`${system}|${code}`))
			.filter((id) => id !== undefined);
		for (const network of parts.flatMap((part) => referencesOf(part['network']))) {
			byNetwork.set(network, [...(byNetwork.get(network) ?? []), ...types]);
		}
	}
	return byNetwork;
};

type Context = {
	readonly directory: Directory;
	readonly source: Pick<SourceSettings, 'name' | 'notes'>;
	readonly plans: ReadonlyMap<string, readonly string[]>;
};

const plansOf = (actors: Actors, { plans, source }: Context): string[] | null => {
	const networks = actors.roles
		.flatMap((role) => extensionsOf(role, (url) => url.endsWith('/network-reference')))
		.flatMap((extension) => referencesOf(extension['valueReference']));
	const told = networks.flatMap((network) => plans.get(network) ?? []);
	if (told.length > 0) return sortedUnique(told);
	return source.notes.planIds === undefined ? null : sortedUnique(source.notes.planIds);
};

const availabilityOf = (schedule: Json): DescribedSchedule['availability'] => {
	const [extension] = extensionsOf(schedule, (url) => url === `${smart}has-availability`);
	const code = extension?.['valueCode'];
	return code === 'some' || code === 'none' || code === 'unknown' ? code : null;
};

const describe = (schedule: Json, context: Context): DescribedSchedule => {
	const { source, directory } = context;
	const actors = actorsOf(schedule, directory);
	const { roles, people, services, places, organizations } = actors;
	const zone = zoneOfSchedule(
		[schedule, ...places, ...people, ...roles, ...services],
		statesOf(places),
		source.notes
	);
	const fact: ScheduleFact = {
		key: textOf(schedule['id']),
		practitionerName: practitionerNameOf(schedule, actors, source.name),
		practitionerNpi: npiOf(actors),
		organizationName: firstText([
			...organizations.map((each) => textOf(each['name'])),
			textOf(source.notes.organizationName),
			textOf(source.name)
		]),
		specialtyIds: specialtiesOf(schedule, actors, source.notes),
		regions: regionsOf(actors, source.notes),
		kinds: kindsOf(schedule, actors, source.notes),
		languages: languagesOf(actors, source.notes),
		planIds: plansOf(actors, context),
		zone: zone.zone,
		phone:
			firstPhone([...roles, ...services, ...places, ...organizations]) ?? source.notes.phone ?? null
	};
	return { fact, zone, availability: availabilityOf(schedule) };
};

/** All active schedules of a directory, by key. */
export const describeSchedules = (
	directory: Directory,
	source: Context['source']
): ReadonlyMap<string, DescribedSchedule> => {
	const context = { directory, source, plans: planTypesByNetwork(directory) };
	const described = new Map<string, DescribedSchedule>();
	for (const schedule of directory.ofType('Schedule')) {
		if (described.size >= MAX_SCHEDULES) break;
		if (schedule['active'] === false) continue;
		const one = describe(schedule, context);
		described.set(one.fact.key, one);
	}
	return described;
};

/** Equal lists of schedules, in the same order. */
export const sameFacts = (a: readonly ScheduleFact[], b: readonly ScheduleFact[]): boolean =>
	a === b ||
	(a.length === b.length &&
		a.every((fact, at) => {
			const other = b[at];
			return other !== undefined && fact.key === other.key && sameSchedule(fact, other);
		}));
