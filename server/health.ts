// Knows whether Postgres answers, without asking it anew for every request: one small question a
// second over a connection of its own, so that it waits behind nobody's long statement.
import type { HubApi } from '#domain/api.ts';
import type { Log } from '#server/platform/log.ts';
import { createPostgres } from '#server/platform/postgres.ts';

const ASK_EVERY_MS = 1_000;
/** The question is given up after this, so that a server that comes back is seen at once. */
const STATEMENT_TIMEOUT_MS = 2_000;
/** So many turns without an answer and the database counts as away. */
const SILENT_TURNS = 4;

export type DatabaseWatch = {
	/** The last question was answered, and not long ago. */
	isUp(): boolean;
	/** Nothing was answered for four seconds: whoever asks it now would only wait. */
	isSilent(): boolean;
	close(): Promise<void>;
};

/**
 * Counts turns, not time: a hub that itself stood still has asked no question, and blames nobody.
 */
export const watchDatabase = (url: string, log: Log): DatabaseWatch => {
	const sql = createPostgres(url, {
		max: 1,
		applicationName: 'slotcast-watch',
		statementTimeoutMs: STATEMENT_TIMEOUT_MS
	});
	let unanswered = 0;
	let isUp = true;
	let isAsking = false;
	const isSilent = (): boolean => unanswered >= SILENT_TURNS;
	const hear = (): void => {
		if (isSilent()) log.info('postgres_answers', { silentS: unanswered });
		unanswered = 0;
		isUp = true;
	};
	const ask = async (): Promise<void> => {
		unanswered += 1;
		if (unanswered === SILENT_TURNS) log.warn('postgres_silent');
		if (isAsking) return;
		isAsking = true;
		try {
			await sql`select 1`;
			hear();
		} catch {
			isUp = false;
		} finally {
			isAsking = false;
		}
	};
	const timer = setInterval(() => void ask(), ASK_EVERY_MS);
	return {
		isUp: () => isUp && !isSilent(),
		isSilent,
		close: async () => {
			clearInterval(timer);
			await sql.end({ timeout: 0 });
		}
	};
};

const SILENT = 'DATABASE_SILENT';

const refused = (): Promise<never> =>
	Promise.reject(Object.assign(new Error('Postgres does not answer'), { code: SILENT }));

/** Use cases stand in the hub's API by name, some in groups. */
const guard = (useCases: object, isSilent: () => boolean): object =>
	Object.fromEntries(
		Object.entries(useCases).map(([name, one]: [string, unknown]) => [
			name,
			typeof one === 'function'
				? (...args: unknown[]) => (isSilent() ? refused() : Reflect.apply(one, useCases, args))
				: guard(Object(one), isSilent)
		])
	);

/**
 * The same use cases; while Postgres is silent each is refused at once instead of joining those who
 * wait for it, as a fault that `isUnavailable` knows.
 */
export const refuseInSilence = (hub: HubApi, isSilent: () => boolean): HubApi =>
	guard(hub, isSilent) as HubApi;

/** Codes of the driver and of SQLSTATE classes 08, 53, 57P that mean "not now", not "wrong". */
const unavailableCodes = new Set([
	'CONNECTION_CLOSED',
	'CONNECTION_ENDED',
	'CONNECTION_DESTROYED',
	'CONNECT_TIMEOUT',
	'ECONNREFUSED',
	'ECONNRESET',
	'EPIPE',
	SILENT,
	'53300',
	'57P01',
	'57P02',
	'57P03'
]);

/** True for faults that mean "the database is away": answered 503, worth trying again. */
export const isUnavailable = (error: unknown): boolean => {
	const code = error instanceof Error ? Reflect.get(error, 'code') : undefined;
	return typeof code === 'string' && (unavailableCodes.has(code) || code.startsWith('08'));
};
