import { expect, test } from 'vitest';
import { toInstant } from '#domain/time.ts';
import { readLink, signLink } from '#server/http/links.ts';
import type { LinkClaims } from '#server/http/links.ts';
import { SourceId } from '#domain/ids.ts';
import { readCookie, writeCookie } from '#server/http/cookies.ts';

const key = Buffer.alloc(32, 'a key');
const at = toInstant;
const clinic: LinkClaims = { role: 'clinic', sourceId: SourceId.parse(12), exp: 2_000 };
const operator: LinkClaims = { role: 'operator', exp: 2_000 };

test.each([clinic, operator])('[X4] a signed link is read back: $role', (claims) => {
	expect(readLink(key, signLink(key, claims), at(1_999))).toEqual(claims);
});

test('[X4] at the very millisecond of its end a link is over', () => {
	expect(readLink(key, signLink(key, operator), at(2_000))).toBeNull();
});

test('[X4] a link of another key, use, or with any character changed opens nothing', () => {
	const token = signLink(key, clinic);
	expect(readLink(Buffer.alloc(32, 'other'), token, at(0))).toBeNull();
	expect(readLink(key, token, at(0), 'session')).toBeNull();
	expect(readLink(key, signLink(key, clinic, 'session'), at(0))).toBeNull();
	for (let i = 0; i < token.length - 1; i += 1) {
		const changed = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`;
		expect(readLink(key, changed, at(0))).toBeNull();
	}
});

test.each([
	'',
	'.',
	'a',
	'a.b',
	'a.b.c',
	`${'A'.repeat(10_000)}.b`,
	'eyJ9.',
	'{"role":"operator"}.x'
])('[X4] %s is no token', (token) => {
	expect(readLink(key, token, at(0))).toBeNull();
});

test('[X4] signed claims that we do not know open nothing', () => {
	const forged = JSON.parse('{"role":"admin","exp":2000}');
	expect(() => signLink(key, forged)).toThrow(/role/);
});

test('[X3] the first cookie of a name is read, spaces and others around it are not', () => {
	expect(readCookie('a=1; slotcast_device=x=y ; b=2', 'slotcast_device')).toBe('x=y');
	expect(readCookie('xslotcast_device=1', 'slotcast_device')).toBeNull();
	expect(readCookie(undefined, 'a')).toBeNull();
	expect(readCookie(`a=${'x'.repeat(9_000)}`, 'a')).toBeNull();
});

test('[X3] cookies are HttpOnly and SameSite=Lax always, Secure over https', () => {
	expect(writeCookie('a', 'b', { maxAgeMs: 61_500, secure: false })).toBe(
		'a=b; Path=/; Max-Age=61; HttpOnly; SameSite=Lax'
	);
	expect(writeCookie('a', 'b', { maxAgeMs: 0, secure: true })).toMatch(/; Secure$/);
});
