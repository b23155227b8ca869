// Encryption of patient data: one AES-256-GCM data key per patient, wrapped by a key-encryption key
// of the operator. A ciphertext opens only at the very place (table, column, row, patient, version)
// for which it was sealed; without the patient's wrapped key nothing opens, backups included.
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { PatientId } from '#domain/ids.ts';
import { createKeyring, KEY_BYTES, openSealed, sealBytes, type WrappedKey } from './keyring.ts';

/** Where a ciphertext lives. All of it is authenticated (GCM's additional data). */
export type PhiPlace = {
	readonly table: string;
	readonly column: string;
	readonly row: string;
	readonly patient: PatientId;
	readonly version: number;
};

/** Raised when a ciphertext, its place or its key is not what was sealed. Says no more. */
export class PhiUnreadable extends Error {
	override name = 'PhiUnreadable';
	constructor() {
		super('patient data cannot be opened');
	}
}

export type PhiCipher = {
	/** Id of the key-encryption key that new data keys are wrapped with. */
	readonly currentKeyId: string;
	/** Ids of the keys that only read what they once wrote. */
	readonly olderKeyIds: readonly string[];
	newKey(patient: PatientId): WrappedKey;
	seal(key: WrappedKey, place: PhiPlace, text: string): Uint8Array;
	/** Throws PhiUnreadable. */
	open(key: WrappedKey, place: PhiPlace, sealed: Uint8Array): string;
	/** The same data key under the current key-encryption key. Throws PhiUnreadable. */
	rewrap(key: WrappedKey, patient: PatientId): WrappedKey;
	/** A keyed digest, so that what was asked can be compared later without being kept. */
	fingerprint(text: string): string;
	/** The digests of `text` under every key, the current one's first. */
	fingerprints(text: string): readonly string[];
	/** Whether `text` is what `fingerprint` was made from, under whichever key it was made. */
	matches(fingerprint: string, text: string): boolean;
};

/** Throws PhiUnreadable. */
const decrypt = (key: Uint8Array, aad: string, sealed: Uint8Array): Buffer => {
	const plain = openSealed(key, aad, sealed);
	if (plain === null) throw new PhiUnreadable();
	return plain;
};

// JSON keeps the parts apart: ["a|b","c"] and ["a","b|c"] are different texts.
const aadOfPlace = (p: PhiPlace): string =>
	JSON.stringify(['slotcast-phi-1', p.table, p.column, p.row, p.patient, p.version]);
const aadOfKey = (keyId: string, patient: PatientId): string =>
	JSON.stringify(['slotcast-key-1', keyId, patient]);

/**
 * `keys`: key id → 32 bytes; the first is current, the others only read what they once wrote.
 * Throws when there is none or one is not 32 bytes long.
 */
export const createPhiCipher = (keys: ReadonlyMap<string, Uint8Array>): PhiCipher => {
	const ring = createKeyring(keys, 'patient data');
	const keyOf = (id: string): Uint8Array => {
		const key = keys.get(id);
		if (key === undefined) throw new PhiUnreadable();
		return key;
	};
	const wrap = (dataKey: Uint8Array, patient: PatientId): WrappedKey =>
		ring.wrap(dataKey, (keyId) => aadOfKey(keyId, patient));
	const unwrap = (key: WrappedKey, patient: PatientId): Uint8Array => {
		const dataKey = ring.unwrap(key, aadOfKey(key.keyId, patient));
		if (dataKey === null) throw new PhiUnreadable();
		return dataKey;
	};
	const digest = (keyId: string, text: string): string => {
		const own = hkdfSync('sha256', keyOf(keyId), '', 'slotcast-fingerprint-1', KEY_BYTES);
		return createHmac('sha256', Buffer.from(own)).update(text).digest('hex');
	};
	const print = (keyId: string, text: string): string => `${keyId}:${digest(keyId, text)}`;
	return {
		currentKeyId: ring.currentKeyId,
		olderKeyIds: ring.olderKeyIds,
		newKey: (patient) => wrap(randomBytes(KEY_BYTES), patient),
		seal: (key, place, text) =>
			sealBytes(unwrap(key, place.patient), aadOfPlace(place), Buffer.from(text, 'utf8')),
		open: (key, place, sealed) =>
			decrypt(unwrap(key, place.patient), aadOfPlace(place), sealed).toString('utf8'),
		rewrap: (key, patient) => wrap(unwrap(key, patient), patient),
		fingerprint: (text) => print(ring.currentKeyId, text),
		fingerprints: (text) =>
			[ring.currentKeyId, ...ring.olderKeyIds].map((keyId) => print(keyId, text)),
		matches: (fingerprint, text) => {
			const end = fingerprint.lastIndexOf(':');
			const keyId = fingerprint.slice(0, Math.max(end, 0));
			return keys.has(keyId) && fingerprint.slice(end + 1) === digest(keyId, text);
		}
	};
};
