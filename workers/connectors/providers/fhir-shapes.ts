// Reads parts of FHIR resources that nobody has checked: every access tolerates the wrong shape,
// every text is cut and cleaned. Nothing here throws.
import type { Coding } from '#domain/codes.ts';

export type Json = Readonly<Record<string, unknown>>;

export const isJson = (value: unknown): value is Json =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

/** The objects of a list; a single object counts as a list of one. */
export const listOf = (value: unknown): readonly Json[] => {
	if (Array.isArray(value)) return value.filter(isJson);
	return isJson(value) ? [value] : [];
};

/** Most characters of any text taken over from a source. */
const MAX_TEXT = 200;

/** Clean text of a string: no control characters, single blanks, at most `max`; '' for others. */
export const textOf = (value: unknown, max = MAX_TEXT): string => {
	if (typeof value !== 'string') return '';
	// Code points, so that no surrogate pair is cut in two.
	const clean = value
		.slice(0, max * 4)
		.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ')
		.replace(/\s+/g, ' ')
		.trim();
	return clean.length <= max ? clean : Array.from(clean).slice(0, max).join('');
};

/** The codings of a CodeableConcept, a list of them, or a bare Coding. */
export const codingsOf = (value: unknown): readonly Coding[] =>
	listOf(value).flatMap((concept) => {
		const codings = 'coding' in concept ? listOf(concept['coding']) : [concept];
		return codings.map((coding) => ({
			system: textOf(coding['system'], 300),
			code: textOf(coding['code'], 100)
		}));
	});

export const extensionsOf = (resource: Json, isWanted: (url: string) => boolean): Json[] =>
	listOf(resource['extension']).filter((each) => isWanted(textOf(each['url'], 300)));

/** The `reference` texts of a Reference or a list of them. */
export const referencesOf = (value: unknown): readonly string[] =>
	listOf(value)
		.map((each) => textOf(each['reference'], 500))
		.filter((text) => text !== '');

const telephoneOf = (resource: Json): string | null => {
	const phone = listOf(resource['telecom']).find((each) => each['system'] === 'phone');
	const text = textOf(phone?.['value'], 40);
	return text === '' ? null : text;
};

export const firstPhone = (resources: readonly Json[]): string | null => {
	for (const resource of resources) {
		const phone = telephoneOf(resource);
		if (phone !== null) return phone;
	}
	return null;
};

/** A web address people may be sent to: http or https, at most 2,000 characters; or null. */
export const webAddressOf = (value: unknown): string | null => {
	if (typeof value !== 'string' || value.length > 2_000 || !URL.canParse(value)) return null;
	const url = new URL(value);
	const isPlain = url.username === '' && url.password === '';
	return isPlain && (url.protocol === 'https:' || url.protocol === 'http:') ? url.href : null;
};

export const sortedUnique = <T extends string>(values: readonly T[]): T[] =>
	[...new Set(values)].filter((value) => value !== '').toSorted();
