// The operator's key-encryption keys and how bytes are sealed with them. What is kept is sealed
// under a data key of its own; only that key is wrapped by one of these, so that turning to a new
// key touches no content. Used for patients' details and for the secrets of sources.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { must } from '#domain/result.ts';

/** A data key, encrypted under the key-encryption key `keyId`. */
export type WrappedKey = { readonly keyId: string; readonly wrapped: Uint8Array };

/** Keys as the configuration lists them, by their ids. */
export const keysById = (
	keys: readonly { readonly id: string; readonly key: Uint8Array }[]
): ReadonlyMap<string, Uint8Array> => new Map(keys.map(({ id, key }) => [id, key]));

export type Keyring = {
	/** Id of the key that new data keys are wrapped with. */
	readonly currentKeyId: string;
	/** Ids of the keys that only read what they once wrote. */
	readonly olderKeyIds: readonly string[];
	/** `aadOf` is told the id of the current key. */
	wrap(dataKey: Uint8Array, aadOf: (keyId: string) => string): WrappedKey;
	/** null = a key that we do not have, or not what was wrapped at this place. */
	unwrap(key: WrappedKey, aad: string): Uint8Array | null;
};

/** Names the algorithm in every ciphertext: 1 = AES-256-GCM, 96-bit nonce, 128-bit tag. */
const ALGORITHM = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const KEY_BYTES = 32;
const HEADER_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

/** `aad`: authenticated beside the text, and needed again to open it. */
export const sealBytes = (key: Uint8Array, aad: string, plain: Uint8Array): Uint8Array => {
	const nonce = randomBytes(NONCE_BYTES);
	const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
	cipher.setAAD(Buffer.from(aad, 'utf8'));
	const body = Buffer.concat([cipher.update(plain), cipher.final()]);
	return Buffer.concat([Buffer.of(ALGORITHM), nonce, cipher.getAuthTag(), body]);
};

/** null = the bytes, the place or the key are not what was sealed. */
export const openSealed = (key: Uint8Array, aad: string, sealed: Uint8Array): Buffer | null => {
	const bytes = Buffer.from(sealed);
	if (bytes.length < HEADER_BYTES || bytes[0] !== ALGORITHM) return null;
	const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
	try {
		const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
		cipher.setAAD(Buffer.from(aad, 'utf8'));
		cipher.setAuthTag(bytes.subarray(1 + NONCE_BYTES, HEADER_BYTES));
		return Buffer.concat([cipher.update(bytes.subarray(HEADER_BYTES)), cipher.final()]);
	} catch {
		return null;
	}
};

/**
 * `keys`: key id → 32 bytes; the first is current, the others only read what they once wrote.
 * `whatFor` stands in the message when there is none. Throws then, and when one is not 32 bytes long.
 */
export const createKeyring = (keys: ReadonlyMap<string, Uint8Array>, whatFor: string): Keyring => {
	for (const [id, key] of keys) {
		if (key.length !== KEY_BYTES) throw new Error(`key ${id} is not ${KEY_BYTES} bytes long`);
	}
	const [first, ...olderKeyIds] = keys.keys();
	const currentKeyId = must(first, `a key for ${whatFor}`);
	const currentKey = must(keys.get(currentKeyId), currentKeyId);
	return {
		currentKeyId,
		olderKeyIds,
		wrap: (dataKey, aadOf) => ({
			keyId: currentKeyId,
			wrapped: sealBytes(currentKey, aadOf(currentKeyId), dataKey)
		}),
		unwrap: ({ keyId, wrapped }, aad) => {
			const key = keys.get(keyId);
			return key === undefined ? null : openSealed(key, aad, wrapped);
		}
	};
};
