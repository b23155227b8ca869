// Being let in at FHIR servers: keys, client secrets and signed statements, checked by a server that
// verifies them itself (node:crypto, not the library that signs).
import { createPublicKey, generateKeyPairSync, verify, type JsonWebKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { SourceSecret } from '#domain/source-desk.ts';
import type { SignInRule } from '#domain/source.ts';
import { createHttpClient } from '#workers/connectors/http-client.ts';
import { createSignIn, noSignIn, signedIn } from '#workers/connectors/sign-in.ts';
import { createRecorder, playTape } from '#workers/connectors/tape.ts';
import { mustClose } from '../../support/leaks.ts';
import { startFakeServer, type Asked, type Told } from './fake-server.ts';
import { createPoller, factsOf, makeConnectors, makeSource, spoken } from './poll-once.ts';

const now = Date.UTC(2026, 10, 30, 12);
const CLIENT = 'slotcast-hub';

const slot = {
	resourceType: 'Slot',
	id: 's1',
	schedule: { reference: 'Schedule/a' },
	status: 'free',
	start: '2026-12-01T16:00:00Z',
	end: '2026-12-01T16:30:00Z'
};
const bundle = (resource: object) => ({
	resourceType: 'Bundle',
	type: 'searchset',
	entry: [{ resource, search: { mode: 'match' } }]
});

const fhirAnswer = ({ url }: Asked): Told => {
	if (url.pathname === '/fhir/Slot') return { body: bundle(slot) };
	if (url.pathname === '/fhir/Schedule') {
		return {
			body: bundle({ resourceType: 'Schedule', id: 'a', actor: [{ display: 'Dr A' }] })
		};
	}
	return { status: 404, body: {} };
};

type Door = {
	/** What a token request is answered with. */
	token: (asked: Asked) => Told;
	/** Whether these headers let in. */
	lets: (headers: Asked['headers']) => boolean;
};

/** A FHIR server that lets nobody in without what `door` wants. */
const startGuarded = async (door: Door) => {
	const server = await startFakeServer((asked) => {
		if (asked.url.pathname === '/token') return door.token(asked);
		return door.lets(asked.headers) ? fhirAnswer(asked) : { status: 401, body: {} };
	});
	const asked = (path: string) => server.asked.filter(({ url }) => url.pathname === path);
	return Object.assign(server, { countOf: (path: string) => asked(path).length });
};

type Guarded = Awaited<ReturnType<typeof startGuarded>>;

const pollerOf = (
	server: Guarded,
	secret: string | null,
	signIn?: Record<string, unknown> & { way: string }
) => {
	const connectors = makeConnectors({ secretOf: async () => secret });
	const source = makeSource({
		kind: 'fhir-slots',
		url: `${server.url}/fhir`,
		notes: signIn === undefined ? {} : { signIn: signIn as SignInRule }
	});
	const poller = createPoller(connectors['fhir-slots'], source, () => now);
	return Object.assign(connectors, { poll: poller.poll, source });
};

/** Tokens `t1`, `t2` …, each good for `seconds`; `revoke` ends all of them. */
const issueTokens = (seconds: number) => {
	let count = 0;
	let good = new Set<string>();
	return {
		give: (): Told => {
			count += 1;
			good.add(`Bearer t${count}`);
			return { body: { access_token: `t${count}`, token_type: 'bearer', expires_in: seconds } };
		},
		lets: (headers: Asked['headers']) => good.has(headers['authorization'] ?? ''),
		revoke: () => {
			good = new Set();
		}
	};
};

const keyPairs = {
	ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
	RS384: () => generateKeyPairSync('rsa', { modulusLength: 2048 })
} as const;

const decode = (part: string): Record<string, unknown> =>
	JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;

/** What SMART Backend Services 2.2 asks a server to check; the reason when one fails. */
const faultOf = (
	asked: Asked,
	{ publicJwk, url, seen }: { publicJwk: JsonWebKey; url: string; seen: Set<unknown> }
): string | null => {
	const form = new URLSearchParams(asked.body);
	if (form.get('grant_type') !== 'client_credentials') return 'grant_type';
	if (form.get('scope') !== 'system/Slot.rs') return 'scope';
	const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
	if (form.get('client_assertion_type') !== type) return 'client_assertion_type';
	const [head = '', claims = '', signature = ''] = (form.get('client_assertion') ?? '').split('.');
	const { alg, kid, typ } = decode(head);
	if (typ !== 'JWT' || kid !== 'key-1' || (alg !== 'ES384' && alg !== 'RS384')) return 'header';
	const { iss, sub, aud, exp, jti } = decode(claims);
	if (iss !== CLIENT || sub !== CLIENT) return 'client';
	if (aud !== `${url}/token`) return 'audience';
	const leftS = Number(exp) - Date.now() / 1_000;
	if (!(leftS > 0 && leftS <= 300)) return 'expiry';
	if (typeof jti !== 'string' || seen.has(jti)) return 'repeated';
	seen.add(jti);
	const key = createPublicKey({ key: publicJwk, format: 'jwk' });
	const isSigned = verify(
		'sha384',
		Buffer.from(`${head}.${claims}`),
		alg === 'ES384' ? { key, dsaEncoding: 'ieee-p1363' } : key,
		Buffer.from(signature, 'base64url')
	);
	return isSigned ? null : 'signature';
};

const backendRule = (server: Guarded) => ({
	way: 'smart-backend',
	tokenUrl: `${server.url}/token`,
	clientId: CLIENT,
	keyId: 'key-1',
	scope: 'system/Slot.rs'
});

test.each(['ES384', 'RS384'] as const)(
	'[A93] a statement signed with %s is what SMART Backend Services asks for, and its token serves many polls',
	async (alg) => {
		const { privateKey, publicKey } = keyPairs[alg]();
		const publicJwk = publicKey.export({ format: 'jwk' });
		const tokens = issueTokens(300);
		const faults: (string | null)[] = [];
		const seen = new Set<unknown>();
		const door: Door = {
			token: (asked) => {
				const fault = faultOf(asked, { publicJwk, url: server.url, seen });
				faults.push(fault);
				return fault === null ? tokens.give() : { status: 400, body: { error: fault } };
			},
			lets: tokens.lets
		};
		const server: Guarded = await startGuarded(door);
		await using _server = server;
		const secret = JSON.stringify(privateKey.export({ format: 'jwk' }));
		await using hub = pollerOf(server, secret, backendRule(server));
		expect(factsOf(await hub.poll())).toHaveLength(1);
		expect(spoken(await hub.poll()).state).toBe('complete');
		expect(faults).toEqual([null]);
		expect(server.countOf('/fhir/Slot')).toBe(2);
	}
);

const { privateKey } = keyPairs.ES384();
const ourKey = JSON.stringify(privateKey.export({ format: 'jwk' }));

test('[A94] a token that runs out or is taken back is fetched anew, once for all who wait', async () => {
	const tokens = issueTokens(300);
	await using server = await startGuarded({ token: tokens.give, lets: tokens.lets });
	await using hub = pollerOf(server, ourKey, backendRule(server));
	await hub.poll();
	tokens.revoke();
	expect(factsOf(await hub.poll({ wantFull: true }))).toHaveLength(1);
	expect(server.countOf('/token')).toBe(2);
	tokens.revoke();
	const polls = await Promise.all(
		Array.from({ length: 5 }, () => hub.poll({ wantFull: true, commit: false }))
	);
	expect(polls.map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => 'complete'));
	expect(server.countOf('/token')).toBe(3);
});

