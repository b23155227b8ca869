// Encryption of what sources need to let us in (API keys, tokens, signing secrets): one data key per
// secret, wrapped by a key-encryption key of the operator. Opens only at the place it was sealed for.
import { randomBytes } from 'node:crypto';
import { createKeyring, KEY_BYTES, openSealed, sealBytes, type WrappedKey } from './keyring.ts';

/** Where a secret lives: the table, the row's id and the secret's name. All of it is authenticated. */
export type SecretPlace = {
	readonly table: 'source_secrets' | 'source_drafts';
	readonly row: string;
	readonly name: string;
};

export type SealedSecret = WrappedKey & { readonly sealed: Uint8Array };

/** Raised when a secret, its place or its key is not what was sealed. Says no more. */
export class SecretUnreadable extends Error {
	override name = 'SecretUnreadable';
	constructor() {
		super('a secret of a source cannot be opened');
	}
}

export type SecretCipher = {
	readonly currentKeyId: string;
	readonly olderKeyIds: readonly string[];
	seal(place: SecretPlace, secret: string): SealedSecret;
	/** Throws SecretUnreadable. */
	open(place: SecretPlace, sealed: SealedSecret): string;
	/** The same data key under the current key-encryption key. Throws SecretUnreadable. */
	rewrap(place: SecretPlace, key: WrappedKey): WrappedKey;
};

const aadOf = (use: 'text' | 'key', { table, row, name }: SecretPlace, keyId = ''): string =>
	JSON.stringify(['slotcast-secret-1', use, table, row, name, keyId]);

const opened = <T>(value: T | null): T => {
	if (value === null) throw new SecretUnreadable();
	return value;
};

/** `keys` as of `createPhiCipher`: the first is current. Throws when there is none. */
export const createSecretCipher = (keys: ReadonlyMap<string, Uint8Array>): SecretCipher => {
	const ring = createKeyring(keys, 'the secrets of sources');
	const wrap = (place: SecretPlace, dataKey: Uint8Array): WrappedKey =>
		ring.wrap(dataKey, (keyId) => aadOf('key', place, keyId));
	const unwrap = (place: SecretPlace, key: WrappedKey): Uint8Array =>
		opened(ring.unwrap(key, aadOf('key', place, key.keyId)));
	return {
		currentKeyId: ring.currentKeyId,
		olderKeyIds: ring.olderKeyIds,
		seal: (place, secret) => {
			const dataKey = randomBytes(KEY_BYTES);
			const sealed = sealBytes(dataKey, aadOf('text', place), Buffer.from(secret, 'utf8'));
			return { ...wrap(place, dataKey), sealed };
		},
		open: (place, { sealed, ...key }) =>
			opened(openSealed(unwrap(place, key), aadOf('text', place), sealed)).toString('utf8'),
		rewrap: (place, key) => wrap(place, unwrap(place, key))
	};
};
