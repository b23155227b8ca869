// The one wrapper of every socket handler: quota, schema, use case, ack. A fault is logged with an
// id and answered in words of ours; a handler can neither crash the hub nor leave a caller waiting.
import type { z } from 'zod';
import type { SocketRefusal } from '#domain/protocol.ts';
import { refuse } from '#domain/result.ts';
import type { Refused } from '#domain/result.ts';
import { wrongFieldsOf } from '#domain/wrong-field.ts';
import { logFault, publicText } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';
import type { Reply } from './join.ts';
import { takeMessage } from './quotas.ts';
import type { Viewer } from './viewer.ts';

export type HandlerParts = {
	readonly log: Log;
	/** True for faults that mean "the database is away". */
	readonly isUnavailable: (error: unknown) => boolean;
};

/** What the ack of an event takes, read off the typed event table. */
export type ReplyOf<Events, E extends keyof Events> = Events[E] extends (
	request: never,
	ack: (reply: infer R) => void
) => void
	? R
	: never;

/** A handler of one event, made once per namespace: parse, use case, catch. Never rejects. */
export type Handler = (viewer: Viewer, request: unknown) => Promise<Reply<unknown>>;
export type Handlers = ReadonlyMap<string, Handler>;

const MAX_ERRORS = 10;

const refusalOf = (error: z.ZodError): Refused<SocketRefusal> => {
	const isUnknownRoom = error.issues.every((issue) => issue.message === 'unknown_room');
	if (isUnknownRoom) return refuse('unknown_room');
	return refuse('bad_request', { errors: wrongFieldsOf(error, MAX_ERRORS) });
};

/** Makes the handlers of a namespace; `Events` is the client's side of the protocol. */
export const createHandlers =
	<Events>({ log, isUnavailable }: HandlerParts) =>
	<E extends keyof Events & string, I>(
		event: E,
		schema: z.ZodType<I>,
		useCase: (viewer: Viewer, input: I) => Promise<Reply<ReplyOf<Events, E>>>
	): [event: E, handler: Handler] => {
		const run: Handler = async (viewer, request) => {
			const parsed = schema.safeParse(request);
			if (!parsed.success) return { reply: refusalOf(parsed.error) };
			try {
				return await useCase(viewer, parsed.data);
			} catch (error) {
				const id = logFault(log, 'socket_fault', error, { socketEvent: publicText(event) });
				const reason = isUnavailable(error) ? 'busy_try_again' : 'something_broke';
				return { reply: refuse(reason, { id }) };
			}
		};
		return [event, run];
	};

type Ack = (reply: unknown) => void;

const isAck = (value: unknown): value is Ack => typeof value === 'function';

const answer = async (
	handler: Handler,
	viewer: Viewer,
	request: unknown,
	ack: Ack
): Promise<void> => {
	const { reply, after } = await handler(viewer, request);
	if (!viewer.isOpen()) return;
	ack(reply);
	// In the same turn: what is sent from now on comes after the answer.
	after?.();
};

/**
 * V11: every inbound event comes through here, known or not. Without a way to answer nothing is
 * done: what could not be told may not happen.
 */
export const dispatch = (
	handlers: Handlers,
	viewer: Viewer,
	[event, ...args]: readonly unknown[]
): void => {
	const verdict = takeMessage(viewer.quota, Math.floor(performance.now()));
	if (verdict === 'cut') return viewer.cut('quota');
	const ack = args.at(-1);
	if (!isAck(ack)) return;
	const handler = handlers.get(String(event));
	if (verdict === 'refused') ack(refuse('too_many_requests'));
	else if (handler === undefined) ack(refuse('bad_request'));
	else void answer(handler, viewer, args.length > 1 ? args[0] : undefined, ack);
};
