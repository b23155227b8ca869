import { expect, test } from 'vitest';
import { openTimesOf, standingOf, type CoveredSource } from '#domain/coverage.ts';
import { toInstant } from '#domain/time.ts';

const asOf = toInstant(1_000_000_000);
const heard = (agoMs: number | null): CoveredSource => ({
	name: 'Big Sky Clinic',
	lastGoodAt: agoMs === null ? null : toInstant(asOf - agoMs),
	freshForMs: 60_000,
	isPaused: false,
	isSuspect: false,
	isPartial: false,
	providers: 3,
	openTimes: 0
});

test.each([
	[0, 'fresh', 0],
	[60_000, 'fresh', 0],
	[60_001, 'ageing', 0],
	[120_001, 'stale', 0],
	[360_000, 'stale', 0],
	[360_001, 'unknown', null],
	[null, 'never', null]
])('[B11] heard %s ms ago: %s, open times %s', (agoMs, standing, openTimes) => {
	const source = heard(agoMs);
	expect(standingOf(source, asOf)).toBe(standing);
	expect(openTimesOf(source, asOf)).toBe(openTimes);
});
