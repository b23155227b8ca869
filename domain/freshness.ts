// How old a source's last good answer is against its budget. Browsers import this file, so it
// stands apart from the schemas of source.ts.

export const freshnesses = ['fresh', 'ageing', 'stale', 'silent'] as const;
/** Age of the last good answer against the source's budget; `silent` = never answered. */
export type Freshness = (typeof freshnesses)[number];

/** S1: fresh within the budget, ageing up to twice, stale after; unknown is an answer. */
export const freshnessOf = (ageMs: number | null, freshForMs: number): Freshness => {
	if (ageMs === null) return 'silent';
	if (ageMs <= freshForMs) return 'fresh';
	return ageMs <= 2 * freshForMs ? 'ageing' : 'stale';
};

/**
 * B4: times of a source that did not answer for this many of its budgets are not offered, only
 * counted as "we could not check".
 */
export const OFFERED_WITHIN_BUDGETS = 6;

/** B4. `ageMs` of the last good answer; null = there was none. */
export const isOfferedAt = (ageMs: number | null, freshForMs: number): boolean =>
	ageMs !== null && ageMs <= OFFERED_WITHIN_BUDGETS * freshForMs;
