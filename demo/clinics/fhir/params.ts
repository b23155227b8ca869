// The search parameters each simulated FHIR server offers, by resource type.
import { must } from '#domain/result.ts';
import { specialtyOf } from '../codes.ts';
import type { Coding } from '../codes.ts';
import type { Practitioner } from '../practitioner.ts';
import { scheduleId } from '../records.ts';
import type { Slot } from '../slot-book.ts';
import type { Meta } from '../wire.ts';
import type { SearchParam, SearchParams } from './search.ts';

/** A resource with an id, as it goes over the wire. */
export type WireResource = { resourceType: string; id: string; meta?: Meta };

const isNode = (node: unknown): node is Record<string, unknown> =>
	typeof node === 'object' && node !== null;

/** All values at a path, through arrays. */
const valuesAt = (node: unknown, path: readonly string[]): unknown[] => {
	if (Array.isArray(node)) return node.flatMap((each) => valuesAt(each, path));
	const [head, ...rest] = path;
	if (head === undefined) return node === undefined ? [] : [node];
	return isNode(node) ? valuesAt(node[head], rest) : [];
};

const textsAt = (resource: unknown, path: string): string[] =>
	valuesAt(resource, path.split('.')).filter((each) => typeof each === 'string');

/** References that a resource holds at a path, as `Type/id`. */
export const referencesAt = (resource: unknown, path: string): string[] =>
	textsAt(resource, `${path}.reference`);

const tokenOf = (value: unknown): string[] => {
	if (!isNode(value)) return [`|${String(value)}`];
	if (Array.isArray(value['coding'])) return value['coding'].flatMap(tokenOf);
	const code = value['code'] ?? value['value'];
	const system = typeof value['system'] === 'string' ? value['system'] : '';
	return typeof code === 'string' ? [`${system}|${code}`] : [];
};

const token = (path: string): SearchParam<WireResource> => ({
	type: 'token',
	of: (resource) => valuesAt(resource, path.split('.')).flatMap(tokenOf)
});
const reference = (path: string): SearchParam<WireResource> => ({
	type: 'reference',
	of: (resource) => referencesAt(resource, path)
});
const string = (path: string): SearchParam<WireResource> => ({
	type: 'string',
	of: (resource) => textsAt(resource, path)
});

const everywhere: SearchParams<WireResource> = {
	_id: token('id'),
	_lastUpdated: {
		type: 'date',
		at: (resource) => Date.parse(resource.meta?.lastUpdated ?? '')
	},
	identifier: token('identifier')
};

const coded: SearchParams<WireResource> = {
	specialty: token('specialty'),
	active: token('active')
};

export const directoryParams: Readonly<Record<string, SearchParams<WireResource>>> = {
	Schedule: {
		...everywhere,
		...coded,
		actor: reference('actor'),
		'service-type': token('serviceType')
	},
	PractitionerRole: {
		...everywhere,
		...coded,
		practitioner: reference('practitioner'),
		organization: reference('organization'),
		location: reference('location'),
		service: reference('healthcareService')
	},
	Practitioner: {
		...everywhere,
		active: token('active'),
		name: string('name.text'),
		family: string('name.family'),
		given: string('name.given'),
		communication: token('communication')
	},
	HealthcareService: {
		...everywhere,
		...coded,
		name: string('name'),
		organization: reference('providedBy'),
		location: reference('location'),
		'service-type': token('type')
	},
	Location: {
		...everywhere,
		name: string('name'),
		status: token('status'),
		organization: reference('managingOrganization'),
		'address-state': string('address.state'),
		'address-city': string('address.city')
	},
	Organization: {
		...everywhere,
		active: token('active'),
		name: string('name'),
		type: token('type')
	},
	InsurancePlan: {
		...everywhere,
		name: string('name'),
		status: token('status'),
		type: token('type')
	}
};

export const appointmentParams: SearchParams<WireResource> = {
	...everywhere,
	status: token('status'),
	slot: reference('slot'),
	date: {
		type: 'date',
		at: (resource) => Date.parse(textsAt(resource, 'start')[0] ?? '')
	}
};

const codingToken = ({ system, code }: Coding): string => `${system}|${code}`;

/** Slots are matched from the clinic's own records, without making the resources first. */
export const slotParams = (
	people: ReadonlyMap<string, Practitioner>,
	actorsOf: (practitionerId: string) => readonly string[]
): SearchParams<Slot> => {
	const specialty = (slot: Slot) =>
		specialtyOf(must(people.get(slot.practitionerId), 'practitioner').specialtyId);
	return {
		_id: { type: 'token', of: (slot) => [`|${slot.id}`] },
		_lastUpdated: { type: 'date', at: (slot) => slot.updatedAt },
		schedule: { type: 'reference', of: (slot) => [`Schedule/${scheduleId(slot.practitionerId)}`] },
		'schedule.actor': { type: 'reference', of: (slot) => actorsOf(slot.practitionerId) },
		status: { type: 'token', of: (slot) => [`http://hl7.org/fhir/slotstatus|${slot.status}`] },
		start: { type: 'date', at: (slot) => slot.startAt },
		'service-type': { type: 'token', of: (slot) => [codingToken(specialty(slot).serviceType)] },
		specialty: { type: 'token', of: (slot) => [codingToken(specialty(slot).coding)] }
	};
};
