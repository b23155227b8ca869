// Writes what sources told in full and tells the rooms: by the hub that heard it, right after its
// answer, and by any worker for a hub that did not come to it.
import type { RoomEntry } from '#domain/protocol.ts';
import type { ScheduleId } from '#domain/ids.ts';
import { aboutSource, type Log } from '../platform/log.ts';
import type { Sql } from '../platform/postgres.ts';
import { commitPush } from '../store/commit-push.ts';
import type { PushSource } from '../store/push.ts';

export type ApplyDeps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry[]) => void;
	/** Told of schedules whose supply changed. */
	readonly addAlerts: (scheduleIds: readonly ScheduleId[]) => Promise<unknown>;
	readonly log: Log;
};

/** Y6: returns how many slots were written. */
export const applyPushes =
	({ sql, publish, addAlerts, log }: ApplyDeps) =>
	async ({ id, key }: PushSource): Promise<number> => {
		const done = await commitPush(sql, id);
		if (done === null) return 0;
		if (done.entries.length > 0) publish(done.entries);
		if (done.touched.length > 0) await addAlerts(done.touched);
		const { applied, outOfDate, unsure } = done;
		log.info('push_applied', { ...aboutSource(id, key), applied, outOfDate, unsure });
		return applied;
	};
