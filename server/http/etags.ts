// Entity tags of answers that are made anew for each request (RFC 9110, 8.8.3).
import { createHash } from 'node:crypto';
import type { Request } from 'express';

/** Weak: a proxy may compress the answer, and it means the same. */
export const weakTag = (text: string): string =>
	`W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;

/**
 * Compared here and not by Express, which sends everything again when the request also says
 * `Cache-Control: no-cache`: a script's `fetch` adds that whenever it names an ETag.
 */
export const hasIt = (req: Request, etag: string): boolean =>
	(req.get('If-None-Match') ?? '').split(',').some((given) => given.trim() === etag);
