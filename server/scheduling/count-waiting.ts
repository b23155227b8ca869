// Tells clinics' consoles how many people wait for them. Any number of processes may call it; one works.
import type { RoomEntry } from '#domain/protocol.ts';
import type { Sql } from '../platform/postgres.ts';
import { tellWaitingCounts, tryLockCounting } from '../store/waiting-counts.ts';

type Deps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
};

/** G15: returns how many consoles were told. */
export const countWaiting =
	({ sql, publish }: Deps) =>
	async (): Promise<number> => {
		const entries = await sql.begin<RoomEntry<unknown>[]>(async (tx) =>
			(await tryLockCounting(tx)) ? await tellWaitingCounts(tx) : []
		);
		if (entries.length > 0) publish(entries);
		return entries.length;
	};
