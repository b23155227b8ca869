// Holding a time and letting it go. The database decides; here the decision becomes an answer.
import type { PlaceHold } from '#domain/commands.ts';
import type { HoldView, Overlap } from '#domain/hold.ts';
import type { ExtendRefusal } from '#domain/api.ts';
import type { DeviceKey, HoldId } from '#domain/ids.ts';
import type { HoldRefusal, RoomEntry } from '#domain/protocol.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import type { Sql } from '../platform/postgres.ts';
import {
	extendHold as extend,
	placeHold as place,
	readHolds,
	readOverlaps,
	readTaken,
	releaseHold as release
} from '../store/holds.ts';
import type { HoldLimits } from '../store/holds.ts';
import { crowdedHolds } from './crowded-holds.ts';

type Deps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	readonly limits: HoldLimits;
};

export const placeHold = ({ sql, publish, limits }: Deps) => {
	const placeInCrowd = crowdedHolds({
		decide: (wish) => place(sql, wish, limits),
		readTaken: (wishes) => readTaken(sql, wishes, limits)
	});
	return async (device: DeviceKey, command: PlaceHold): Promise<Result<HoldView, HoldRefusal>> => {
		const placed = await placeInCrowd({ device, ...command });
		switch (placed.outcome) {
			case 'granted':
				if (placed.entries.length > 0) publish(placed.entries);
				return ok(placed.hold);
			case 'hold_limit':
				return refuse('hold_limit', { limit: 'live', of: limits.maxLive });
			case 'hour_limit':
				return refuse('hold_limit', { limit: 'hour', of: limits.maxPerHour });
			default:
				return refuse(placed.outcome);
		}
	};
};

export const releaseHold =
	({ sql, publish }: Omit<Deps, 'limits'>) =>
	async (
		device: DeviceKey,
		holdId: HoldId
	): Promise<Result<null, 'hold_unknown' | 'hold_expired'>> => {
		const { outcome, entries } = await release(sql, device, holdId);
		if (entries.length > 0) publish(entries);
		return outcome === 'released' ? ok(null) : refuse(outcome);
	};

export const readHold =
	({ sql }: Pick<Deps, 'sql'>) =>
	async (device: DeviceKey, holdId: HoldId): Promise<Result<HoldView, 'hold_unknown'>> => {
		const [hold] = await readHolds(sql, device, holdId);
		return hold === undefined ? refuse('hold_unknown') : ok(hold);
	};

/** H15: the minutes of a live hold begin anew, once. */
export const extendHold =
	({ sql, limits }: Omit<Deps, 'publish'>) =>
	async (device: DeviceKey, holdId: HoldId): Promise<Result<HoldView, ExtendRefusal>> => {
		const outcome = await extend(sql, { device, holdId, ttlMs: limits.ttlMs });
		return outcome === 'extended' ? await readHold({ sql })(device, holdId) : refuse(outcome);
	};

export const listHolds =
	({ sql }: Pick<Deps, 'sql'>) =>
	(device: DeviceKey): Promise<readonly HoldView[]> =>
		readHolds(sql, device, null);

export const listOverlaps =
	({ sql }: Pick<Deps, 'sql'>) =>
	(device: DeviceKey, holdId: HoldId): Promise<readonly Overlap[]> =>
		readOverlaps(sql, device, holdId);
