// Patients' way over HTTP, through the lossy doors, to whichever hub they happen to reach.
import { Pool } from 'undici';
import { z } from 'zod';
import type { Random } from '../support/random.ts';
import type { Answer } from './history.ts';
import { detailsFor, isUnreached, lostAnswer, type Heard, type Way, type Wish } from './way.ts';

const TIMEOUT_MS = 4_000;

const Reply = z.object({
	id: z.string(),
	state: z.string(),
	fence: z.number().optional(),
	ttlMs: z.number().optional()
});
const Refusal = z.object({ reason: z.string() });

const answerOf = (text: string): Answer | null => {
	if (text === '') return null;
	const { id, state, fence = null, ttlMs = null } = Reply.parse(JSON.parse(text));
	return { id, state, fence, ttlMs };
};

const hear = (status: number, text: string): Heard => {
	if (status >= 500) return lostAnswer(true);
	if (status < 300)
		return { outcome: 'ok', reason: null, answer: answerOf(text), wasReached: true };
	const { reason } = Refusal.parse(JSON.parse(text));
	return { outcome: 'refused', reason, answer: null, wasReached: true };
};

const requestOf = ({ op, slotId, key, holdId }: Wish) => {
	switch (op) {
		case 'hold':
			return { method: 'POST', path: '/api/v1/holds', body: { slotId, requestId: key } } as const;
		case 'release':
			return { method: 'DELETE', path: `/api/v1/holds/${holdId}`, body: null } as const;
		case 'extend':
			return { method: 'POST', path: `/api/v1/holds/${holdId}/extend`, body: {} } as const;
		default: {
			const body = { requestId: key, kind: 'video', patient: detailsFor(holdId ?? '') };
			return { method: 'POST', path: `/api/v1/holds/${holdId}/confirm`, body } as const;
		}
	}
};

export type HttpWayOptions = {
	readonly urls: readonly string[];
	readonly random: Random;
	/** Connections to each of them. */
	readonly connections: number;
};

export const createHttpWay = ({ urls, random, connections }: HttpWayOptions): Way => {
	const pools = urls.map((url) => ({ url, pool: new Pool(url, { connections }) }));
	const ask = async (wish: Wish): Promise<Heard> => {
		const { url, pool } = random.pick(pools);
		const { method, path, body } = requestOf(wish);
		const reply = await pool.request({
			method,
			path,
			headers: {
				origin: url,
				cookie: `slotcast_device=${wish.secret}`,
				...(body !== null && { 'content-type': 'application/json' })
			},
			body: body === null ? null : JSON.stringify(body),
			headersTimeout: TIMEOUT_MS,
			bodyTimeout: TIMEOUT_MS
		});
		return hear(reply.statusCode, await reply.body.text());
	};
	return {
		send: (wish) =>
			ask(wish).catch((error: unknown) => {
				// An answer that cannot be read is a bug, not bad luck.
				if (error instanceof z.ZodError || error instanceof SyntaxError) throw error;
				return lostAnswer(!isUnreached(error));
			}),
		close: async () => {
			await Promise.all(pools.map(({ pool }) => pool.destroy()));
		}
	};
};
