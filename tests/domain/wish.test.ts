import { expect, test } from 'vitest';
import { isLate } from '#domain/wish.ts';

test.each([
	[20_000, null, false],
	[20_001, null, true],
	[90_000, 'there:7', false]
])('[O23] after %i ms in the hands of %s it is late: %s', (ageMs, worker, late) => {
	expect(isLate({ ageMs, worker })).toBe(late);
});
