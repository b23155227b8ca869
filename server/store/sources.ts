// Sources: what to poll, when, and who is polling it now.
import type { SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { SilentReason } from '#domain/answer.ts';
import type { SourceSettings } from '#domain/source.ts';
import type { Instant } from '#domain/time.ts';
import type { Sql } from '../platform/postgres.ts';

export type Suspect = { readonly gen: number; readonly freeAfter: number };

export type PollClaim = {
	readonly sourceId: SourceId;
	readonly source: SourceSettings;
	/** Fence: only the newest claim of a source may commit. */
	readonly gen: number;
	/** Generation whose content the store shows; 0 = none yet. */
	readonly committedGen: number;
	readonly cursor: Readonly<Record<string, unknown>>;
	readonly suspect: Suspect | null;
	readonly pollStartedAt: Instant;
	/** Silent answers since the last good one. */
	readonly failures: number;
};

export type StoredSource = {
	readonly id: SourceId;
	readonly settings: SourceSettings;
	readonly enabled: boolean;
	readonly nextPollAt: Instant;
	readonly committedGen: number;
};

export type Silence = {
	readonly sourceId: SourceId;
	readonly gen: number;
	readonly reason: SilentReason;
	readonly detail: string;
	readonly retryInMs: number;
};

export type DueSource = {
	readonly id: SourceId;
	readonly nextPollAt: Instant;
	readonly pollGen: number;
};

export const upsertSource = (_sql: Sql, _settings: SourceSettings): Promise<SourceId> => {
	throw new Error('being written');
};
export const claimPoll = (
	_sql: Sql,
	_sourceId: SourceId,
	_leaseMs: number
): Promise<PollClaim | null> => {
	throw new Error('being written');
};
export const recordSilence = (_sql: Sql, _silence: Silence): Promise<boolean> => {
	throw new Error('being written');
};
export const listDueSources = (
	_sql: Sql,
	_within: { readonly withinMs: number; readonly limit: number }
): Promise<DueSource[]> => {
	throw new Error('being written');
};
export const listSources = (_sql: Sql): Promise<StoredSource[]> => {
	throw new Error('being written');
};
export const readSource = (_sql: Sql, _id: SourceId): Promise<StoredSource | null> => {
	throw new Error('being written');
};
/** Its slots go from every room; a source with bookings stays, disabled. */
export const deleteSource = (_sql: Sql, _id: SourceId): Promise<RoomEntry[]> => {
	throw new Error('being written');
};
