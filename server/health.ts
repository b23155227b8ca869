// Knows whether Postgres answers, without asking it anew for every request: one small question a
// second, kept up while the hub runs.
import type { Sql } from '#server/platform/postgres.ts';

const ASK_EVERY_MS = 1_000;
/** Longer than this without an answer and the database counts as down. */
const SILENT_MS = 4_000;

export type DatabaseWatch = {
	/** The last question was answered, and not long ago. */
	isUp(): boolean;
	close(): void;
};

/** `now` in ms of a clock that only goes forward. */
export const watchDatabase = (
	sql: Sql,
	now: () => number = () => performance.now()
): DatabaseWatch => {
	let answeredAt = now();
	let isUp = true;
	let isAsking = false;
	const ask = async (): Promise<void> => {
		if (isAsking) return;
		isAsking = true;
		try {
			await sql`select 1`;
			answeredAt = now();
			isUp = true;
		} catch {
			isUp = false;
		} finally {
			isAsking = false;
		}
	};
	const timer = setInterval(() => void ask(), ASK_EVERY_MS);
	return {
		isUp: () => isUp && now() - answeredAt < SILENT_MS,
		close: () => clearInterval(timer)
	};
};

/** Codes of the driver and of SQLSTATE classes 08, 53, 57P that mean "not now", not "wrong". */
const unavailableCodes = new Set([
	'CONNECTION_CLOSED',
	'CONNECTION_ENDED',
	'CONNECTION_DESTROYED',
	'CONNECT_TIMEOUT',
	'ECONNREFUSED',
	'ECONNRESET',
	'EPIPE',
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
