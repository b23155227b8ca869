// Request ids of forms: the page carries one nonce, and each thing that can be asked for from it
// gets its own id. So a double tap is one effect, and two different taps are two.
import { createHash, randomUUID } from 'node:crypto';
import { RequestId } from '#domain/ids.ts';

const VERSION_NIBBLE = '8';
const VARIANT_NIBBLE = 'a';
const MAX_NONCE_CHARACTERS = 64;

export const newRequestId = (): RequestId => RequestId.parse(randomUUID());

/** U10: the same nonce and purpose give the same UUID (version 8, RFC 9562); others differ. */
export const requestIdFor = (nonce: string, purpose: string): RequestId => {
	const hex = createHash('sha256')
		.update(`${nonce.slice(0, MAX_NONCE_CHARACTERS)}|${purpose}`)
		.digest('hex');
	const parts = [
		hex.slice(0, 8),
		hex.slice(8, 12),
		VERSION_NIBBLE + hex.slice(13, 16),
		VARIANT_NIBBLE + hex.slice(17, 20),
		hex.slice(20, 32)
	];
	return RequestId.parse(parts.join('-'));
};
