// How we are let in at a source: a key in a header, or an access token that is fetched from the
// address the operator noted (OAuth 2.0 client credentials; SMART Backend Services 2.2, where a
// signed statement stands for the secret). Tokens live in this process only and are on no tape.
import { createHash, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { importJWK, SignJWT, type JWK } from 'jose';
import { z } from 'zod';
import type { SignInRule } from '#domain/source.ts';
import { MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import type { SecretOf } from './connector.ts';
import type { Ask, Caller, HttpClient } from './http-client.ts';
import { explainStatus, unheard, type Heard, type Unheard } from './http-faults.ts';

type Headers = Readonly<Record<string, string>>;
type Admitted = { readonly ok: true; readonly headers: Headers };

export type SignIn = {
	/**
	 * Headers that let us in; {} when the source was given no secret. `refused`: headers that the
	 * source did not take; the answer is the same again when there are no better ones.
	 */
	readonly headersFor: (
		caller: Caller,
		signal: AbortSignal,
		refused?: Headers
	) => Promise<Admitted | Unheard>;
};

/** Lets nobody in: for answers that are played back. */
export const noSignIn: SignIn = { headersFor: async () => ({ ok: true, headers: {} }) };

type TokenRule = Extract<SignInRule, { way: 'smart-backend' | 'client-secret' }>;

/** What SMART Backend Services asks every server to take: ES384 and RS384. */
const algorithmOf = (key: JWK): string | null => {
	if (key.kty === 'RSA') return 'RS384';
	return key.kty === 'EC' && key.crv === 'P-384' ? 'ES384' : null;
};

const PrivateKey = z.looseObject({ kty: z.string(), d: z.string(), kid: z.string().optional() });

const parseKey = (text: string): JWK | null => {
	try {
		return PrivateKey.parse(JSON.parse(text)) as JWK;
	} catch {
		return null;
	}
};

/** SMART allows five minutes at most. */
const STATEMENT_LIFE = '4m';

/** The signed statement of who we are; null = the secret is no private key that may sign. */
const statementOf = async (rule: TokenRule, secret: string): Promise<string | null> => {
	const key = parseKey(secret);
	const alg = key === null ? null : algorithmOf(key);
	if (key === null || alg === null) return null;
	const kid = (rule.way === 'smart-backend' ? rule.keyId : undefined) ?? key.kid;
	try {
		return await new SignJWT()
			.setProtectedHeader({ alg, typ: 'JWT', ...(kid !== undefined && { kid }) })
			.setIssuer(rule.clientId)
			.setSubject(rule.clientId)
			.setAudience(rule.tokenUrl)
			.setJti(randomUUID())
			.setIssuedAt()
			.setExpirationTime(STATEMENT_LIFE)
			.sign(await importJWK(key, alg));
	} catch {
		return null;
	}
};

type Form = { readonly headers: Headers; readonly fields: Readonly<Record<string, string>> };

const formOf = async (rule: TokenRule, secret: string): Promise<Form | null> => {
	const scope = rule.scope === undefined ? {} : { scope: rule.scope };
	const fields = { grant_type: 'client_credentials', ...scope };
	if (rule.way === 'client-secret') {
		// RFC 6749, 2.3.1: both are form-encoded before they are joined.
		const pair = `${encodeURIComponent(rule.clientId)}:${encodeURIComponent(secret)}`;
		return { headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }, fields };
	}
	const statement = await statementOf(rule, secret);
	if (statement === null) return null;
	return {
		headers: {},
		fields: {
			...fields,
			client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
			client_assertion: statement
		}
	};
};

const TokenAnswer = z.looseObject({
	access_token: z.string().regex(/^[\x21-\x7e]{1,8000}$/),
	token_type: z.string().regex(/^bearer$/i),
	expires_in: z.coerce.number().positive().max(86_400).optional()
});

/** SMART asks servers for five minutes; one that says nothing is taken to mean it. */
const UNSAID_LIFE_MS = 5 * MINUTE_MS;
/** A token is not used to its last moment: the answer may take a while. */
const EARLY_MS = 30 * SECOND_MS;

type Token = { readonly headers: Headers; readonly goodUntil: number };
type Fetched = { readonly ok: true; readonly token: Token } | Unheard;

const tokenOf = (heard: Heard, nowMs: number): Fetched => {
	const parsed = ((): unknown => {
		try {
			return JSON.parse(heard.body.toString('utf8'));
		} catch {
			return null;
		}
	})();
	const answer = TokenAnswer.safeParse(parsed);
	if (!answer.success) return unheard('not_understood', 'The sign-in gave no usable token.');
	const { access_token: token, expires_in: seconds } = answer.data;
	const lifeMs = seconds === undefined ? UNSAID_LIFE_MS : seconds * SECOND_MS;
	const goodUntil = nowMs + lifeMs - Math.min(EARLY_MS, lifeMs / 2);
	return { ok: true, token: { headers: { authorization: `Bearer ${token}` }, goodUntil } };
};

/** A refusal at sign-in is ours to mend, whatever the status: RFC 6749, 5.2 uses 400. */
const refusalOf = (heard: Heard): Unheard =>
	[400, 401, 403].includes(heard.status)
		? unheard('unauthorized', `The sign-in refuses us (${heard.status}).`, {
				status: heard.status,
				bytes: heard.bytes
			})
		: explainStatus(heard);

const fetchToken = async (http: HttpClient, rule: TokenRule, ask: TokenAsk): Promise<Fetched> => {
	const form = await formOf(rule, ask.secret);
	if (form === null) {
		const wanted = 'a private key as JWK, RSA or EC P-384';
		return unheard('misconfigured', `The secret of the source must be ${wanted}.`);
	}
	const { key, allowPrivate } = ask.caller;
	const heard = await http.exchange({
		// The operator vouches for this address as for the source's own.
		caller: { key, url: rule.tokenUrl, allowPrivate },
		url: rule.tokenUrl,
		method: 'POST',
		headers: {
			accept: 'application/json',
			'content-type': 'application/x-www-form-urlencoded',
			...form.headers
		},
		body: new URLSearchParams(form.fields).toString(),
		signal: ask.signal
	});
	if (!heard.ok) return heard;
	return heard.status === 200 ? tokenOf(heard, Date.now()) : refusalOf(heard);
};

/** Sources whose tokens are remembered at most. */
const MAX_TOKENS = 2_000;

type Kept = { readonly fetched: Promise<Fetched>; goodUntil: number };
type TokenAsk = { readonly caller: Caller; readonly secret: string; readonly signal: AbortSignal };

const noteLife = async (kept: Kept): Promise<void> => {
	const done = await kept.fetched;
	kept.goodUntil = done.ok ? done.token.goodUntil : 0;
};

/** Tokens by source, rule and secret, so that a new secret or a changed rule counts at once. */
const createTokens = (http: HttpClient) => {
	const tokens = new Map<string, Kept>();
	const nameOf = ({ caller, secret }: TokenAsk): string =>
		createHash('sha256')
			.update(JSON.stringify([caller.key, caller.signIn, secret]))
			.digest('base64url');
	const start = (rule: TokenRule, ask: TokenAsk): Kept => {
		// Whoever comes while it is fetched waits for the same one.
		const kept: Kept = { fetched: fetchToken(http, rule, ask), goodUntil: Infinity };
		void noteLife(kept);
		return kept;
	};
	return async (rule: TokenRule, ask: TokenAsk, refused?: Headers): Promise<Fetched> => {
		const name = nameOf(ask);
		const known = tokens.get(name);
		if (known !== undefined && Date.now() < known.goodUntil) {
			const done = await known.fetched;
			if (!done.ok || done.token.headers !== refused) return done;
		}
		const current = tokens.get(name);
		const kept = current === known || current === undefined ? start(rule, ask) : current;
		tokens.delete(name);
		tokens.set(name, kept);
		const [oldest] = tokens.keys();
		if (tokens.size > MAX_TOKENS && oldest !== undefined) tokens.delete(oldest);
		return await kept.fetched;
	};
};

/**
 * Creates the sign-in of one process. `http` must not be taped: what it hears are tokens. A secret
 * is read anew each time.
 */
export const createSignIn = (http: HttpClient, secretOf: SecretOf): SignIn => {
	const tokenFor = createTokens(http);
	return {
		headersFor: async (caller, signal, refused) => {
			const secret = await secretOf(caller.key);
			if (secret === null) return { ok: true, headers: {} };
			const rule = caller.signIn ?? { way: 'bearer' };
			if (rule.way === 'bearer') {
				return { ok: true, headers: { authorization: `Bearer ${secret}` } };
			}
			if (rule.way === 'header') return { ok: true, headers: { [rule.name]: secret } };
			const fetched = await tokenFor(rule, { caller, secret, signal }, refused);
			return fetched.ok ? { ok: true, headers: fetched.token.headers } : fetched;
		}
	};
};

/** A client whose requests to a source's own origin, and to no other, are let in. */
export const signedIn = (http: HttpClient, signIn: SignIn): HttpClient => {
	const ask =
		(send: HttpClient['exchange']): HttpClient['exchange'] =>
		async (asked: Ask) => {
			const { caller, url, signal } = asked;
			if (!isAtHome(caller, url)) return await send(asked);
			const admitted = await signIn.headersFor(caller, signal);
			if (!admitted.ok) return { ...admitted, maybeSent: false };
			const heard = await send(withHeaders(asked, admitted.headers));
			if (heard.status !== 401) return heard;
			// Tokens may be taken back early. A request that was not let in has done nothing yet.
			const again = await signIn.headersFor(caller, signal, admitted.headers);
			if (!again.ok || isDeepStrictEqual(again.headers, admitted.headers)) return heard;
			return await send(withHeaders(asked, again.headers));
		};
	return { exchange: ask(http.exchange), read: ask(http.read), close: http.close };
};

const isAtHome = (caller: Caller, url: string): boolean =>
	URL.canParse(caller.url) &&
	URL.canParse(url) &&
	new URL(url).origin === new URL(caller.url).origin;

const withHeaders = (asked: Ask, headers: Headers): Ask => ({
	...asked,
	headers: { ...asked.headers, ...headers }
});
