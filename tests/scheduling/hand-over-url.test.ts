import { expect, test } from 'vitest';
import { BookingId } from '#domain/ids.ts';
import { handOverUrl } from '#server/scheduling/hand-over-url.ts';

const id = BookingId.parse('3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f01');

test.each([
	['https://a.example/b', `https://a.example/b?source=slotcast&booking-referral=${id}`],
	[
		'https://a.example/b?x=1&source=other#y',
		`https://a.example/b?x=1&source=slotcast&booking-referral=${id}#y`
	],
	['javascript:alert(1)', null],
	['data:text/html,x', null],
	['/relative', null],
	['', null],
	[null, null]
])('[K6] %s becomes %s', (url, expected) => {
	expect(handOverUrl(url, id)).toBe(expected);
});
