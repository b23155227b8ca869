// Where the times on the boards come from, for everybody to read: how old what a clinic said is,
// and what is done about it. Browsers import this file.
import { freshnessOf, isOfferedAt } from './freshness.ts';
import type { Instant } from './time.ts';

export type CoveredSource = {
	readonly name: string;
	/** Last complete or partial answer; null = never. */
	readonly lastGoodAt: Instant | null;
	/** Budget of its age, ms: older than that, a new answer is due. */
	readonly freshForMs: number;
	readonly isPaused: boolean;
	/** A sudden fall of its times that a second answer must confirm. */
	readonly isSuspect: boolean;
	/** Its last answer was not all of its listing. */
	readonly isPartial: boolean;
	readonly providers: number;
	readonly openTimes: number;
};

export type Coverage = {
	readonly asOf: Instant;
	/** Of the region asked for; those that never answered are in every region, for all we know. */
	readonly sources: readonly CoveredSource[];
};

/** `unknown`: its last times are too old to be offered (B4). */
export type Standing = 'fresh' | 'ageing' | 'stale' | 'unknown' | 'never';

/** B11: what can be said of a source's times. */
export const standingOf = (
	{ lastGoodAt, freshForMs }: Pick<CoveredSource, 'lastGoodAt' | 'freshForMs'>,
	asOf: Instant
): Standing => {
	const ageMs = lastGoodAt === null ? null : asOf - lastGoodAt;
	const freshness = freshnessOf(ageMs, freshForMs);
	if (freshness === 'silent') return 'never';
	return isOfferedAt(ageMs, freshForMs) ? freshness : 'unknown';
};

/** B11: null = nobody can know how many, which is not none. */
export const openTimesOf = (source: CoveredSource, asOf: Instant): number | null => {
	const standing = standingOf(source, asOf);
	return standing === 'unknown' || standing === 'never' ? null : source.openTimes;
};
