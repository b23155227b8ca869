import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isNpi } from '#domain/npi.ts';
import { inventNpi } from '../../demo/clinics/people.ts';

test('[A97] the example of the standard is an NPI, and other things are none', () => {
	expect(isNpi('1234567893')).toBe(true);
	for (const text of ['1234567890', '123456789', '12345678930', '', '1234567893 ', '١٢٣٤٥٦٧٨٩٣']) {
		expect(isNpi(text)).toBe(false);
	}
});

test('[A97] one wrong digit, or two neighbours in the wrong order, is found', () => {
	const number = fc.integer({ min: 0, max: 9_999 });
	const place = fc.integer({ min: 0, max: 9 });
	fc.assert(
		fc.property(number, place, fc.integer({ min: 1, max: 9 }), (nr, at, by) => {
			const npi = inventNpi(nr);
			const digits = Array.from(npi);
			digits[at] = String((Number(digits[at]) + by) % 10);
			expect(isNpi(npi)).toBe(true);
			expect(isNpi(digits.join(''))).toBe(false);
		})
	);
});
