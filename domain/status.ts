// What the operator sees: every source, the queues, the sockets. Readable at 3 a.m.
import type { Instant } from './time.ts';
import type { AnswerFlags, RefusedRecord } from './answer.ts';
import type { Freshness, SourceKind } from './source.ts';

/** `asked`: a subscription was made, and nothing was heard yet. `broken`: the source says so itself. */
export type PushStanding = {
	readonly state: 'asked' | 'telling' | 'silent' | 'broken';
	readonly heardAt: Instant;
	/** Notifications that did not arrive when they should have. */
	readonly lost: number;
};

export type SourceStatus = {
	readonly id: number;
	readonly key: string;
	readonly name: string;
	readonly kind: SourceKind;
	readonly freshness: Freshness;
	/** Last complete or partial answer. */
	readonly lastGoodAt: Instant | null;
	readonly lastTriedAt: Instant | null;
	readonly lastOutcome: string | null;
	/** One plain sentence. */
	readonly lastDetail: string | null;
	readonly failures: number;
	readonly freshForMs: number;
	readonly nextPollAt: Instant | null;
	readonly schedules: number;
	readonly openSlots: number;
	readonly flags: AnswerFlags | null;
	readonly refused: readonly RefusedRecord[];
	/** Changes per poll, newest last, at most 30. */
	readonly recentChanges: readonly number[];
	readonly suspect: boolean;
	/** W51: when all of its times went because it listed none twice in a row; null once it has some. */
	readonly emptied: { readonly at: Instant; readonly count: number } | null;
	/** null = it does not tell us of changes. */
	readonly push: PushStanding | null;
	/** Since when an operator has it paused, and why in their words; null = it is polled. */
	readonly pausedAt: Instant | null;
	readonly pausedBecause: string | null;
	/** A secret that its connector sends is kept in the database. */
	readonly hasSecret: boolean;
};

export type QueueStatus = {
	readonly name: string;
	readonly waiting: number;
	readonly active: number;
	readonly delayed: number;
	readonly failed: number;
};

export type HubStatus = {
	readonly asOf: Instant;
	readonly epoch: string;
	readonly postgres: 'up' | 'down';
	readonly redis: 'up' | 'down';
	readonly sources: readonly SourceStatus[];
	/** null = Redis could not be asked. */
	readonly queues: readonly QueueStatus[] | null;
	readonly sockets: {
		readonly patients: number;
		readonly providers: number;
		readonly rooms: number;
	};
	/** Commit → this hub, the newest entry, ms; null = nothing yet. */
	readonly feedLagMs: number | null;
	readonly liveHolds: number;
	readonly bookingsToday: number;
	readonly unsettledBookings: number;
};
