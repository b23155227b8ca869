// What a schema found wrong with a field, as a sentence that says what was expected. Schemas name what
// is theirs by a code; nothing that was sent is repeated but the names of fields that do not exist.
import type { z } from 'zod';
import { refusals } from './refusals.ts';

export type WrongField = {
	readonly detail: string;
	/** A JSON pointer, RFC 6901, as a fragment. */
	readonly pointer: string;
};

const sentences = {
	required: 'Must not be empty.',
	not_a_date: 'Must be a date after 1900-01-01 that is not in the future, such as 1961-05-23.',
	not_a_phone_number:
		'Must be a telephone number of 7 to 25 digits, spaces and signs, such as +1 406 555 0100.',
	not_an_email: 'Must be an e-mail address of at most 200 characters, or empty.',
	not_a_zone: 'Must be an IANA time zone, such as America/Denver.',
	not_a_language: 'Must be a language code of two or three small letters, such as es.'
} as const;
export type FieldFault = keyof typeof sentences;

/** For rules about a field that no schema can know. */
export const wrongField = (fault: FieldFault, pointer: string): WrongField => ({
	detail: sentences[fault],
	pointer
});

const sentenceOfCode = (code: string): string | null => {
	if (Object.hasOwn(sentences, code)) return sentences[code as FieldFault];
	return Object.hasOwn(refusals, code) ? refusals[code as keyof typeof refusals].text : null;
};

const typeWords: Readonly<Record<string, string>> = {
	string: 'text',
	number: 'a number',
	int: 'a whole number',
	boolean: 'true or false',
	object: 'a JSON object',
	array: 'a list'
};

const boundOf = (origin: string, words: string, bound: number | bigint): string => {
	const isOne = Number(bound) === 1;
	if (origin === 'string')
		return `Must have ${words} ${bound} ${isOne ? 'character' : 'characters'}.`;
	if (origin === 'array') return `Must have ${words} ${bound} ${isOne ? 'entry' : 'entries'}.`;
	return `Must be ${words} ${bound}.`;
};

type Issue = z.core.$ZodIssue;

const typeSentence = ({ expected, message }: z.core.$ZodIssueInvalidType): string => {
	const wanted = `ust be ${typeWords[expected] ?? `of the type ${expected}`}.`;
	return message.endsWith('received undefined') ? `Is missing: it m${wanted}` : `M${wanted}`;
};

const sentenceOf = (issue: Issue): string => {
	const ours = sentenceOfCode(issue.message);
	if (ours !== null) return ours;
	switch (issue.code) {
		case 'invalid_type':
			return typeSentence(issue);
		case 'too_small':
			return boundOf(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum);
		case 'too_big':
			return boundOf(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum);
		case 'invalid_value':
			return `Must be one of: ${issue.values.map(String).join(', ')}.`;
		case 'invalid_format':
			return issue.format === 'uuid'
				? 'Must be a UUID, such as 7d9f2a4e-5c1b-4f0a-9a53-0b6c8e1d2f37.'
				: `Must have the form of: ${issue.format}.`;
		case 'unrecognized_keys':
			return `There is no such field here: ${issue.keys.join(', ')}.`;
		case 'invalid_union': {
			// The last way is the one that says something; those before allow what stands for nothing.
			const [first] = issue.errors.at(-1) ?? [];
			return first === undefined ? 'Is none of what is allowed here.' : sentenceOf(first);
		}
		default:
			return 'Is not what is allowed here.';
	}
};

const pointerOf = (path: readonly PropertyKey[]): string =>
	`#${path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;

const LONGEST = 200;

/** X29: the first `most` of them. */
export const wrongFieldsOf = (error: z.ZodError, most: number): WrongField[] =>
	error.issues.slice(0, most).map((issue) => ({
		detail: sentenceOf(issue).slice(0, LONGEST),
		pointer: pointerOf(issue.path)
	}));
