import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { PatientId } from '#domain/ids.ts';
import { createPhiCipher, PhiUnreadable, type PhiPlace } from '#server/platform/phi.ts';

const key = (fill: number): Buffer => Buffer.alloc(32, fill);
const makePlace = (over: Partial<PhiPlace> = {}): PhiPlace => {
	const patient = PatientId.parse(randomUUID());
	return { table: 'patients', column: 'details', row: patient, patient, version: 1, ...over };
};
const cipher = createPhiCipher(new Map([['k1', key(1)]]));

test('[P1] what was sealed opens again at its place, and nothing of it can be read', () => {
	const place = makePlace();
	const wrapped = cipher.newKey(place.patient);
	const sealed = cipher.seal(wrapped, place, 'Rosa Martínez');
	expect(cipher.open(wrapped, place, sealed)).toBe('Rosa Martínez');
	expect(Buffer.from(sealed).includes(Buffer.from('Rosa'))).toBe(false);
});

test('[P1] the same words are never sealed the same way twice', () => {
	const place = makePlace();
	const wrapped = cipher.newKey(place.patient);
	const nonces = new Set<string>();
	for (let i = 0; i < 500; i += 1) {
		nonces.add(
			Buffer.from(cipher.seal(wrapped, place, 'x'))
				.subarray(1, 13)
				.toString('hex')
		);
	}
	expect(nonces.size).toBe(500);
});

test('[P2] at any other table, column, row, patient or version it does not open', () => {
	const place = makePlace();
	const wrapped = cipher.newKey(place.patient);
	const sealed = cipher.seal(wrapped, place, 'secret');
	const elsewhere: Partial<PhiPlace>[] = [
		{ table: 'bookings' },
		{ column: 'notes' },
		{ row: randomUUID() },
		{ patient: PatientId.parse(randomUUID()) },
		{ version: 2 }
	];
	for (const over of elsewhere) {
		expect(() => cipher.open(wrapped, { ...place, ...over }, sealed)).toThrow(PhiUnreadable);
	}
});

test('[P2] one flipped bit anywhere, in the text or in the key, is noticed', () => {
	const place = makePlace();
	const wrapped = cipher.newKey(place.patient);
	const sealed = cipher.seal(wrapped, place, 'secret');
	for (let i = 0; i < sealed.length; i += 1) {
		const forged = Buffer.from(sealed);
		forged[i] = (forged[i] ?? 0) ^ 1;
		expect(() => cipher.open(wrapped, place, forged)).toThrow(PhiUnreadable);
	}
	for (let i = 0; i < wrapped.wrapped.length; i += 1) {
		const forged = Buffer.from(wrapped.wrapped);
		forged[i] = (forged[i] ?? 0) ^ 1;
		expect(() => cipher.open({ ...wrapped, wrapped: forged }, place, sealed)).toThrow(
			PhiUnreadable
		);
	}
	expect(() => cipher.open(wrapped, place, Buffer.of())).toThrow(PhiUnreadable);
});

test('[P3] a rotated key opens what the old one sealed; without the old one nothing opens', () => {
	const place = makePlace();
	const old = cipher.newKey(place.patient);
	const sealed = cipher.seal(old, place, 'secret');
	const rotating = createPhiCipher(
		new Map([
			['k2', key(2)],
			['k1', key(1)]
		])
	);
	const next = rotating.rewrap(old, place.patient);
	expect(next.keyId).toBe('k2');
	const after = createPhiCipher(new Map([['k2', key(2)]]));
	expect(after.open(next, place, sealed)).toBe('secret');
	expect(() => after.open(old, place, sealed)).toThrow(PhiUnreadable);
	expect(() => rotating.rewrap(old, PatientId.parse(randomUUID()))).toThrow(PhiUnreadable);
});

test('[P3] a key of another length, or none, is refused at once', () => {
	expect(() => createPhiCipher(new Map())).toThrow(/key for patient data/);
	expect(() => createPhiCipher(new Map([['k1', Buffer.alloc(16)]]))).toThrow(/32 bytes/);
});

test('[P4] a fingerprint tells the same from the other without keeping either', () => {
	const before = cipher.fingerprint('Rosa');
	expect(cipher.matches(before, 'Rosa')).toBe(true);
	expect(cipher.matches(before, 'Rosb')).toBe(false);
	expect(cipher.matches('k9:00', 'Rosa')).toBe(false);
	expect(cipher.matches('', 'Rosa')).toBe(false);
	const rotated = createPhiCipher(
		new Map([
			['k2', key(2)],
			['k1', key(1)]
		])
	);
	expect(rotated.matches(before, 'Rosa')).toBe(true);
	expect(rotated.fingerprint('Rosa')).not.toBe(before);
});
