// Looks which schedules of several sources are one practitioner at one clinic, and lets one of them
// be shown. Any number of processes may call it; one works.
import type { ScheduleId, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { decideTwins } from '#domain/twins.ts';
import type { Sql } from '../platform/postgres.ts';
import {
	applyTwins,
	listTwinCandidates,
	tryLockTwins,
	type StoredCandidate,
	type TwinChange
} from '../store/twins.ts';

type Deps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	/** May fail: then alerts are looked at with the next change. */
	readonly addAlerts: (ids: readonly ScheduleId[]) => Promise<unknown>;
};

type Changes = ReadonlyMap<SourceId, readonly TwinChange[]>;

const changesOf = (candidates: readonly StoredCandidate[], isHiding: boolean): Changes => {
	const decided = decideTwins(candidates);
	const bySource = new Map<SourceId, TwinChange[]>();
	for (const { id, sourceId, shownBy } of candidates) {
		const decision = decided.get(id) ?? null;
		if ((decision?.shownBy ?? null) === shownBy || (decision !== null) !== isHiding) continue;
		bySource.set(sourceId, [...(bySource.get(sourceId) ?? []), { id, decision }]);
	}
	return bySource;
};

/** E20: returns how many schedules are shown or hidden anew. */
export const settleTwins =
	({ sql, publish, addAlerts }: Deps) =>
	(): Promise<number> =>
		sql.begin<number>(async (lock) => {
			// Only the lock is held here; each source is a transaction of its own.
			if (!(await tryLockTwins(lock))) return 0;
			const candidates = await listTwinCandidates(sql);
			const touched: ScheduleId[] = [];
			// First what comes back: for a moment a time is shown twice rather than not at all.
			for (const isHiding of [false, true]) {
				for (const [source, changes] of changesOf(candidates, isHiding)) {
					publish(await sql.begin<RoomEntry[]>((tx) => applyTwins(tx, source, changes)));
					touched.push(...changes.map(({ id }) => id));
				}
			}
			if (touched.length > 0) await addAlerts(touched);
			return touched.length;
		});
