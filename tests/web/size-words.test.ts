// How sizes are told to operators.
import { expect, test } from 'vitest';
import { sizeWords } from '#lib/size-words.ts';

test.each([
	[0, '0 kB'],
	[1, '1 kB'],
	[1_499, '1 kB'],
	[999_499, '999 kB'],
	[999_500, '1 MB'],
	[1_703_411, '1.7 MB'],
	[32_000_000, '32 MB']
])('[O20] %i bytes are told as %s', (bytes, words) => {
	expect(sizeWords(bytes)).toBe(words);
});
