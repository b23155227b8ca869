// The door for sources that tell of changes. It stands before cookies and pages: programs come here,
// with a key of their own, and are counted by source.
import { Router, raw } from 'express';
import type { Request, RequestHandler } from 'express';
import type { TakePush } from '#server/scheduling/take-push.ts';
import type { Quota } from './limits.ts';
import { limitBy } from './limits.ts';
import { sendRefusal, sendResult } from './problem.ts';

/** Raw bytes of one message; a notification with a hundred full slots fits well. */
const PUSH_BODY_LIMIT = '256kb';
const SOURCE = /^[a-z0-9-]{2,60}$/;
/** Everyone who names no source we could have shares one count. */
const NOBODY = 'nobody';

const keyOf = (req: Request): string => {
	const name = String(req.params['source']);
	return SOURCE.test(name) ? name : NOBODY;
};

export type PushDoor = {
	readonly take: TakePush;
	/** Messages of one source, and wrong ones of one address. */
	readonly pushes: Quota;
	readonly wrong: Quota;
	readonly addressOf: (req: Request) => string;
};

const takeRoute =
	({ take, wrong, addressOf }: PushDoor): RequestHandler =>
	async (req, res) => {
		const source = keyOf(req);
		const body: unknown = req.body;
		if (source === NOBODY) {
			sendRefusal(res, 'push_not_signed');
			return;
		}
		const taken = await take({
			source,
			header: (name) => req.get(name) ?? '',
			body: Buffer.isBuffer(body) ? body : Buffer.alloc(0)
		});
		const isWrong = !taken.ok && taken.reason === 'push_not_signed';
		if (isWrong && wrong.take(addressOf(req)).isOver) {
			sendRefusal(res, 'too_many_requests', { 'violated-policies': [wrong.name] });
			return;
		}
		sendResult(res, taken, 202);
	};

/** Y1: the bytes are kept as they came, because they are what is signed; compressed ones are refused. */
export const pushRoutes = (door: PushDoor): Router => {
	const router = Router();
	router.post(
		'/:source',
		limitBy(door.pushes, (req) => `${keyOf(req)} ${door.addressOf(req)}`),
		raw({ type: () => true, limit: PUSH_BODY_LIMIT, inflate: false }),
		takeRoute(door)
	);
	return router;
};
