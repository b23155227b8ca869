// Signed tokens: not encrypted, so that they hold no secret and no person. What one is for is part
// of what is signed: a token of one use cannot be shown for another.
import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * `link` opens a session of staff, `session` is one, `manage` leads a patient to one visit.
 */
export type TokenUse = 'link' | 'session' | 'manage';

/** Longer tokens are not even looked at. */
const MAX_TOKEN_CHARACTERS = 500;

const signatureOf = (key: Buffer, use: TokenUse, body: string): Buffer =>
	createHmac('sha256', key).update(`slotcast ${use} ${body}`).digest();

/** `<base64url of the claims>.<base64url of HMAC-SHA-256>` */
export const signToken = (key: Buffer, use: TokenUse, claims: object): string => {
	const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
	return `${body}.${signatureOf(key, use, body).toString('base64url')}`;
};

/** What was signed, unparsed; null for anything that we did not sign for this use. */
export const openToken = (key: Buffer, use: TokenUse, token: string): unknown => {
	if (token.length > MAX_TOKEN_CHARACTERS) return null;
	const [body = '', signature = '', ...rest] = token.split('.');
	if (rest.length > 0) return null;
	const wanted = signatureOf(key, use, body);
	const given = Buffer.from(signature, 'base64url');
	if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
	try {
		const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
		return claims;
	} catch {
		return null;
	}
};
