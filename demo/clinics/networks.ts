// Invented insurance networks and the plan types (ids of plan-types.json) each of them serves.
import { must } from '#domain/result.ts';

export type Network = { id: string; name: string; planTypes: readonly string[] };

export const networks: readonly Network[] = [
	{ id: 'medicare', name: 'Medicare', planTypes: ['medicare', 'medicare-b'] },
	{ id: 'medicaid', name: 'State Medicaid', planTypes: ['medicaid'] },
	{ id: 'prairie-mutual', name: 'Prairie Mutual PPO', planTypes: ['ppo'] },
	{ id: 'juniper-hmo', name: 'Juniper Health HMO', planTypes: ['hmo'] },
	{ id: 'open-plains', name: 'Open Plains Medicaid Care', planTypes: ['medicaid-hmo'] },
	{ id: 'golden-acre', name: 'Golden Acre Advantage', planTypes: ['medicare-advantage'] },
	{
		id: 'golden-acre-hmo',
		name: 'Golden Acre Advantage HMO',
		planTypes: ['medicare-advantage-hmo']
	},
	{ id: 'summit-epo', name: 'Summit Ridge EPO', planTypes: ['epo'] },
	{ id: 'harvest', name: 'Harvest Saver', planTypes: ['hdhp'] },
	{ id: 'commons', name: 'Commons Marketplace Select', planTypes: ['marketplace'] },
	{ id: 'two-rivers', name: 'Two Rivers Point of Service', planTypes: ['pos'] },
	{ id: 'federal', name: 'Federal Employee Network', planTypes: ['federal-employee'] },
	{ id: 'tricare', name: 'TRICARE Network', planTypes: ['tricare'] },
	{ id: 'va-community', name: 'VA Community Care', planTypes: ['va'] },
	{ id: 'ihs-purchased', name: 'Indian Health Service Purchased Care', planTypes: ['ihs'] }
];

const byId = new Map(networks.map((network) => [network.id, network]));

export const networkOf = (id: string): Network => must(byId.get(id), `network ${id}`);
