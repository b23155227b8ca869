// The one log: JSON lines of an event and its facts. Free text does not type-check, so that no
// name, number or reason of a patient gets into it.
import { randomBytes } from 'node:crypto';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'silent';

declare const publicly: unique symbol;
/** Text that somebody vouched for: it tells nothing of a patient. */
export type PublicText = string & { readonly [publicly]: true };

const LONGEST_TEXT = 200;

/** Vouches for a room name, a source's key, a host: never for anything a patient typed. */
export const publicText = (text: string): PublicText => text.slice(0, LONGEST_TEXT) as PublicText;

/** O28: a line that gives a source's number gives its key as well. */
type NamedSource<F> = string extends keyof F
	? unknown
	: 'sourceId' extends keyof F
		? { readonly source: PublicText }
		: unknown;

/** Numbers, booleans, ids, string literals; a plain `string` becomes `never`. */
export type LogFields<F> = NamedSource<F> & {
	readonly [K in keyof F]: F[K] extends number | boolean | null | undefined
		? F[K]
		: F[K] extends string
			? string extends F[K]
				? never
				: F[K]
			: F[K] extends string | number | boolean | null | undefined
				? string extends F[K]
					? never
					: F[K]
				: never;
};

type Write = <const F extends Record<string, unknown> = Record<string, never>>(
	event: string,
	fields?: LogFields<F>
) => void;

/**
 * - `error`: someone must act. `warn`: worse than it should be. `info`: worth counting.
 * - Events are snake_case facts (`hold_placed`).
 */
export type Log = {
	readonly error: Write;
	readonly warn: Write;
	readonly info: Write;
	readonly debug: Write;
	readonly child: <const F extends Record<string, unknown>>(fields: LogFields<F>) => Log;
};

/** Which source a line is about: its number, and the key by which an operator knows it. */
export const aboutSource = <const Id extends number>(
	sourceId: Id,
	key: string
): { readonly sourceId: Id; readonly source: PublicText } => ({
	sourceId,
	source: publicText(key)
});

export type LogOptions = {
	readonly name: string;
	readonly level: LogLevel;
	/** Default: standard output. */
	readonly destination?: DestinationStream;
};

const wrap = (logger: Logger): Log => ({
	error: (event, fields) => logger.error(fields ?? {}, event),
	warn: (event, fields) => logger.warn(fields ?? {}, event),
	info: (event, fields) => logger.info(fields ?? {}, event),
	debug: (event, fields) => logger.debug(fields ?? {}, event),
	child: (fields) => wrap(logger.child(fields))
});

export const createLog = ({ name, level, destination }: LogOptions): Log => {
	const options = {
		level,
		base: { process: name },
		messageKey: 'event',
		timestamp: stdTimeFunctions.isoTime,
		formatters: { level: (label: string) => ({ level: label }) }
	};
	// Written at once: what pino would otherwise keep is flushed on exit by a loop that never ends
	// when whoever read our output is gone (EPIPE in sonic-boom 4).
	return wrap(pino(options, destination ?? pino.destination({ dest: 1, sync: true })));
};

const STACK_LINES = 12;

const frameShape = /^\s+at .*(?::\d+:\d+|<anonymous>|native)\)?$/;

/** Only the frames: a stack begins with the message, which may hold lines that look like one. */
const framesOf = (error: unknown): PublicText => {
	if (!(error instanceof Error)) return '' as PublicText;
	const stack = error.stack ?? '';
	const messageAt = stack.indexOf(error.message);
	const frames = messageAt < 0 ? stack : stack.slice(messageAt + error.message.length);
	return frames
		.split('\n')
		.filter((line) => frameShape.test(line))
		.slice(0, STACK_LINES)
		.map((line) => line.trim())
		.join(' | ') as PublicText;
};

const codeOf = (error: unknown): string | null => {
	if (typeof error !== 'object' || error === null || !('code' in error)) return null;
	return typeof error.code === 'string' ? error.code.slice(0, 60) : null;
};

/**
 * Logs an exception by name, code and stack frames, never by its message: a driver may quote the
 * row it choked on. Returns the id under which a person can ask for it.
 */
export const logFault = <const F extends Record<string, unknown>>(
	log: Log,
	event: string,
	error: unknown,
	fields?: LogFields<F>
): string => {
	const faultId = randomBytes(4).toString('hex');
	const code = codeOf(error);
	const about = fields === undefined ? log : log.child<F>(fields);
	about.error(event, {
		faultId: publicText(faultId),
		fault: publicText(error instanceof Error ? error.name : typeof error),
		code: code === null ? null : publicText(code),
		frames: framesOf(error)
	});
	return faultId;
};
