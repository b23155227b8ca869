// Signed messages by Standard Webhooks: what is signed and how old a message may be. Pure; the
// cryptography is the platform's.
import { MINUTE_MS, SECOND_MS, type Instant } from '../time.ts';

/** A message may be this much older, or newer, than our clock, ms. */
export const TOLERANCE_MS = 5 * MINUTE_MS;

/** Y3: at exactly the tolerance a message still counts, in both directions. */
export const isInTime = (sentAt: number, now: Instant): boolean =>
	Math.abs(now - sentAt) <= TOLERANCE_MS;

/** `webhook-timestamp`, whole seconds since 1970, as ms; null when it is none. */
export const readTimestamp = (text: string): number | null =>
	/^\d{1,12}$/.test(text) ? Number(text) * SECOND_MS : null;

/** `webhook-id`: printable and short. A dot is allowed: it cannot move into the timestamp. */
export const isMessageId = (text: string): boolean => /^[\x21-\x7e]{1,256}$/.test(text);

/** What goes before the raw body in what is signed. */
export const signedPrefix = (id: string, timestamp: string): string => `${id}.${timestamp}.`;

/** Signatures of scheme v1 in `webhook-signature`: several, separated by spaces, during a rotation. */
export const readSignatures = (header: string): string[] =>
	header
		.split(' ')
		.flatMap((part) => (part.startsWith('v1,') ? [part.slice(3)] : []))
		.slice(0, 10);
