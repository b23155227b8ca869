// What anybody may read: the code lists, the board, one slot.
import { Router } from 'express';
import type { Request } from 'express';
import type { Board, BoardQuery } from '#domain/board.ts';
import { modalities, planTypes, regions, specialties, visitKinds } from '#domain/codes.ts';
import { BoardQueryInput } from '#domain/commands.ts';
import { SlotId } from '#domain/ids.ts';
import { MINUTE_MS } from '#domain/time.ts';
import type { RefusalReason } from '#domain/refusals.ts';
import { ok } from '#domain/result.ts';
import type { Result } from '#domain/result.ts';
import { hasIt, weakTag } from './etags.ts';
import { refusalOfIssues, sendRefusal, sendResult } from './problem.ts';

const codes = JSON.stringify({ specialties, regions, planTypes, modalities, visitKinds });

const one = (value: unknown): string | undefined =>
	typeof value === 'string' && value !== '' ? value : undefined;

const known = new Set([
	'specialty',
	'region',
	'kinds',
	'plan',
	'planOnly',
	'dayPart',
	'language',
	'zone',
	'scheduleId'
]);

/** `kinds` is a list separated by commas, `planOnly` is 1 or 0; what is empty is left out. */
const fromQueryString = (query: Request['query']): Record<string, unknown> => {
	const kinds = one(query['kinds']);
	const planOnly = one(query['planOnly']);
	const scheduleId = one(query['scheduleId']);
	const fields: Record<string, unknown> = {
		specialty: one(query['specialty']),
		region: one(query['region']),
		kinds: kinds?.split(','),
		plan: one(query['plan']),
		planOnly: planOnly === undefined ? undefined : planOnly === '1',
		dayPart: one(query['dayPart']),
		language: one(query['language']),
		zone: one(query['zone']),
		scheduleId: scheduleId === undefined ? undefined : Number(scheduleId)
	};
	for (const key of Object.keys(query)) if (!known.has(key)) fields[key] = query[key];
	for (const [key, value] of Object.entries(fields)) if (value === undefined) delete fields[key];
	return fields;
};

const parseBoardQuery = (query: Request['query']): Result<BoardQuery, RefusalReason> => {
	const parsed = BoardQueryInput.safeParse(fromQueryString(query));
	return parsed.success ? ok(parsed.data) : refusalOfIssues(parsed.error);
};

/**
 * X9: equal while nothing that a person could notice has changed: slots, marks, freshness, and
 * when each calendar was checked to the minute. The time of asking is left out.
 */
const etagOf = (board: Board): string => {
	const { asOf: _, ...rest } = board;
	const text = JSON.stringify(rest, (key, value: unknown) =>
		key === 'checkedAt' && typeof value === 'number' ? Math.floor(value / MINUTE_MS) : value
	);
	return weakTag(text);
};

export const slotsRoutes = (): Router => {
	const router = Router();

	router.get('/codes', (_req, res) => {
		res.set('Cache-Control', 'public, max-age=3600').type('json').send(codes);
	});

	router.get('/board', async (req, res) => {
		const query = parseBoardQuery(req.query);
		if (!query.ok) {
			sendResult(res, query);
			return;
		}
		const board = await req.hub.readBoard(query.value);
		const etag = etagOf(board);
		res.set({ 'Cache-Control': 'no-cache', ETag: etag });
		if (hasIt(req, etag)) res.status(304).end();
		else res.json(board);
	});

	router.get('/slots/:id', async (req, res) => {
		const id = SlotId.safeParse(Number(req.params.id));
		if (!id.success) sendRefusal(res, 'slot_unknown');
		else sendResult(res, await req.hub.readSlot(id.data, null));
	});

	return router;
};
