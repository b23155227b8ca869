// Writes what sources told in full and tells the rooms: by the hub that heard it, right after its
// answer, and by any worker for a hub that did not come to it.
import type { RoomEntry } from '#domain/protocol.ts';
import type { ScheduleId, SourceId } from '#domain/ids.ts';
import type { Log } from '../platform/log.ts';
import type { Sql } from '../platform/postgres.ts';
import { commitPush } from '../store/commit-push.ts';

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
	async (sourceId: SourceId): Promise<number> => {
		const done = await commitPush(sql, sourceId);
		if (done === null) return 0;
		if (done.entries.length > 0) publish(done.entries);
		if (done.touched.length > 0) await addAlerts(done.touched);
		const { applied, outOfDate, unsure } = done;
		log.info('push_applied', { sourceId, applied, outOfDate, unsure });
		return applied;
	};
