import { expect, test } from 'vitest';
import { emptyValues } from '#lib/patient-fields.ts';
import { checkValues, readValues } from '#lib/server/patient-form.ts';

test('[J26] the form says whom the visit is for; left out it is for the one who types', () => {
	const typed = {
		...emptyValues,
		givenName: 'Rosa',
		familyName: 'Martin',
		bornOn: '1961-05-23',
		phone: '406-555-0134',
		kind: 'video'
	};
	const ids = { holdId: crypto.randomUUID(), requestId: crypto.randomUUID() };
	const check = (forWhom: string) => checkValues({ ...typed, forWhom }, ids);
	expect(check('child')).toMatchObject({ value: { patient: { forWhom: 'child' } } });
	expect(check('')).toMatchObject({ value: { patient: { forWhom: 'me' } } });
	expect(check('a neighbour').fields).toEqual(['forWhom']);
	const form = new FormData();
	form.set('forWhom', 'cared_for');
	expect(readValues(form).forWhom).toBe('cared_for');
});
