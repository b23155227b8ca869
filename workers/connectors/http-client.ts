// The HTTP client of all connectors: deadline, byte cap, conditional requests, rate limit, address
// guard, no redirects. One private agent per source, so that no socket is ever shared.
import { Agent, request as undiciRequest } from 'undici';
import type { LookupFunction } from 'node:net';
import type { SignInRule, SourceSettings } from '#domain/source.ts';
import packageFile from '../../package.json' with { type: 'json' };
import { createGuardedConnect, refusalOfUrl, type Reach } from './address-guard.ts';
import { explainFault, explainStatus, unheard, type Heard, type Unheard } from './http-faults.ts';
import { canBeJson, headerOf, retryAfterOf } from './http-headers.ts';
import { createLocalManners, type HostManners, type HostOutcome } from './host-manners.ts';
import { HOST_BURST, HOST_REQUESTS_PER_S } from './rate-limit.ts';
import { BodyTooLarge, readBody } from './read-body.ts';
import type { Tape } from './tape.ts';

export type HttpClientOptions = {
	/** Hub-wide permission for sources that name `allowPrivate`. */
	readonly allowPrivate: boolean;
	readonly contactUrl?: string | undefined;
	readonly lookup?: LookupFunction | undefined;
	/** One exchange from first byte sent to last byte read, ms. Default 30,000. */
	readonly deadlineMs?: number | undefined;
	readonly connectMs?: number | undefined;
	readonly headersMs?: number | undefined;
	/** Longest pause between two pieces of a body, ms. */
	readonly bodyPauseMs?: number | undefined;
	/** After decompression. Default 32 MiB. */
	readonly bodyBytes?: number | undefined;
	readonly ratePerSecond?: number | undefined;
	readonly rateBurst?: number | undefined;
	/** Reads of one host under way at a time; default 6. */
	readonly hostConcurrency?: number | undefined;
	/** Manners shared with other processes; default: those of this one. */
	readonly manners?: HostManners | undefined;
	/** Takes down, or plays back, what is heard. */
	readonly tape?: Tape | undefined;
};

/** What the client needs to know of a source. */
export type Caller = {
	readonly key: string;
	readonly url: string;
	readonly allowPrivate: boolean;
	/** How the operator noted that we are let in; a secret alone goes as a bearer token. */
	readonly signIn?: SignInRule | undefined;
};

export const callerOf = ({ key, url, allowPrivate, notes }: SourceSettings): Caller => ({
	key,
	url,
	allowPrivate,
	signIn: notes.signIn
});

export type Ask = {
	readonly caller: Caller;
	readonly url: string;
	readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string;
	readonly signal: AbortSignal;
};

export type HttpClient = {
	/** One exchange, whatever the status; fails only when no whole answer came. */
	readonly exchange: (ask: Ask) => Promise<Heard | Unheard>;
	/** A read: only 200 and 304 are heard; every other status is mapped to a reason. */
	readonly read: (ask: Ask) => Promise<Heard | Unheard>;
	readonly close: () => Promise<void>;
};

const reachOf = (caller: Caller, allowPrivate: boolean): Reach => ({
	origin: new URL(caller.url).origin,
	allowPrivate: allowPrivate && caller.allowPrivate
});

const MAX_AGENTS = 500;
const CONNECTIONS = 6;
const MAX_HEADER_BYTES = 32_768;

const parseUrl = (text: string): URL | null => (URL.canParse(text) ? new URL(text) : null);

type Agents = {
	readonly of: (caller: Caller, reach: Reach) => Agent;
	readonly close: () => Promise<void>;
};

/** One agent per source and reach; the longest unused one goes when there are too many. */
const createAgents = (options: HttpClientOptions, deadlineMs: number): Agents => {
	const agents = new Map<string, Agent>();
	const make = (reach: Reach): Agent =>
		new Agent({
			connect: createGuardedConnect({
				reach,
				connectMs: options.connectMs ?? 5_000,
				lookup: options.lookup
			}),
			connections: CONNECTIONS,
			maxHeaderSize: MAX_HEADER_BYTES,
			headersTimeout: options.headersMs ?? deadlineMs,
			bodyTimeout: options.bodyPauseMs ?? 10_000,
			keepAliveTimeout: 20_000,
			keepAliveMaxTimeout: 60_000
		});
	return {
		of: (caller, reach) => {
			const name = `${caller.key} ${reach.origin} ${reach.allowPrivate}`;
			const agent = agents.get(name) ?? make(reach);
			agents.delete(name);
			agents.set(name, agent);
			const [oldest] = agents;
			if (agents.size > MAX_AGENTS && oldest !== undefined) {
				agents.delete(oldest[0]);
				oldest[1].destroy().catch(() => {});
			}
			return agent;
		},
		close: async () => {
			const open = [...agents.values()];
			agents.clear();
			await Promise.all(open.map((agent) => agent.destroy()));
		}
	};
};

type Sending = { agent: Agent; userAgent: string; maxBytes: number; signal: AbortSignal };

