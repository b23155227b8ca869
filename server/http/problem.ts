// Refusals and faults as problem details (RFC 9457): one table gives status and words, and no
// exception's text ever leaves the hub.
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import { refusals } from '#domain/refusals.ts';
import type { RefusalReason } from '#domain/refusals.ts';
import type { Refused, Result } from '#domain/result.ts';
import { wrongFieldsOf } from '#domain/wrong-field.ts';
import { logFault, publicText } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';

export const PROBLEM_TYPE = 'application/problem+json';
/** Seconds to wait when the hub is busy, restarting or without its database. */
const RETRY_AFTER_S = 5;

/** Names are words of ours: they stand in JSON as they are. */
type Extensions = Readonly<Record<string, unknown>>;

export const isRefusalReason = (text: string): text is RefusalReason =>
	Object.hasOwn(refusals, text);

const titleOf = (reason: string): string => {
	const words = reason.replaceAll('_', ' ');
	return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
};

/** Each reason's problem, written out once, without its first brace: extensions may come before. */
const problems = new Map<string, string>(
	Object.entries(refusals).map(([reason, { status, text: detail }]) => {
		const type = `/problems/${reason.replaceAll('_', '-')}`;
		const problem = { type, title: titleOf(reason), status, detail, reason };
		return [reason, JSON.stringify(problem).slice(1)];
	})
);

const writtenLists = new WeakMap<readonly unknown[], string>();

/** All who lose a race are offered the same list (B10): it is written out for the first of them. */
const writeList = (list: readonly unknown[]): string => {
	const known = writtenLists.get(list);
	if (known !== undefined) return known;
	const text = JSON.stringify(list);
	writtenLists.set(list, text);
	return text;
};

const writeProblem = (reason: RefusalReason, extensions: Extensions): string => {
	let text = '{';
	for (const [name, value] of Object.entries(extensions)) {
		if (value === undefined) continue;
		text += `"${name}":${Array.isArray(value) ? writeList(value) : JSON.stringify(value)},`;
	}
	return text + problems.get(reason);
};

/** X6: `type` is a page of ours per reason, `detail` the table's sentence. */
export const sendRefusal = (
	res: Response,
	reason: RefusalReason,
	extensions: Extensions = {}
): void => {
	const { status } = refusals[reason];
	if (status === 503) res.set('Retry-After', String(RETRY_AFTER_S));
	const body = writeProblem(reason, extensions);
	res.statusCode = status;
	res.setHeader('Cache-Control', 'no-store');
	res.setHeader('Content-Type', `${PROBLEM_TYPE}; charset=utf-8`);
	res.setHeader('Content-Length', Buffer.byteLength(body));
	// Text, not through `send`: head and body leave in one write, and who lost a race is one of many.
	res.end(body);
};

/** The value as JSON, or the refusal as a problem. Personal by default: nobody may store it. */
export const sendResult = <T>(
	res: Response,
	result: Result<T, RefusalReason>,
	status = 200
): void => {
	if (!result.ok) sendRefusal(res, result.reason, result.details);
	else if (result.value === null) res.status(204).set('Cache-Control', 'no-store').end();
	else res.status(status).set('Cache-Control', 'no-store').json(result.value);
};

const MAX_ERRORS = 20;

const reasonOf = (issues: readonly z.core.$ZodIssue[]): RefusalReason => {
	const [first, ...others] = issues;
	const only = others.length === 0 ? first?.message : undefined;
	return only !== undefined && isRefusalReason(only) ? only : 'bad_request';
};

/** What a schema found wrong: a single unknown code is its own reason, the rest `bad_request`. */
export const refusalOfIssues = (error: z.ZodError): Refused<RefusalReason> => ({
	ok: false,
	reason: reasonOf(error.issues),
	details: {
		errors: wrongFieldsOf(error, MAX_ERRORS)
	}
});

/** GET /problems/:reason: what `type` of a problem leads to, for whoever follows it. */
export const problemPage: RequestHandler = (req, res, next) => {
	const reason = String(req.params['reason']).replaceAll('-', '_');
	if (!isRefusalReason(reason)) {
		next();
		return;
	}
	const { status, text } = refusals[reason];
	res
		.set('Cache-Control', 'public, max-age=3600')
		.type('text/plain')
		.send(`${titleOf(reason)} (HTTP ${status})\n\n${text}\n`);
};

export const notFound: RequestHandler = (_req, res) => {
	res
		.status(404)
		.type(PROBLEM_TYPE)
		.send(
			JSON.stringify({
				type: 'about:blank',
				title: 'Not Found',
				status: 404,
				detail: 'There is nothing at this address.'
			})
		);
};

/** Faults of body-parser carry a status; they are the caller's, not ours. */
const statusOf = (error: unknown): number => {
	const status =
		typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined;
	return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
};

const plainProblem = (res: Response, status: number, error: unknown): void => {
	const title = status === 413 ? 'Content Too Large' : 'Bad Request';
	const limit = typeof error === 'object' && error !== null ? Reflect.get(error, 'limit') : null;
	const most = typeof limit === 'number' ? limit / 1_024 : 16;
	const detail =
		status === 413 ? `A request may have at most ${most} kB.` : refusals.bad_request.text;
	const type = status === 413 ? 'about:blank' : '/problems/bad-request';
	res
		.status(status === 413 ? 413 : 400)
		.type(PROBLEM_TYPE)
		.send(JSON.stringify({ type, title, status: status === 413 ? 413 : 400, detail }));
};

/**
 * X7: the one place where an exception ends. Logged with an id; the caller is told the id, or, when
 * the database is away, to come back.
 */
export const createFaultHandler =
	(log: Log, isUnavailable: (error: unknown) => boolean): ErrorRequestHandler =>
	(error: unknown, req: Request, res: Response, next) => {
		if (res.headersSent) {
			next(error);
			return;
		}
		const status = statusOf(error);
		if (status < 500) {
			plainProblem(res, status, error);
			return;
		}
		const id = logFault(log, 'http_fault', error, { request: publicText(req.id) });
		if (isUnavailable(error)) sendRefusal(res, 'busy_try_again', { id });
		else sendRefusal(res, 'something_broke', { id });
	};

/** What was sent, or null: then it is refused already, field by field. */
export const parse = <T>(res: Response, schema: z.ZodType<T>, input: unknown): T | null => {
	const parsed = schema.safeParse(input);
	if (parsed.success) return parsed.data;
	sendResult(res, refusalOfIssues(parsed.error));
	return null;
};
