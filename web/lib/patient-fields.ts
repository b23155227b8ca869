// The fields of the patient's form and which of them are wrong. Browsers import this file.
export const fieldNames = [
	'forWhom',
	'givenName',
	'familyName',
	'bornOn',
	'phone',
	'email',
	'reason',
	'planId',
	'kind'
] as const;
export type FieldName = (typeof fieldNames)[number];
export const isFieldName = (text: unknown): text is FieldName =>
	(fieldNames as readonly unknown[]).includes(text);

export type FormValues = Readonly<Record<FieldName, string>>;

export const emptyValues: FormValues = {
	forWhom: 'me',
	givenName: '',
	familyName: '',
	bornOn: '',
	phone: '',
	email: '',
	reason: '',
	planId: '',
	kind: ''
};
