// The worst source first: readable at 3 a.m.
import type { SourceStatus } from '#domain/status.ts';

const weights: Record<SourceStatus['freshness'], number> = {
	silent: 3,
	stale: 2,
	ageing: 1,
	fresh: 0
};

/** A loss that was believed weighs more than one that waits for its second look. */
const doubtOf = ({ suspect, emptied }: SourceStatus): number =>
	(emptied === null ? 0 : 2) + Number(suspect);

/** U14: freshness, then failures in a row, then doubt, then refused records, then the name. */
export const byTrouble = (a: SourceStatus, b: SourceStatus): number =>
	weights[b.freshness] - weights[a.freshness] ||
	b.failures - a.failures ||
	doubtOf(b) - doubtOf(a) ||
	b.refused.length - a.refused.length ||
	a.name.localeCompare(b.name);
