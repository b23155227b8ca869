// Everything the hub can do, put together from its use cases: what HTTP routes, socket handlers and
// pages are given.
import type { HubApi } from '#domain/api.ts';
import type { BookingId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { HubStatus, QueueStatus } from '#domain/status.ts';
import type { Clock } from '#domain/time.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Sql } from '../platform/postgres.ts';

export type HubApiDeps = {
	readonly sql: Sql;
	/** Tells other processes of committed entries; fire and forget. */
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	readonly clock: Clock;
	readonly phi: PhiCipher;
	/** May fail: the reconcile loop finds the booking in Postgres. */
	readonly enqueueBooking: (bookingId: BookingId) => Promise<void>;
	/** null = Redis could not be asked. */
	readonly queueStatus: () => Promise<readonly QueueStatus[] | null>;
	readonly socketCounts: () => HubStatus['sockets'];
	readonly feedLagMs: () => number | null;
	readonly config: { readonly holdTtlMs: number; readonly maxHoldsPerDevice: number };
};

export const createHubApi = (_deps: HubApiDeps): HubApi => {
	throw new Error('not composed yet');
};
