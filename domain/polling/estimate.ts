// What is known of how often one polling unit (a source, a schedule, a window of one) changes: a
// rate that forgets, an hour-of-week profile, and the times of day at which batches are released.
import { HOURS_OF_WEEK, MARKS_OF_DAY, weekShareOf } from './local-time.ts';

/** What all units of a zone have in common; a unit that knows little leans on it. */
export type Pool = {
	/** Changes per hour of a typical unit. */
	readonly perHour: number;
	/** 48 factors on the rate, weekly mean 1. */
	readonly profile: readonly number[];
};

export type Estimate = {
	/** Gamma(events, hours): the rate is events / hours, in hours of an average profile. */
	readonly events: number;
	readonly hours: number;
	/** Per hour of week: changes seen, and changes a flat profile would have given. */
	readonly seen: readonly number[];
	readonly flat: readonly number[];
	/** Per five-minute mark: releases believed in; `days` = days observed, both fading. */
	readonly releases: readonly number[];
	readonly days: number;
	/** Marks at which a release is likely enough to plan for, ascending. */
	readonly hot: readonly number[];
	/** Fading that the lists have not been given yet: they are faded together, a tenth at a time. */
	readonly owedFade: number;
	/** Smoothed gap between good polls, ms. */
	readonly gapMs: number;
	/** Smoothed cost of a poll; 1 = a full answer. */
	readonly cost: number;
};

/** Pseudo-events of the prior: little, so that a few polls outweigh it. */
export const PRIOR_EVENTS = 0.5;
/** A newcomer is believed to change this much more than usual: that is the exploration. */
export const OPTIMISM = 10;
/** Pseudo-changes with which the pooled profile holds a unit's own. */
const PROFILE_PRIOR = 4;
const RELEASE_PRIOR = 0.02;
const HOT_ABOVE = 0.015;
const COOL_BELOW = 0.008;
const MAX_HOT = 60;
const MAX_PROFILE = 10;
const MIN_PROFILE = 0.02;
const POOL_PRIOR = 10;

const zeros = (length: number): readonly number[] => Array.from({ length }, () => 0);

export const flatPool: Pool = {
	perHour: 1,
	profile: Array.from({ length: HOURS_OF_WEEK }, () => 1)
};

export const newEstimate = (pool: Pool, gapMs: number, optimism = OPTIMISM): Estimate => ({
	events: PRIOR_EVENTS,
	hours: PRIOR_EVENTS / (pool.perHour * optimism),
	seen: zeros(HOURS_OF_WEEK),
	flat: zeros(HOURS_OF_WEEK),
	releases: zeros(MARKS_OF_DAY),
	days: 0,
	hot: [],
	owedFade: 1,
	gapMs,
	cost: 1
});

/** Changes per hour, outside releases, averaged over the week. */
export const rateOf = ({ events, hours }: Estimate): number => events / hours;

/** Factor on the rate in an hour of the week: the pool's, moved by what the unit itself showed. */
export const profileAt = (estimate: Estimate, pool: Pool, hour: number): number => {
	const usual = pool.profile[hour] ?? 1;
	const expected = (estimate.flat[hour] ?? 0) * usual + PROFILE_PRIOR;
	return (usual * ((estimate.seen[hour] ?? 0) + PROFILE_PRIOR)) / expected;
};

/** Chance that the mark of a day is a release. */
export const releaseChance = (estimate: Estimate, mark: number): number =>
	Math.min(1, ((estimate.releases[mark] ?? 0) + RELEASE_PRIOR) / (estimate.days + 1));

/** A mark becomes hot above one chance and cools below a lower one, so that it does not flicker. */
export const hotMarks = (estimate: Estimate): readonly number[] => {
	const hot: number[] = [];
	for (let mark = 0; mark < MARKS_OF_DAY && hot.length < MAX_HOT; mark += 1) {
		if ((estimate.releases[mark] ?? 0) === 0) continue;
		const chance = releaseChance(estimate, mark);
		if (chance >= HOT_ABOVE || (chance >= COOL_BELOW && estimate.hot.includes(mark))) {
			hot.push(mark);
		}
	}
	return hot;
};

const clamp = (value: number, low: number, high: number): number =>
	Math.min(high, Math.max(low, value));

/** Q5: the pool of the units of one zone; made anew now and then (an hour is often enough). */
export const poolOf = (units: readonly Estimate[]): Pool => {
	if (units.length === 0) return flatPool;
	const raw = flatPool.profile.map((_, hour) => {
		let seen = POOL_PRIOR;
		let flat = POOL_PRIOR;
		for (const unit of units) {
			seen += unit.seen[hour] ?? 0;
			flat += unit.flat[hour] ?? 0;
		}
		return seen / flat;
	});
	const mean = raw.reduce((sum, factor, hour) => sum + factor * weekShareOf(hour), 0);
	const logs = units.reduce((sum, unit) => sum + Math.log(rateOf(unit)), 0);
	return {
		perHour: clamp(Math.exp(logs / units.length), 0.02, 20),
		profile: raw.map((factor) => clamp(factor / mean, MIN_PROFILE, MAX_PROFILE))
	};
};
