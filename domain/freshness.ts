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
