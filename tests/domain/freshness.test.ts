import { expect, test } from 'vitest';
import { freshnessOf } from '#domain/freshness.ts';

test.each([
	[null, 'silent'],
	[0, 'fresh'],
	[60_000, 'fresh'],
	[60_001, 'ageing'],
	[120_000, 'ageing'],
	[120_001, 'stale']
])('[S1] an answer %s ms old with a budget of 60,000 ms is %s', (ageMs, freshness) => {
	expect(freshnessOf(ageMs, 60_000)).toBe(freshness);
});