test('[A94] a token is not used to its last moment', async () => {
	const tokens = issueTokens(0.001);
	await using server = await startGuarded({ token: tokens.give, lets: tokens.lets });
	await using hub = pollerOf(server, ourKey, backendRule(server));
	await hub.poll();
	const before = server.countOf('/token');
	await new Promise((done) => setTimeout(done, 5));
	await hub.poll();
	expect(server.countOf('/token')).toBeGreaterThan(before);
});

test('[A94] a source that refuses every token is asked twice, not for ever', async () => {
	const tokens = issueTokens(300);
	await using server = await startGuarded({ token: tokens.give, lets: () => false });
	await using hub = pollerOf(server, ourKey, backendRule(server));
	expect(await hub.poll()).toMatchObject({ state: 'silent', reason: 'unauthorized' });
	expect(server.countOf('/fhir/metadata')).toBe(2);
	expect(server.countOf('/token')).toBe(2);
});

test('[A93] a client secret goes form-encoded as Basic, to the address of the sign-in only', async () => {
	const tokens = issueTokens(300);
	const heard: string[] = [];
	await using server = await startGuarded({
		token: ({ headers }) => {
			heard.push(headers['authorization'] ?? '');
			return tokens.give();
		},
		lets: tokens.lets
	});
	const rule = { way: 'client-secret', tokenUrl: `${server.url}/token`, clientId: 'hub:1' };
	await using hub = pollerOf(server, 's%cret', rule);
	expect(factsOf(await hub.poll())).toHaveLength(1);
	expect(heard).toEqual([`Basic ${Buffer.from('hub%3A1:s%25cret').toString('base64')}`]);
	expect(server.asked.some(({ url }) => url.href.includes('cret'))).toBe(false);
});

test.each([
	['no rule', undefined, { authorization: 'Bearer the-key' }],
	['bearer', { way: 'bearer' }, { authorization: 'Bearer the-key' }],
	['header', { way: 'header', name: 'x-api-key' }, { 'x-api-key': 'the-key' }]
])(
	'[A93] %s: the secret of the source goes with every request, reading and writing',
	async (_name, rule, wanted) => {
		const lets = (headers: Asked['headers']) =>
			Object.entries(wanted).every(([name, value]) => headers[name] === value);
		await using server = await startGuarded({ token: () => ({ status: 404 }), lets });
		await using hub = pollerOf(server, 'the-key', rule);
		expect(factsOf(await hub.poll())).toHaveLength(1);
		const found = await must(hub['fhir-slots'].findBooking)({
			source: hub.source,
			bookingId: '0b9f6a3e-1d0c-4a43-9a5e-7b0d8d1c2f10',
			signal: AbortSignal.timeout(5_000)
		});
		expect(found).toMatchObject({ state: 'unknown' });
		const written = must(server.asked.at(-1));
		expect(written.url.pathname).toBe('/fhir/Appointment');
		expect(lets(written.headers)).toBe(true);
	}
);

