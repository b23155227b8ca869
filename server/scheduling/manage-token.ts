// The token of a manage link: which link, and until when. It names no visit and no person.
import { z } from 'zod';
import { toInstant, type Instant } from '#domain/time.ts';
import { openToken, signToken } from '../platform/signed-token.ts';

const Claims = z.strictObject({ link: z.uuid(), exp: z.int().positive() });

/** `link` is the row of manage_links, `exp` the end in ms since 1970. */
export type ManageClaims = z.infer<typeof Claims>;

export const signManageToken = (key: Buffer, claims: ManageClaims): string =>
	signToken(key, 'manage', Claims.parse(claims));

/** The address that a person keeps: all it holds is the token. */
export const manageUrl = (publicUrl: string, key: Buffer, claims: ManageClaims): string =>
	`${publicUrl}/manage?token=${signManageToken(key, claims)}`;

/** J18: null for a token that is not ours, is for something else, or has ended. */
export const readManageToken = (key: Buffer, token: string, now: Instant): ManageClaims | null => {
	const claims = Claims.safeParse(openToken(key, 'manage', token)).data ?? null;
	return claims !== null && now < toInstant(claims.exp) ? claims : null;
};
