import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { RequestId } from '#domain/ids.ts';
import { emptyValues } from '#lib/patient-fields.ts';
import { checkValues, readValues } from '#lib/server/patient-form.ts';
import { requestIdFor } from '#lib/server/request-ids.ts';

describe('[U10] request ids', () => {
	test('[U10] the same form and purpose give one id, and a valid one', () => {
		const nonce = randomUUID();
		const id = requestIdFor(nonce, 'hold 12');
		expect(RequestId.safeParse(id).success).toBe(true);
		expect(requestIdFor(nonce, 'hold 12')).toBe(id);
	});

	test('[U10] another purpose or another form gives another id', () => {
		const nonce = randomUUID();
		const ids = [
			requestIdFor(nonce, 'hold 12'),
			requestIdFor(nonce, 'hold 13'),
			requestIdFor(randomUUID(), 'hold 12')
		];
		expect(new Set(ids).size).toBe(3);
	});
});

describe('[U12] the patient’s form', () => {
	const ids = { holdId: randomUUID(), requestId: randomUUID() };
	const good = {
		...emptyValues,
		givenName: 'Rosa',
		familyName: 'Martin',
		bornOn: '1961-05-23',
		phone: '406-555-0134',
		kind: 'video'
	};

	test('[U12] a good one passes, and what was left out is null', () => {
		const checked = checkValues(good, ids);
		expect(checked).toMatchObject({
			ok: true,
			fields: [],
			value: { kind: 'video', patient: { email: null, reason: null, planId: null } }
		});
	});

	test('[U12] every wrong field is named, once', () => {
		const checked = checkValues(
			{ ...good, givenName: ' ', bornOn: '23 May', phone: '12', email: 'rosa', planId: 'magic' },
			ids
		);
		expect(checked.ok).toBe(false);
		expect(checked.fields.toSorted()).toEqual(['bornOn', 'email', 'givenName', 'phone', 'planId']);
	});

	test('[U12] what comes as a file or far too long is cut, not believed', () => {
		const form = new FormData();
		form.set('givenName', new File(['x'], 'x.txt'));
		form.set('reason', 'x'.repeat(5_000));
		const values = readValues(form);
		expect(values.givenName).toBe('');
		expect(values.reason.length).toBeLessThanOrEqual(600);
	});
});