test('[A95] without a secret nothing is sent, and a refusal is told as one', async () => {
	await using server = await startGuarded({ token: () => ({ status: 404 }), lets: () => false });
	await using hub = pollerOf(server, null);
	expect(await hub.poll()).toMatchObject({ state: 'silent', reason: 'unauthorized' });
	expect(server.asked.every(({ headers }) => headers['authorization'] === undefined)).toBe(true);
	expect(server.asked).toHaveLength(1);
});

test.each([
	['a refused client', { status: 400, body: { error: 'invalid_client' } }, 'unauthorized'],
	['a sign-in in trouble', { status: 503, body: {} }, 'http_error'],
	[
		'a token that is none',
		{ body: { access_token: 'a b', token_type: 'bearer' } },
		'not_understood'
	],
	['another kind of token', { body: { access_token: 'ab', token_type: 'mac' } }, 'not_understood'],
	['no JSON', { body: '<html>' }, 'not_understood'],
	['no answer', { body: null }, 'unreachable']
] as const)(
	'[A95] %s: silent for that reason, and the source is not asked',
	async (_name, told, reason) => {
		await using server = await startGuarded({ token: () => told, lets: () => true });
		await using hub = pollerOf(server, ourKey, backendRule(server));
		expect(await hub.poll()).toMatchObject({ state: 'silent', reason });
		expect(server.countOf('/fhir/metadata')).toBe(0);
	}
);

test.each([
	['no JSON', 'abc'],
	['a public key', JSON.stringify({ kty: 'EC', crv: 'P-384', x: 'a', y: 'b' })],
	['another curve', JSON.stringify({ kty: 'EC', crv: 'P-256', d: 'a', x: 'a', y: 'b' })],
	['a broken key', JSON.stringify({ kty: 'RSA', d: 'a', n: 'b', e: 'AQAB' })]
])(
	'[A95] %s cannot sign: nothing is sent, and the operator is told what is needed',
	async (_name, secret) => {
		await using server = await startGuarded({ token: () => ({ status: 500 }), lets: () => true });
		await using hub = pollerOf(server, secret, backendRule(server));
		expect(await hub.poll()).toMatchObject({
			state: 'silent',
			reason: 'misconfigured',
			detail: expect.stringContaining('private key')
		});
		expect(server.asked).toHaveLength(0);
	}
);

test('[A95] neither token nor key is on a tape, and what is played back signs in nowhere', async () => {
	const tokens = issueTokens(300);
	await using server = await startGuarded({ token: tokens.give, lets: tokens.lets });
	const recorder = createRecorder();
	const secretOf = async () => ourKey;
	await using hub = makeConnectors({ secretOf, tape: recorder.tape });
	const signIn = backendRule(server) as SignInRule;
	const source = makeSource({ kind: 'fhir-slots', url: `${server.url}/fhir`, notes: { signIn } });
	const poller = createPoller(hub['fhir-slots'], source, () => now);
	const { exchanges } = await recorder.record(() => poller.poll());
	const text = JSON.stringify(exchanges.map(({ body, ...rest }) => [rest, body.toString()]));
	expect(text).not.toMatch(/access_token|"t1"|"d":/);
	const before = server.asked.length;
	await using played = makeConnectors({ secretOf, tape: playTape(exchanges), signIn: noSignIn });
	const again = createPoller(played['fhir-slots'], source, () => now);
	expect(factsOf(await again.poll())).toHaveLength(1);
	expect(server.asked).toHaveLength(before);
});

test('[A95] another origin never gets what is meant for the source', async () => {
	await using server = await startFakeServer(() => ({ body: {} }));
	await using other = await startFakeServer(() => ({ body: {} }));
	const http = mustClose(
		'http client',
		createHttpClient({ allowPrivate: true, ratePerSecond: 1_000 })
	);
	const client = signedIn(
		http,
		createSignIn(http, async () => 'the-key')
	);
	const ask = { caller: { key: 'a', url: server.url, allowPrivate: true } };
	const signal = AbortSignal.timeout(5_000);
	await client.exchange({ ...ask, url: `${server.url}/a`, signal });
	await client.exchange({ ...ask, url: `${other.url}/a`, signal });
	expect(must(server.asked[0]).headers['authorization']).toBe('Bearer the-key');
	expect(other.asked.every(({ headers }) => headers['authorization'] === undefined)).toBe(true);
	await http.close();
});

test('[E14] a private key may be written over several lines', () => {
	const pretty = JSON.stringify(JSON.parse(ourKey), null, 2);
	expect(SourceSecret.parse(pretty)).toBe(ourKey);
	expect(SourceSecret.safeParse('{ not json').success).toBe(false);
});
