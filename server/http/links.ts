// Private links: who holds one may see a clinic's console or the operator's status page until it
// ends. The token is signed, not encrypted: it holds no secret and no person.
import { z } from 'zod';
import { SourceId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { Instant } from '#domain/time.ts';
import { openToken, signToken } from '#server/platform/signed-token.ts';

const Claims = z.union([
	z.strictObject({ role: z.literal('clinic'), sourceId: SourceId, exp: z.int().positive() }),
	z.strictObject({ role: z.literal('operator'), exp: z.int().positive() })
]);

/** `exp` is the end, in ms since 1970. */
export type LinkClaims = z.infer<typeof Claims>;

/** A link opens a session; the two are signed apart, so that neither can be used as the other. */
type LinkUse = 'link' | 'session';

export const signLink = (key: Buffer, claims: LinkClaims, use: LinkUse = 'link'): string =>
	signToken(key, use, Claims.parse(claims));

/** X4: the claims of a token that we signed for this use and that has not ended; else null. */
export const readLink = (
	key: Buffer,
	token: string,
	now: Instant,
	use: LinkUse = 'link'
): LinkClaims | null => {
	const claims = Claims.safeParse(openToken(key, use, token)).data ?? null;
	return claims !== null && now < toInstant(claims.exp) ? claims : null;
};
