// Connections to Postgres: bigints come back as numbers, timestamps as Instants, both ways.
// Every session speaks UTC and ISO dates and cannot run, idle or be waited for without end.
import type postgresTypes from 'postgres';
import { HOUR_MS, MINUTE_MS, SECOND_MS, toInstant, type Instant } from '#domain/time.ts';
import { arrayType } from './postgres-arrays.ts';
import { createSocketFactory } from './postgres-socket.ts';
import { postgres } from './postgres-driver.ts';

/** What may stand in a statement besides strings, numbers, booleans and JSON. */
type Types = { [K in keyof typeof types]: ReturnType<(typeof types)[K]['parse']> };
export type Sql = postgresTypes.Sql<Types>;
export type Tx = postgresTypes.TransactionSql<Types>;
/** A connection pool or a transaction: for statements that run in either. */
export type Queryable = postgresTypes.ISql<Types>;

/** The role without rights over the tables' rules: row-level security applies to it. */
export const HUB_ROLE = 'slotcast_hub';

export type PostgresOptions = {
	/** Most connections at a time. */
	readonly max?: number;
	/** Role taken by every session, e.g. HUB_ROLE; without it the role of the URL. */
	readonly role?: string;
	readonly applicationName: string;
	/**
	 * A statement longer than this is cancelled by the server, ms; a server that then does not even
	 * say so is given up. Infinity: no limit, for migrations.
	 */
	readonly statementTimeoutMs?: number;
};

const DEFAULT_POOL = 10;
const STATEMENT_TIMEOUT_MS = 30_000;
/** For the server to say that a statement was cancelled. */
const SAY_SO_MS = 2_000;
const IDLE_TRANSACTION_MS = 60_000;
const CONNECT_TIMEOUT_S = 10;
/** The driver's own goes up to 20 s; a restarted Postgres must be found again within seconds. */
const RETRY_S = 0.05;

const shape = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?(\+00)?$/;

const twoDigits = (text: string, at: number): number =>
	text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 528;

/** Text of a timestamptz (session in UTC) → ms; microseconds are cut, not rounded. */
export const parseTimestamp = (text: string): Instant => {
	if (text === 'infinity') return toInstant(Infinity);
	if (text === '-infinity') return toInstant(-Infinity);
	if (!shape.test(text)) {
		throw new Error(`not a UTC timestamp within years 0001 to 9999: ${text}`);
	}
	const ms =
		dayStart(text.slice(0, 10)) +
		twoDigits(text, 11) * HOUR_MS +
		twoDigits(text, 14) * MINUTE_MS +
		twoDigits(text, 17) * SECOND_MS;
	return toInstant(text.charAt(19) === '.' ? ms + fractionMs(text) : ms);
};

const fractionMs = (text: string): number => {
	const digits = text.slice(20, 23).replace(/\D.*$/, '');
	return Number(digits.padEnd(3, '0'));
};

const days = new Map<string, number>();
const MAX_DAYS = 2_000;

/** A poll reads tens of thousands of instants of a few days. */
const dayStart = (day: string): number => {
	const known = days.get(day);
	if (known !== undefined) return known;
	const ms = Date.parse(`${day}T00:00:00Z`);
	if (days.size >= MAX_DAYS) days.clear();
	days.set(day, ms);
	return ms;
};

export const formatTimestamp = (value: Instant): string => {
	if (value === Infinity) return 'infinity';
	if (value === -Infinity) return '-infinity';
	return new Date(value).toISOString();
};

const parseBigint = (text: string): number => {
	const value = Number(text);
	if (!Number.isSafeInteger(value)) throw new Error(`bigint out of a number's reach: ${text}`);
	return value;
};

const plain = (text: string): string => text;
const isTrue = (text: string): boolean => text === 't';
const writeNumber = (value: number): string => String(value);

/** Numbers of types: pg_type.dat; they are the same in every Postgres. */
const types = {
	bigint: { to: 20, from: [20], serialize: writeNumber, parse: parseBigint },
	date: { to: 1184, from: [1114, 1184], serialize: formatTimestamp, parse: parseTimestamp },
	// A calendar date stays the text it is: it has no zone.
	day: { to: 1082, from: [1082], serialize: plain, parse: plain },
	booleans: arrayType(1000, isTrue, (value: boolean) => (value ? 't' : 'f')),
	smallints: arrayType(1005, Number, writeNumber),
	integers: arrayType(1007, Number, writeNumber),
	texts: arrayType(1009, plain, plain),
	varchars: arrayType(1015, plain, plain),
	bigints: arrayType(1016, parseBigint, writeNumber),
	doubles: arrayType(1022, Number, writeNumber),
	dates: arrayType(1185, parseTimestamp, formatTimestamp),
	uuids: arrayType(2951, plain, plain)
};

/** Opens a pool; nothing connects before the first query. End it with `sql.end({ timeout })`. */
export const createPostgres = (url: string, options: PostgresOptions): Sql => {
	const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
	const connection = {
		application_name: options.applicationName,
		TimeZone: 'UTC',
		DateStyle: 'ISO',
		statement_timeout: statementTimeoutMs === Infinity ? 0 : statementTimeoutMs,
		idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
		...(options.role === undefined ? {} : { role: options.role })
	};
	const settings = {
		max: options.max ?? DEFAULT_POOL,
		connect_timeout: CONNECT_TIMEOUT_S,
		backoff: () => RETRY_S,
		onnotice: () => {},
		fetch_types: false,
		socket: createSocketFactory({
			answerMs: statementTimeoutMs + SAY_SO_MS,
			connectMs: CONNECT_TIMEOUT_S * SECOND_MS
		}),
		connection,
		types
	};
	return postgres(url, settings);
};

const OLDEST_VERSION = 150_000;

/** Throws an Error of one sentence when the server cannot be used; it is safe to show. */
export const checkPostgres = async (sql: Queryable): Promise<void> => {
	const [row] = await sql<{ number: number; version: string }[]>`
		select current_setting('server_version_num')::int as number,
			current_setting('server_version') as version`;
	if (row !== undefined && row.number >= OLDEST_VERSION) return;
	throw new Error(
		`Slotcast needs PostgreSQL 15 or newer, and DATABASE_URL leads to ${row?.version ?? 'an unknown version'}: point it to a newer server.`
	);
};
