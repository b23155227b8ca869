// GET /metadata: what this server can do, told from the same tables that do it.
import type { FhirContext } from './context.ts';
import { appointmentParams, directoryParams } from './params.ts';
import type { SearchParam, SearchParams } from './search.ts';
import { SLOT_TOPIC, TOPIC_EXTENSION } from './subscriptions.ts';

type Interaction = 'read' | 'search-type' | 'create' | 'update' | 'patch' | 'history-type';

type ResourceEntry = {
	type: string;
	interaction: { code: Interaction }[];
	versioning: 'versioned' | 'versioned-update';
	conditionalRead: 'full-support';
	conditionalCreate?: true;
	searchInclude?: string[];
	searchParam: { name: string; type: SearchParam<unknown>['type'] }[];
};

const paramsOf = <T>(params: SearchParams<T>): ResourceEntry['searchParam'] =>
	Object.entries(params)
		.filter(([name]) => !name.includes('.'))
		.map(([name, { type }]) => ({ name, type }));

const resourceOf = <T>(
	type: string,
	params: SearchParams<T>,
	interactions: Interaction[],
	more: Partial<ResourceEntry> = {}
): ResourceEntry => ({
	type,
	interaction: interactions.map((code) => ({ code })),
	versioning: 'versioned',
	conditionalRead: 'full-support',
	searchParam: paramsOf(params),
	...more
});

/** The CapabilityStatement of one server. */
export const capabilityOf = (context: FhirContext, base: string): object => {
	const { profile, clinic } = context;
	const slotWrites: Interaction[] = profile.slotWritable ? ['update'] : [];
	const slotHistory: Interaction[] = profile.history ? ['history-type'] : [];
	return {
		resourceType: 'CapabilityStatement',
		status: 'active',
		date: context.directory.values().next().value?.meta?.lastUpdated ?? '',
		kind: 'instance',
		software: { name: 'Simulated clinic', version: '1' },
		implementation: { description: clinic.organisation.profile.name, url: base },
		fhirVersion: '4.0.1',
		format: ['application/fhir+json'],
		rest: [
			{
				mode: 'server',
				resource: [
					resourceOf(
						'Slot',
						context.slotParams,
						['read', 'search-type', ...slotWrites, ...slotHistory],
						{
							versioning: profile.slotWritable ? 'versioned-update' : 'versioned',
							searchInclude: ['Slot:schedule']
						}
					),
					resourceOf(
						'Appointment',
						appointmentParams,
						['read', 'search-type', 'create', 'update', 'patch'],
						{
							conditionalCreate: true
						}
					),
					{
						type: 'Subscription',
						interaction: [
							{ code: 'create' },
							{ code: 'read' },
							{ code: 'update' },
							{ code: 'delete' }
						],
						extension: [{ url: TOPIC_EXTENSION, valueCanonical: SLOT_TOPIC }]
					},
					...Object.entries(directoryParams).map(([type, params]) =>
						resourceOf(type, params, ['read', 'search-type'])
					)
				]
			}
		]
	};
};
