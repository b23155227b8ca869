// The search engine of the simulated FHIR servers: reads a query against a table of parameters and
// tells which items match, which parameters were applied, and which are unknown.
import type { Result } from '#domain/result.ts';
import { ok, refuse } from '#domain/result.ts';

export type SearchParam<T> =
	| { type: 'token' | 'reference' | 'string'; of: (item: T) => readonly string[] }
	| { type: 'date'; at: (item: T) => number };

export type SearchParams<T> = Readonly<Record<string, SearchParam<T>>>;

export type Query = readonly (readonly [name: string, value: string])[];

export type Search<T> = {
	matches: (item: T) => boolean;
	/** The parameters really applied, for the self link. */
	applied: Query;
};

type Test<T> = (item: T) => boolean;

const resultParams = new Set([
	'_count',
	'_sort',
	'_include',
	'_include:iterate',
	'_format',
	'_total'
]);

const dateTests: Readonly<Record<string, (at: number, from: number, to: number) => boolean>> = {
	eq: (at, from, to) => at >= from && at < to,
	ne: (at, from, to) => at < from || at >= to,
	gt: (at, _from, to) => at >= to,
	sa: (at, _from, to) => at >= to,
	lt: (at, from) => at < from,
	eb: (at, from) => at < from,
	ge: (at, from) => at >= from,
	le: (at, _from, to) => at < to
};

/** The interval a date value covers: a day, a second or a millisecond; UTC when it has no offset. */
const readInterval = (text: string): { from: number; to: number } | null => {
	const from = Date.parse(text);
	if (Number.isNaN(from) || !/^\d{4}-\d\d-\d\d/.test(text)) return null;
	if (text.length === 10) return { from, to: from + 86_400_000 };
	return { from, to: from + (/:\d\d\.\d/.test(text) ? 1 : 1000) };
};

const dateTest = <T>(at: (item: T) => number, value: string): Test<T> | null => {
	const [, prefix = 'eq', text = ''] = /^([a-z]{2})?(.*)$/.exec(value) ?? [];
	const compare = dateTests[prefix];
	const interval = readInterval(text);
	if (compare === undefined || interval === null) return null;
	return (item) => compare(at(item), interval.from, interval.to);
};

/** `wanted` may be `system|code`, `|code`, `system|` or `code`; `held` is `system|code`. */
const isToken = (held: string, wanted: string): boolean => {
	if (wanted.endsWith('|')) return held.startsWith(wanted);
	return wanted.includes('|') ? held === wanted : held.slice(held.lastIndexOf('|') + 1) === wanted;
};

const isReference = (held: string, wanted: string): boolean =>
	held === wanted || held.endsWith(`/${wanted}`) || wanted.endsWith(`/${held}`);

const textTests = {
	token: isToken,
	reference: isReference,
	string: (held: string, wanted: string) => held.toLowerCase().startsWith(wanted.toLowerCase())
};

/** Splits at commas that are not escaped and takes the escapes away. */
const readValues = (value: string): string[] =>
	value
		.split(/(?<!\\),/)
		.map((part) => part.replaceAll(/\\([,|$\\])/g, '$1'))
		.filter((part) => part !== '');

const textTest = <T>(
	param: Exclude<SearchParam<T>, { type: 'date' }>,
	value: string
): Test<T> | null => {
	const wanted = readValues(value);
	if (wanted.length === 0) return null;
	const one = wanted.length === 1 ? wanted[0] : undefined;
	const isOne = textTests[param.type];
	if (one !== undefined) return (item) => param.of(item).some((held) => isOne(held, one));
	const exact = new Set(wanted);
	return (item) =>
		param.of(item).some((held) => exact.has(held) || wanted.some((each) => isOne(held, each)));
};

const testOf = <T>(param: SearchParam<T>, value: string): Test<T> | null =>
	param.type === 'date' ? dateTest(param.at, value) : textTest(param, value);

/**
 * Reads a query. Unknown parameters are left out, or refused when `strict`
 * (`Prefer: handling=strict`); a known parameter with an unreadable value is always refused.
 */
export const readSearch = <T>(
	query: Query,
	params: SearchParams<T>,
	strict: boolean
): Result<Search<T>, 'parameter_unknown' | 'value_unreadable'> => {
	const tests: Test<T>[] = [];
	const applied: (readonly [string, string])[] = [];
	for (const [name, value] of query) {
		const param = Object.hasOwn(params, name) ? params[name] : undefined;
		if (param === undefined && resultParams.has(name)) {
			if (name !== '_format') applied.push([name, value]);
		} else if (param === undefined) {
			if (strict) return refuse('parameter_unknown', { name });
		} else {
			const test = testOf(param, value);
			if (test === null) return refuse('value_unreadable', { name });
			tests.push(test);
			applied.push([name, value]);
		}
	}
	return ok({ matches: (item) => tests.every((test) => test(item)), applied });
};
