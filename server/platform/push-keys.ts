// The keys with which a source signs what it pushes to us, and the comparison that tells nothing by the
// time it takes. Two keys count during a rotation.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** In HUB_SOURCE_SECRETS: `<source>.push=<key>` or, while a key is changed, `<key>|<older key>`. */
const ENTRY = '.push';
const MOST_KEYS = 2;
/** Shorter keys could be guessed: they count as none, characters. */
const LEAST_KEY = 24;

/** The keys of one entry; those that are too short or too many are left out. */
export const splitPushKeys = (entry: string): readonly string[] =>
	entry
		.split('|')
		.filter((key) => key.length >= LEAST_KEY)
		.slice(0, MOST_KEYS);

/** As `splitPushKeys` reads it. */
export const joinPushKeys = (keys: readonly string[]): string => keys.slice(0, MOST_KEYS).join('|');

/** The keys of a source, the current one first; none = it may not push. */
export const readPushKeys = (
	secrets: ReadonlyMap<string, string>,
	sourceKey: string
): readonly string[] => splitPushKeys(secrets.get(`${sourceKey}${ENTRY}`) ?? '');

/** Keys of all sources that may push. */
export const listPushSources = (secrets: ReadonlyMap<string, string>): string[] =>
	[...secrets.keys()].flatMap((name) => {
		const key = name.endsWith(ENTRY) ? name.slice(0, -ENTRY.length) : '';
		return key !== '' && readPushKeys(secrets, key).length > 0 ? [key] : [];
	});

/** `whsec_<base64>` as Standard Webhooks writes keys; any other text is its own bytes. */
const bytesOf = (key: string): Buffer =>
	key.startsWith('whsec_') ? Buffer.from(key.slice('whsec_'.length), 'base64') : Buffer.from(key);

const digest = (value: string | Buffer): Buffer => createHash('sha256').update(value).digest();

/** Equal, in a time that depends on neither. */
const isSame = (a: string | Buffer, b: string | Buffer): boolean =>
	timingSafeEqual(digest(a), digest(b));

/** Looks at every pair, so that the time tells not even which key fits. */
const anyFits = (given: readonly string[], wanted: readonly string[]): boolean =>
	given.flatMap((one) => wanted.map((other) => isSame(one, other))).some(Boolean);

export type Signed = {
	/** What stands before the body in what was signed; '' where only the body is. */
	readonly prefix: string;
	readonly body: Buffer;
	readonly encoding: 'base64' | 'hex';
	readonly signatures: readonly string[];
};

/** Y2: one of the signatures is HMAC-SHA-256 under one of the keys. */
export const isSignedBy = (keys: readonly string[], signed: Signed): boolean => {
	const wanted = keys.map((key) =>
		createHmac('sha256', bytesOf(key))
			.update(signed.prefix)
			.update(signed.body)
			.digest(signed.encoding)
	);
	return anyFits(signed.signatures, wanted);
};

/** Y4: the key itself, sent as a header that we asked for. */
export const isBearerOf = (keys: readonly string[], authorization: string): boolean => {
	const [, given] = /^Bearer ([\x21-\x7e]{1,500})$/i.exec(authorization) ?? [];
	return given !== undefined && anyFits([given], keys);
};

/** By this a message is known again; nothing of the message can be read from it. */
export const digestOf = (...parts: readonly (string | Buffer)[]): Buffer =>
	parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
