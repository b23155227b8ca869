// Patients' way straight to the hub's use cases, without HTTP between: the same transactions, many
// times faster, from a hub that has no Redis at all. Answers are lost here too.
import { DeviceKey, HoldId, RequestId, SlotId } from '#domain/ids.ts';
import type { Result } from '#domain/result.ts';
import { systemClock } from '#server/platform/clock.ts';
import { parseConfig } from '#server/platform/config.ts';
import { createPhiCipher } from '#server/platform/phi.ts';
import { createPostgres, HUB_ROLE } from '#server/platform/postgres.ts';
import { createHubApi } from '#server/scheduling/hub-api.ts';
import type { Random } from '../support/random.ts';
import type { Answer } from './history.ts';
import { detailsFor, isUnreached, lostAnswer, type Heard, type Way, type Wish } from './way.ts';
import { makeDesk } from '../scheduling/world.ts';

export type DirectWayOptions = {
	readonly databaseUrl: string;
	readonly random: Random;
	readonly connections: number;
	readonly holdTtlMs: number;
	readonly replyLoss: number;
};

const answerOf = (value: object | null): Answer | null => {
	if (value === null) return null;
	const { id, state, fence = null, ttlMs = null } = value as Partial<Answer>;
	return { id: id ?? '', state: state ?? '', fence, ttlMs };
};

const hear = (result: Result<object | null, string>): Heard =>
	result.ok
		? { outcome: 'ok', reason: null, answer: answerOf(result.value), wasReached: true }
		: { outcome: 'refused', reason: result.reason, answer: null, wasReached: true };

export const createDirectWay = (options: DirectWayOptions): Way => {
	const { random, replyLoss } = options;
	const { phiKeys } = parseConfig({
		HUB_MODE: 'development',
		DATABASE_URL: options.databaseUrl,
		REDIS_URL: 'redis://127.0.0.1:1'
	});
	const sql = createPostgres(options.databaseUrl, {
		max: options.connections,
		applicationName: 'chaos-direct',
		role: HUB_ROLE
	});
	const hub = createHubApi({
		sql,
		publish: () => {},
		clock: systemClock,
		linkKey: Buffer.alloc(32),
		publicUrl: 'https://hub.example',
		phi: createPhiCipher(new Map(phiKeys.map(({ id, key }) => [id, key]))),
		enqueueBooking: async () => {},
		addAlerts: async () => true,
		queueStatus: async () => [],
		socketCounts: () => ({ patients: 0, providers: 0, rooms: 0 }),
		feedLagMs: () => null,
		sources: makeDesk(sql),
		config: { holdTtlMs: options.holdTtlMs, maxHoldsPerDevice: 2, maxHoldsPerHour: 20 }
	});
	const ask = (wish: Wish): Promise<Result<object | null, string>> => {
		const device = DeviceKey.parse(wish.device);
		const requestId = RequestId.parse(wish.key);
		if (wish.op === 'hold') {
			return hub.placeHold(device, { slotId: SlotId.parse(wish.slotId), requestId });
		}
		const holdId = HoldId.parse(wish.holdId);
		if (wish.op === 'release') return hub.releaseHold(device, holdId);
		if (wish.op === 'extend') return hub.extendHold(device, holdId);
		const more = { email: null, reason: null, planId: null, forWhom: 'me' } as const;
		const patient = { ...detailsFor(holdId), ...more };
		return hub.confirmBooking(device, { holdId, requestId, kind: 'video', patient });
	};
	return {
		send: async (wish) => {
			try {
				const heard = hear(await ask(wish));
				return random.chance(replyLoss) ? lostAnswer(true) : heard;
			} catch (error) {
				return lostAnswer(!isUnreached(error));
			}
		},
		close: () => sql.end({ timeout: 5 })
	};
};
