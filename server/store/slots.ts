// What the store knows of a source's upcoming slots: the other side of the diff.
import type { SourceId } from '#domain/ids.ts';
import type { SlotFact, SlotKey } from '#domain/slot.ts';
import type { Instant } from '#domain/time.ts';
import type { Sql } from '../platform/postgres.ts';

export const readKnownSlots = (_sql: Sql, _sourceId: SourceId): Promise<Map<SlotKey, SlotFact>> => {
	throw new Error('being written');
};
export const readSlotsByKeys = (
	_sql: Sql,
	_sourceId: SourceId,
	_keys: readonly SlotKey[]
): Promise<Map<SlotKey, SlotFact>> => {
	throw new Error('being written');
};
export const countFree = (
	_sql: Sql,
	_sourceId: SourceId,
	_window: { readonly from: Instant; readonly to: Instant }
): Promise<number> => {
	throw new Error('being written');
};