const send = async (ask: Ask, how: Sending): Promise<Heard | Unheard> => {
	let bytes = 0;
	try {
		const answer = await undiciRequest(ask.url, {
			dispatcher: how.agent,
			method: ask.method ?? 'GET',
			headers: { 'user-agent': how.userAgent, 'accept-encoding': 'gzip, br', ...ask.headers },
			body: ask.body ?? null,
			signal: how.signal
		});
		if (Number(headerOf(answer.headers, 'content-length') ?? 0) > how.maxBytes) {
			answer.body.on('error', () => {}).destroy();
			throw new BodyTooLarge('content-length');
		}
		const read = await readBody(answer.body, {
			encoding: headerOf(answer.headers, 'content-encoding'),
			maxBytes: how.maxBytes,
			onBytes: (count) => {
				bytes += count;
			}
		});
		return { ok: true, status: answer.statusCode, headers: answer.headers, ...read };
	} catch (error) {
		return explainFault(error, bytes, how.signal.aborted);
	}
};

/** A server may close an idle connection just as we reuse it: a read may be asked once more. */
const mayAskAgain = (ask: Ask, first: Heard | Unheard): boolean =>
	!first.ok &&
	(ask.method ?? 'GET') === 'GET' &&
	first.reason === 'unreachable' &&
	first.maybeSent &&
	first.bytes === 0;

/** What an exchange says of its host: a refusal of us counts as a wish for less, never as a puzzle. */
const outcomeOf = (heard: Heard | Unheard): HostOutcome => {
	if (!heard.ok) {
		const isHosts = heard.reason === 'unreachable' || heard.reason === 'timeout';
		return isHosts ? { state: 'fault', retryAfterMs: null } : { state: 'none' };
	}
	const retryAfterMs = retryAfterOf(heard.headers, Date.now());
	if (heard.status === 429 || heard.status === 403) return { state: 'slow_down', retryAfterMs };
	return heard.status >= 500 ? { state: 'fault', retryAfterMs } : { state: 'well' };
};

const mannersOf = (options: HttpClientOptions): HostManners =>
	options.manners ??
	createLocalManners({
		perSecond: options.ratePerSecond ?? HOST_REQUESTS_PER_S,
		burst: options.rateBurst ?? HOST_BURST,
		concurrency: options.hostConcurrency ?? CONNECTIONS
	});

/** Creates the client. close() ends all connections at once. */
export const createHttpClient = (options: HttpClientOptions): HttpClient => {
	const deadlineMs = options.deadlineMs ?? 30_000;
	const maxBytes = options.bodyBytes ?? 32 * 1_048_576;
	const manners = mannersOf(options);
	const contact = options.contactUrl ?? 'https://slotcast.example/polling';
	const userAgent = `Slotcast/${packageFile.version} (+${contact})`;
	const agents = createAgents(options, deadlineMs);

	const speak = async (ask: Ask, isPoll: boolean): Promise<Heard | Unheard> => {
		const url = parseUrl(ask.url);
		if (url === null || parseUrl(ask.caller.url) === null) {
			return unheard('misconfigured', 'The address is no URL.', { maybeSent: false });
		}
		const reach = reachOf(ask.caller, options.allowPrivate);
		const refusal = refusalOfUrl(url, reach);
		if (refusal !== null) return unheard('refused_address', refusal, { maybeSent: false });
		const signal = AbortSignal.any([ask.signal, AbortSignal.timeout(deadlineMs)]);
		const turn = await manners.enter({
			host: url.host,
			source: ask.caller.key,
			isPoll,
			longestMs: deadlineMs,
			signal
		});
		if (turn.state === 'rest') {
			const more = { maybeSent: false, retryAfterMs: Math.ceil(turn.waitMs) };
			return unheard('throttled', 'The host rests: several of its sources failed.', more);
		}
		if (turn.state === 'full') {
			return unheard('throttled', 'Our own limit for this host was reached.', { maybeSent: false });
		}
		const how = { agent: agents.of(ask.caller, reach), userAgent, maxBytes, signal };
		const first = await send(ask, how);
		const heard = mayAskAgain(ask, first) && !signal.aborted ? await send(ask, how) : first;
		await turn.leave(outcomeOf(heard));
		return heard;
	};
	const { tape } = options;
	const converse = (ask: Ask, isPoll: boolean): Promise<Heard | Unheard> =>
		tape === undefined ? speak(ask, isPoll) : tape(ask, () => speak(ask, isPoll));
	const exchange = (ask: Ask): Promise<Heard | Unheard> => converse(ask, false);

	const read = async (ask: Ask): Promise<Heard | Unheard> => {
		const heard = await converse(ask, true);
		if (!heard.ok || heard.status === 304) return heard;
		if (heard.status !== 200) return explainStatus(heard);
		if (canBeJson(heard.headers)) return heard;
		return unheard('not_understood', 'The source sent something that is not JSON.', {
			bytes: heard.bytes,
			status: 200
		});
	};

	return { exchange, read, close: agents.close };
};
