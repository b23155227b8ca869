// Reads and writes the hub's cookies. None of them can be read by a script.

/** Longest Cookie header that is looked at; browsers send far less. */
const MAX_HEADER_CHARACTERS = 8_192;

/** The first cookie of that name, or null. */
export const readCookie = (header: string | undefined, name: string): string | null => {
	if (header === undefined || header.length > MAX_HEADER_CHARACTERS) return null;
	if (!header.includes(name)) return null;
	for (const part of header.split(';')) {
		const [key = '', ...value] = part.split('=');
		if (key.trim() === name) return value.join('=').trim();
	}
	return null;
};

export type CookieOptions = {
	readonly maxAgeMs: number;
	/** Only over https. */
	readonly secure: boolean;
};

/** HttpOnly and SameSite=Lax always; the value must need no escaping (UUID, base64url, dot). */
export const writeCookie = (name: string, value: string, options: CookieOptions): string =>
	[
		`${name}=${value}`,
		'Path=/',
		`Max-Age=${Math.floor(options.maxAgeMs / 1_000)}`,
		'HttpOnly',
		'SameSite=Lax',
		...(options.secure ? ['Secure'] : [])
	].join('; ');
