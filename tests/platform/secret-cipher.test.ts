import { expect, test } from 'vitest';
import {
	createSecretCipher,
	SecretUnreadable,
	type SecretPlace
} from '#server/platform/secret-cipher.ts';

const key = (fill: number): Buffer => Buffer.alloc(32, fill);
const place: SecretPlace = { table: 'source_secrets', row: '7', name: 'key' };
const cipher = createSecretCipher(new Map([['k1', key(1)]]));

test('[E1] a secret opens again at its place, and nothing of it can be read', () => {
	const sealed = cipher.seal(place, 'cal_live_canary');
	expect(cipher.open(place, sealed)).toBe('cal_live_canary');
	for (const bytes of [sealed.sealed, sealed.wrapped]) {
		expect(Buffer.from(bytes).includes(Buffer.from('canary'))).toBe(false);
	}
	expect(cipher.seal(place, 'cal_live_canary')).not.toEqual(sealed);
});

test('[E1] for another source, name or table it does not open, nor with one bit flipped', () => {
	const sealed = cipher.seal(place, 'secret');
	const elsewhere: Partial<SecretPlace>[] = [
		{ row: '8' },
		{ name: 'push' },
		{ table: 'source_drafts' }
	];
	for (const over of elsewhere) {
		expect(() => cipher.open({ ...place, ...over }, sealed)).toThrow(SecretUnreadable);
	}
	for (const part of ['sealed', 'wrapped'] as const) {
		for (let at = 0; at < sealed[part].length; at += 1) {
			const forged = Buffer.from(sealed[part]);
			forged[at] = (forged[at] ?? 0) ^ 1;
			expect(() => cipher.open(place, { ...sealed, [part]: forged })).toThrow(SecretUnreadable);
		}
	}
});

test('[E2] after a rotation the old key is needed until a secret is wrapped anew', () => {
	const old = cipher.seal(place, 'secret');
	const rotating = createSecretCipher(
		new Map([
			['k2', key(2)],
			['k1', key(1)]
		])
	);
	const after = createSecretCipher(new Map([['k2', key(2)]]));
	expect(rotating.open(place, old)).toBe('secret');
	expect(() => after.open(place, old)).toThrow(SecretUnreadable);
	const next = { ...old, ...rotating.rewrap(place, old) };
	expect(after.open(place, next)).toBe('secret');
	expect(() => rotating.rewrap({ ...place, row: '8' }, old)).toThrow(SecretUnreadable);
});
