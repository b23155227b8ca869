// Bulkheads between sources: how many bookings of one source this process writes at a time, so that
// a clinic that hangs keeps nobody waiting at another.
import type { SourceId } from '#domain/ids.ts';

/** Few enough to leave room for others, enough for a clinic's own rush: it answers in well under a second. */
export const PLACES_PER_SOURCE = 4;

export type SourcePlaces = {
	/** Takes a place; the returned function gives it back. null = none is free. */
	readonly enter: (sourceId: SourceId) => (() => void) | null;
	/** Places taken now; sources without one are not in it. */
	readonly busy: ReadonlyMap<SourceId, number>;
};

/** W49: shared by all that write bookings in this process. */
export const createSourcePlaces = (most = PLACES_PER_SOURCE): SourcePlaces => {
	const busy = new Map<SourceId, number>();
	const leave = (sourceId: SourceId): void => {
		const left = (busy.get(sourceId) ?? 0) - 1;
		if (left > 0) busy.set(sourceId, left);
		else busy.delete(sourceId);
	};
	return {
		busy,
		enter: (sourceId) => {
			const taken = busy.get(sourceId) ?? 0;
			if (taken >= most) return null;
			busy.set(sourceId, taken + 1);
			return () => leave(sourceId);
		}
	};
};
