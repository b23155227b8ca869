import { expect, test } from 'vitest';
import { createOriginCheck, mayChange, mayConnect } from '#server/http/origin.ts';
import type { Asked } from '#server/http/origin.ts';

const isOurs = createOriginCheck({
	publicUrl: 'https://slotcast.example',
	allowedOrigins: ['https://clinic.example:8443']
});
const asked = (headers: Asked['headers'] = {}, secure = false): Asked => ({
	headers: { host: '127.0.0.1:3000', ...headers },
	secure
});

test.each(['https://slotcast.example', 'https://clinic.example:8443', 'http://127.0.0.1:3000'])(
	'[X1] %s is ours',
	(origin) => {
		expect(isOurs(origin, asked())).toBe(true);
	}
);

const foreign = [
	'null',
	'',
	'https://evil.example',
	'http://slotcast.example',
	'https://slotcast.example:8443',
	'https://slotcast.example:443',
	'https://www.slotcast.example',
	'https://slotcast.example.evil.example',
	'https://evilslotcast.example',
	'https://slotcast.example@evil.example',
	'https://evil.example/https://slotcast.example',
	'https://evil.example?https://slotcast.example',
	'https://evil.example#https://slotcast.example',
	'https://SLOTCAST.EXAMPLE',
	'HTTPS://slotcast.example',
	'https://slotcast.example/',
	'https://slotcast.example.',
	' https://slotcast.example',
	'https://slotcast.example ',
	'https://slotcast.example, https://evil.example',
	'https://slotcast.example\u0000.evil.example',
	'https://clinic.example',
	'https://clinic.example:8444',
	'http://127.0.0.1',
	'http://127.0.0.1:3001',
	'https://127.0.0.1:3000',
	'http://127.0.0.2:3000',
	'http://localhost:3000',
	'http://2130706433:3000',
	'http://[::1]:3000',
	'file://',
	'data:text/html,x',
	'chrome-extension://abcdefgh',
	'slotcast.example',
	'//slotcast.example',
	`https://${'a'.repeat(400)}.example`
];

test.each(foreign)('[X1] %s is not ours', (origin) => {
	expect(isOurs(origin, asked())).toBe(false);
});

test('[X1] the host asked counts with the scheme of the connection', () => {
	expect(isOurs('https://127.0.0.1:3000', asked({}, true))).toBe(true);
	expect(isOurs('http://127.0.0.1:3000', asked({}, true))).toBe(false);
	expect(isOurs('http://x.example', { headers: {}, secure: false })).toBe(false);
	expect(isOurs('http://a', asked({ host: 'a b' }))).toBe(false);
});

test('[X2] what changes something needs our Origin, or none and no other site', () => {
	expect(mayChange(isOurs, asked({ origin: 'http://127.0.0.1:3000' }))).toBe(true);
	expect(mayChange(isOurs, asked({ origin: 'null' }))).toBe(false);
	expect(mayChange(isOurs, asked({ origin: 'https://evil.example' }))).toBe(false);
	expect(mayChange(isOurs, asked())).toBe(true);
	expect(mayChange(isOurs, asked({ 'sec-fetch-site': 'same-origin' }))).toBe(true);
	expect(mayChange(isOurs, asked({ 'sec-fetch-site': 'same-site' }))).toBe(false);
	expect(mayChange(isOurs, asked({ 'sec-fetch-site': 'cross-site' }))).toBe(false);
});

test('[V1] a WebSocket with cookies and no Origin is refused, long-polling of our page is not', () => {
	const cookie = 'slotcast_device=x';
	expect(mayConnect(isOurs, asked({ cookie }), true)).toBe(false);
	expect(mayConnect(isOurs, asked(), true)).toBe(true);
	expect(mayConnect(isOurs, asked({ cookie, 'sec-fetch-site': 'same-origin' }), false)).toBe(true);
	expect(mayConnect(isOurs, asked({ cookie, 'sec-fetch-site': 'cross-site' }), false)).toBe(false);
	expect(mayConnect(isOurs, asked({ cookie, origin: 'https://evil.example' }), false)).toBe(false);
	expect(mayConnect(isOurs, asked({ cookie, origin: 'http://127.0.0.1:3000' }), true)).toBe(true);
});
