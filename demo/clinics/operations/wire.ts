// What a FHIR server with scheduling operations reads and writes: Parameters in, Bundles and outcomes out.
import { z } from 'zod';
import type { Ask, Reply } from '../exchange.ts';

export const fhir = (status: number, resource: unknown): Reply => ({
	status,
	headers: { 'content-type': 'application/fhir+json' },
	body: JSON.stringify(resource)
});
export const outcome = (status: number, code: string): Reply =>
	fhir(status, { resourceType: 'OperationOutcome', issue: [{ severity: 'fatal', code }] });

export const iso = (at: number): string => new Date(at).toISOString();

const Parameters = z.object({
	resourceType: z.literal('Parameters'),
	parameter: z.array(z.looseObject({ name: z.string() }))
});
type Given = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

export const givenIn = (ask: Ask): Given | null => {
	if (ask.method === 'GET') {
		return new Map(
			[...ask.url.searchParams].map(([name, value]) => [name, { valueDateTime: value }])
		);
	}
	try {
		const parsed = Parameters.parse(JSON.parse(ask.body));
		return new Map(parsed.parameter.map((each) => [each.name, each]));
	} catch {
		return null;
	}
};

export const bundle = (
	ask: Ask,
	resources: readonly object[],
	{ next, total }: { next: string | null; total: number }
) => ({
	resourceType: 'Bundle',
	type: 'searchset',
	total,
	link: [
		{ relation: 'self', url: ask.url.href },
		...(next === null ? [] : [{ relation: 'next', url: next }])
	],
	entry: [
		...resources.map((resource) => ({ resource, search: { mode: 'match' } })),
		{ resource: { resourceType: 'OperationOutcome', issue: [] }, search: { mode: 'outcome' } }
	]
});

export const referenceIn = (given: Given | null): string =>
	z
		.object({ reference: z.string() })
		.safeParse(given?.get('appointment-reference')?.['valueReference']).data?.reference ?? '';
