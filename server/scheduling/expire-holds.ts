// Ends holds whose time is over and shows their times free. Grants do not wait for it: an expired
// claim is grantable at once; the sweep is what makes everybody see it.
import type { RoomEntry } from '#domain/protocol.ts';
import type { Sql } from '../platform/postgres.ts';
import { expireHolds as sweep, type EndedHold } from '../store/holds.ts';

export type ExpireHoldsDeps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
};

export type ExpireHoldsReport = {
	/** Holds ended, handed-over ones included; `limit` of them means there may be more. */
	readonly count: number;
	/** The log entries, already published. */
	readonly entries: readonly RoomEntry<unknown>[];
	/** Whom to tell `hold:ended`. */
	readonly ended: readonly EndedHold[];
};

/** One batch of at most `limit` (500). Any number of processes may sweep at once. */
export const expireHolds =
	({ sql, publish }: ExpireHoldsDeps) =>
	async (limit: number): Promise<ExpireHoldsReport> => {
		const { ended, handedBack, entries } = await sweep(sql, limit);
		if (entries.length > 0) publish(entries);
		return { count: ended.length + handedBack, entries, ended };
	};
