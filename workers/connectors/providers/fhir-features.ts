// What a FHIR server says it can do (CapabilityStatement), asked once a day. A server without one
// is used carefully: nothing is assumed that would matter when it is wrong.
import { parsePiece } from '../ledger.ts';
import { codingsOf, isJson, listOf, textOf, type Json } from './fhir-shapes.ts';

export type FhirFeatures = {
	/** `Slot?_lastUpdated=` is understood. */
	readonly hasLastUpdated: boolean;
	/** Slots may be changed by PUT; null = not said. */
	readonly isSlotWritable: boolean | null;
	/** Resource types that can be searched; null = not said. */
	readonly searchable: readonly string[] | null;
};

export const unknownFeatures: FhirFeatures = {
	hasLastUpdated: false,
	isSlotWritable: null,
	searchable: null
};

const codes = (value: unknown): string[] => codingsOf(value).map(({ code }) => code ?? '');

const resourcesOf = (statement: Json): readonly Json[] =>
	listOf(statement['rest'])
		.filter((rest) => rest['mode'] === 'server' || rest['mode'] === undefined)
		.flatMap((rest) => listOf(rest['resource']));

/** Parses a CapabilityStatement; anything else gives what is safe to assume. */
export const parseFeatures = (body: Buffer): FhirFeatures => {
	const statement = parsePiece({ bytes: body, start: 0, end: body.length })?.value;
	if (!isJson(statement) || statement['resourceType'] !== 'CapabilityStatement') {
		return unknownFeatures;
	}
	const resources = resourcesOf(statement);
	if (resources.length === 0) return unknownFeatures;
	const slot = resources.find((each) => each['type'] === 'Slot');
	const params = listOf(slot?.['searchParam']).map((param) => textOf(param['name'], 80));
	return {
		hasLastUpdated: params.includes('_lastUpdated'),
		isSlotWritable: slot === undefined ? null : codes(slot['interaction']).includes('update'),
		searchable: resources
			.filter((each) => codes(each['interaction']).includes('search-type'))
			.map((each) => textOf(each['type'], 80))
	};
};
