// The patient's details as a form: read, checked by the hub's own schema, told field by field.
// What was typed goes back into the page and nowhere else: not into a log, a URL or a cookie.
import { ConfirmBooking } from '#domain/commands.ts';
import { refuse, ok, type Result } from '#domain/result.ts';
import { isFieldName, type FieldName, type FormValues } from '../patient-fields.ts';

/** Longer than any field may be: what lies beyond is not sent back into the page. */
const MAX_CHARACTERS = 600;

export const readValues = (form: FormData): FormValues => {
	const read = (name: FieldName): string => {
		const value = form.get(name);
		return typeof value === 'string' ? value.slice(0, MAX_CHARACTERS) : '';
	};
	return {
		forWhom: read('forWhom'),
		givenName: read('givenName'),
		familyName: read('familyName'),
		bornOn: read('bornOn').trim(),
		phone: read('phone'),
		email: read('email').trim(),
		reason: read('reason'),
		planId: read('planId'),
		kind: read('kind')
	};
};

export type Ids = { readonly holdId: unknown; readonly requestId: unknown };

/** U12: every wrong field is named at once; `details.fields` says which. */
export const checkValues = (
	{ kind, forWhom, ...details }: FormValues,
	ids: Ids
): Result<ConfirmBooking, 'bad_request'> & { readonly fields: readonly FieldName[] } => {
	const patient = { ...details, forWhom: forWhom === '' ? undefined : forWhom };
	const parsed = ConfirmBooking.safeParse({ ...ids, kind: kind === '' ? null : kind, patient });
	if (parsed.success) return { ...ok(parsed.data), fields: [] };
	const fields = parsed.error.issues.map(({ path }) => path.at(-1)).filter(isFieldName);
	return { ...refuse('bad_request'), fields: [...new Set(fields)] };
};
