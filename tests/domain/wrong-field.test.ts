// Wrong fields are explained in sentences: every schema that a person or program sends to.
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import * as commands from '#domain/commands.ts';
import { wrongFieldsOf } from '#domain/wrong-field.ts';

const whyNot = (schema: z.ZodType, input: unknown): Record<string, string> => {
	const parsed = schema.safeParse(input);
	const fields = parsed.success ? [] : wrongFieldsOf(parsed.error, 20);
	return Object.fromEntries(fields.map(({ pointer, detail }) => [pointer, detail]));
};

const sentence = /^[A-Z][^_]*\.$/;

test('[X29] each field of a search says what was expected of it', () => {
	const wrong = {
		specialty: 'x',
		region: 5,
		kinds: ['fax', 'video'],
		dayPart: 'noon',
		language: 'EN!',
		zone: 'Mars/Olympus',
		plan: 'nope',
		planOnly: 'yes',
		scheduleId: -1
	};
	expect(whyNot(commands.BoardQueryInput, wrong)).toEqual({
		'#/specialty': 'There is no such specialty. See /api/v1/codes.',
		'#/region': 'Must be text.',
		'#/kinds/0': 'Must be one of: video, phone, chat.',
		'#/dayPart': 'Must be one of: any, morning, afternoon, evening.',
		'#/language': 'Must be a language code of two or three small letters, such as es.',
		'#/zone': 'Must be an IANA time zone, such as America/Denver.',
		'#/plan': 'There is no such plan type. See /api/v1/codes.',
		'#/planOnly': 'Must be true or false.',
		'#/scheduleId': 'Must be more than 0.'
	});
});

test('[X29] what is missing, too long, too many or unknown is called so', () => {
	expect(whyNot(commands.PlaceHold, { slotId: 1.5 })).toEqual({
		'#/slotId': 'Must be a whole number.',
		'#/requestId': 'Is missing: it must be text.'
	});
	expect(whyNot(commands.PlaceHold, { slotId: 1, requestId: 'a' })).toEqual({
		'#/requestId': 'Must be a UUID, such as 7d9f2a4e-5c1b-4f0a-9a53-0b6c8e1d2f37.'
	});
	expect(whyNot(commands.ReadSchedules, { ids: [] })).toEqual({
		'#/ids': 'Must have at least 1 entry.'
	});
	expect(whyNot(commands.PlaceHold, 'x')).toEqual({ '#': 'Must be a JSON object.' });
	expect(whyNot(commands.JoinRoom, { room: 'x', more: 1 })).toEqual({
		'#/room': 'There is no such room.',
		'#': 'There is no such field here: more.'
	});
});

test('[X29] what was typed about a patient is not repeated', () => {
	const typed = {
		givenName: ' ',
		familyName: 'Martinez'.repeat(20),
		bornOn: 'Rosa',
		phone: 'Rosa',
		email: 'Rosa',
		planId: 7,
		reason: 'Rosa'.repeat(200)
	};
	const why = whyNot(commands.PatientDetails, typed);
	expect(why).toMatchObject({
		'#/givenName': 'Must not be empty.',
		'#/familyName': 'Must have at most 80 characters.',
		'#/email': 'Must be an e-mail address of at most 200 characters, or empty.',
		'#/planId': 'Must be text.',
		'#/reason': 'Must have at most 500 characters.'
	});
	expect(JSON.stringify(why)).not.toMatch(/Rosa|Martinez/);
});

const isSchema = (value: unknown): value is z.ZodType =>
	typeof value === 'object' && value !== null && 'safeParse' in value;
const schemas = Object.entries(commands).filter(([, value]) => isSchema(value));

describe.each(schemas)('%s', (_name, schema) => {
	const odd = { a: 1, zone: 'x', patient: {}, bornOn: '', room: '', closing: 'never', ids: 'x' };
	test.each([[null], [[]], [{}], [odd]])('[X29] of %j says a sentence a field', (input) => {
		if (!isSchema(schema)) throw new Error('no schema');
		const parsed = schema.safeParse(input);
		const said = parsed.success ? [] : wrongFieldsOf(parsed.error, 20);
		for (const { detail } of said) expect(detail).toMatch(sentence);
	});
});
