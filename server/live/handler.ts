// The one wrapper of every socket handler: quota, schema, use case, ack. A fault is logged with an
// id and answered in words of ours; a handler can neither crash the hub nor leave a caller waiting.
import type { z } from 'zod';
import type { SocketRefusal } from '#domain/protocol.ts';
import { refuse } from '#domain/result.ts';
import type { Refused } from '#domain/result.ts';
import { logFault, publicText } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';
import type { Reply } from './join.ts';
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

type Listener = (request: unknown, ack: unknown) => void;
type Send = (reply: unknown) => void;

const isSend = (ack: unknown): ack is Send => typeof ack === 'function';

const refusalOf = (error: z.ZodError): Refused<SocketRefusal> => {
	const isUnknownRoom = error.issues.every((issue) => issue.message === 'unknown_room');
	if (isUnknownRoom) return refuse('unknown_room');
	const errors = error.issues.slice(0, 10).map(({ message, path }) => ({
		detail: message.slice(0, 200),
		pointer: `#/${path.join('/')}`
	}));
	return refuse('bad_request', { errors });
};

/** Handlers of one viewer's events; `Events` is the client's side of the protocol. */
export const createHandlers =
	<Events>({ log, isUnavailable }: HandlerParts, viewer: Viewer) =>
	<E extends keyof Events & string, I>(
		event: E,
		schema: z.ZodType<I>,
		useCase: (input: I) => Promise<Reply<ReplyOf<Events, E>>>
	): Listener => {
		const run = async (request: unknown): Promise<Reply<unknown>> => {
			const parsed = schema.safeParse(request);
			if (!parsed.success) return { reply: refusalOf(parsed.error) };
			try {
				return await useCase(parsed.data);
			} catch (error) {
				const id = logFault(log, 'socket_fault', error, { socketEvent: publicText(event) });
				const reason = isUnavailable(error) ? 'busy_try_again' : 'something_broke';
				return { reply: refuse(reason, { id }) };
			}
		};
		const answer = async (request: unknown, ack: Send): Promise<void> => {
			const { reply, after } = await run(request);
			if (!viewer.isOpen()) return;
			ack(reply);
			after?.();
		};
		return (request, ack) => {
			// Without a way to answer nothing is done: what could not be told may not happen.
			if (!isSend(ack)) return;
			void answer(request, ack);
		};
	};
