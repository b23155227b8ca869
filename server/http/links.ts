// Private links: who holds one may see a clinic's console or the operator's status page until it
// ends. The token is signed, not encrypted: it holds no secret and no person.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { SourceId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { Instant } from '#domain/time.ts';

const Claims = z.union([
	z.strictObject({ role: z.literal('clinic'), sourceId: SourceId, exp: z.int().positive() }),
	z.strictObject({ role: z.literal('operator'), exp: z.int().positive() })
]);

/** `exp` is the end, in ms since 1970. */
export type LinkClaims = z.infer<typeof Claims>;

/** A link opens a session; the two are signed apart, so that neither can be used as the other. */
export type TokenUse = 'link' | 'session';

/** Longer tokens are not even looked at. */
const MAX_TOKEN_CHARACTERS = 500;

const signatureOf = (key: Buffer, use: TokenUse, body: string): Buffer =>
	createHmac('sha256', key).update(`slotcast ${use} ${body}`).digest();

/** `<base64url of the claims>.<base64url of HMAC-SHA-256>` */
export const signLink = (key: Buffer, claims: LinkClaims, use: TokenUse = 'link'): string => {
	const body = Buffer.from(JSON.stringify(Claims.parse(claims))).toString('base64url');
	return `${body}.${signatureOf(key, use, body).toString('base64url')}`;
};

const parseBody = (body: string): LinkClaims | null => {
	try {
		const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
		return Claims.safeParse(claims).data ?? null;
	} catch {
		return null;
	}
};

/** X4: the claims of a token that we signed for this use and that has not ended; else null. */
export const readLink = (
	key: Buffer,
	token: string,
	now: Instant,
	use: TokenUse = 'link'
): LinkClaims | null => {
	if (token.length > MAX_TOKEN_CHARACTERS) return null;
	const [body = '', signature = '', ...rest] = token.split('.');
	if (rest.length > 0) return null;
	const wanted = signatureOf(key, use, body);
	const given = Buffer.from(signature, 'base64url');
	if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
	const claims = parseBody(body);
	return claims !== null && now < toInstant(claims.exp) ? claims : null;
};
