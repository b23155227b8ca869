// Reads the few response headers that steer polling. Pure; malformed headers count as absent.

export type HeaderBag = Readonly<Record<string, string | string[] | undefined>>;

export const headerOf = (headers: HeaderBag, name: string): string | null => {
	const value = headers[name];
	if (value === undefined) return null;
	return Array.isArray(value) ? (value[0] ?? null) : value;
};

/** A source may not silence itself for longer than this by one header. */
export const MAX_RETRY_AFTER_MS = 3_600_000;
export const MAX_AGE_MS = 86_400_000;

/**
 * `Retry-After` in ms (seconds or an HTTP-date), at most MAX_RETRY_AFTER_MS. A date is measured
 * against the server's own `Date`, so that a wrong clock on either side does no harm.
 */
export const retryAfterOf = (headers: HeaderBag, nowMs: number): number | null => {
	const text = headerOf(headers, 'retry-after')?.trim();
	if (text === undefined || text === '') return null;
	if (/^\d{1,9}$/.test(text)) return Math.min(Number(text) * 1_000, MAX_RETRY_AFTER_MS);
	const at = Date.parse(text);
	if (Number.isNaN(at) || !/[a-z]/i.test(text)) return null;
	const serverNow = Date.parse(headerOf(headers, 'date') ?? '');
	const base = Number.isNaN(serverNow) ? nowMs : serverNow;
	return Math.min(Math.max(at - base, 0), MAX_RETRY_AFTER_MS);
};

export type CacheWord = { readonly maxAgeMs: number | null; readonly isImmutable: boolean };

/** `Cache-Control: max-age` in ms (at most a day) and whether the URL's content never changes. */
export const cacheWordOf = (headers: HeaderBag): CacheWord => {
	const text = headerOf(headers, 'cache-control') ?? '';
	const age = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,9})/i.exec(text)?.[1];
	return {
		maxAgeMs: age === undefined ? null : Math.min(Number(age) * 1_000, MAX_AGE_MS),
		isImmutable: /(?:^|[\s,])immutable(?:$|[\s,])/i.test(text)
	};
};

/** The server's `Date`, UTC ms, or null. Shown to people; nothing is ordered by it. */
export const dateOf = (headers: HeaderBag): number | null => {
	const at = Date.parse(headerOf(headers, 'date') ?? '');
	return Number.isNaN(at) ? null : at;
};

/**
 * Whether a body so labelled can be JSON. Loose, because real publishers send octet-stream and
 * text/plain; what is certainly something else (a web page, a picture) is refused unread.
 */
export const canBeJson = (headers: HeaderBag): boolean => {
	const type = (headerOf(headers, 'content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
	return !/^(text\/html|application\/xhtml|application\/(fhir\+)?xml|text\/xml|image\/|audio\/|video\/)/.test(
		type
	);
};
