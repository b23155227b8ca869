// Learning from one poll: how many slots differed over how long a gap. A failed poll teaches
// nothing and is not told here.
import { DAY_MS, HOUR_MS } from '../time.ts';
import {
	PRIOR_EVENTS,
	hotMarks,
	profileAt,
	rateOf,
	releaseChance,
	type Estimate,
	type Pool
} from './estimate.ts';
import {
	MARK_EVERY_MS,
	MARKS_OF_DAY,
	hourOfWeek,
	markAt,
	nextHourAfter,
	nextLookAfter
} from './local-time.ts';

export type Observation = {
	/** When the last good poll and this one were begun: ms, in the unit's local time. */
	readonly from: number;
	readonly to: number;
	/** Slots that differ from the copy. */
	readonly count: number;
	/** What the answer cost; 1 = a full answer, a 304 less. */
	readonly cost: number;
};

/** Mean size of a batch release; sizes are taken to be geometric. */
export const BATCH_SIZE = 10;
/** Learning forgets over about so many events, but never faster or slower than these half-lives. */
const HALF_LIFE_EVENTS = 8;
const HALF_LIFE_HOURS = [6, 7 * 24] as const;
const PROFILE_HALF_LIFE_MS = 7 * DAY_MS;
const FADE_AT = 0.9;
const SMOOTHING = 0.2;
/** Longer gaps (a source that was away) teach as if they were this long. */
const LONGEST_GAP_MS = 7 * DAY_MS;
/** Below this share of belief a release is not worth writing down. */
const LEAST_BELIEF = 0.01;

type Piece = { readonly hour: number; readonly hours: number; readonly exposure: number };

/** The gap hour by hour, with the profile as it is believed. */
const piecesOf = (estimate: Estimate, pool: Pool, from: number, to: number): Piece[] => {
	const pieces: Piece[] = [];
	for (let at = from; at < to;) {
		const end = Math.min(to, nextHourAfter(at));
		const hour = hourOfWeek(at);
		const hours = (end - at) / HOUR_MS;
		pieces.push({ hour, hours, exposure: profileAt(estimate, pool, hour) * hours });
		at = end;
	}
	return pieces;
};

const geometric = (count: number, mean: number): number =>
	Math.exp((count - 1) * Math.log(1 - 1 / mean)) / mean;

type Belief = {
	/** That some mark in the gap was a release. */
	readonly release: number;
	/** Share of it on marks already known as hot. */
	readonly hotShare: number;
	readonly marks: readonly { readonly mark: number; readonly share: number }[];
};

/** Q3: was there a release in the gap? Bayes over the marks it contains, trickle against batch. */
const believe = (estimate: Estimate, seen: Observation, expected: number): Belief => {
	const marks: { mark: number; chance: number }[] = [];
	let total = 0;
	let hot = 0;
	let at = nextLookAfter(seen.from);
	for (; at <= seen.to && marks.length < MARKS_OF_DAY; at += MARK_EVERY_MS) {
		const mark = markAt(at);
		const chance = releaseChance(estimate, mark);
		marks.push({ mark, chance });
		total += chance;
		if (estimate.hot.includes(mark)) hot += chance;
	}
	if (total === 0) return { release: 0, hotShare: 0, marks: [] };
	const batch = total * geometric(seen.count, BATCH_SIZE);
	const trickle = expected * geometric(seen.count, Math.max(1.25, expected));
	return {
		release: batch / (batch + trickle + 1e-300),
		hotShare: hot / total,
		marks: marks.map(({ mark, chance }) => ({ mark, share: chance / total }))
	};
};

const noBelief: Belief = { release: 0, hotShare: 0, marks: [] };

/** Q2: trickle changes in a count: at least what "something changed" implies, at most a cluster. */
const trickleIn = (count: number, expected: number): number => {
	const least = expected < 1e-6 ? 1 : expected / (1 - Math.exp(-expected));
	return Math.max(least, Math.min(count, 2 + 2 * expected));
};

/** The list, faded when enough fading is owed; else the very same list. */
const faded = (list: readonly number[], owed: number): readonly number[] =>
	owed < FADE_AT ? list.map((value) => value * owed) : list;

const withReleases = (releases: readonly number[], belief: Belief): readonly number[] => {
	if (belief.release <= LEAST_BELIEF) return releases;
	const next = [...releases];
	for (const { mark, share } of belief.marks) {
		next[mark] = (next[mark] ?? 0) + belief.release * share;
	}
	return next;
};

/** Q2, Q3: the estimate after one good poll. */
export const observe = (estimate: Estimate, pool: Pool, told: Observation): Estimate => {
	const gapMs = told.to - told.from;
	if (gapMs <= 0) return estimate;
	const seen = { ...told, from: Math.max(told.from, told.to - LONGEST_GAP_MS) };
	const rate = rateOf(estimate);
	const pieces = piecesOf(estimate, pool, seen.from, seen.to);
	const exposure = pieces.reduce((sum, piece) => sum + piece.exposure, 0);
	const expected = rate * exposure;
	const belief = seen.count > 0 ? believe(estimate, seen, expected) : noBelief;
	const trickle =
		seen.count > 0 ? trickleIn(seen.count, expected) * (1 - belief.release * belief.hotShare) : 0;

	const [shortest, longest] = HALF_LIFE_HOURS;
	const halfLife = Math.min(longest, Math.max(shortest, HALF_LIFE_EVENTS / rate));
	const keep = 2 ** (-(seen.to - seen.from) / HOUR_MS / halfLife);
	const fade = 2 ** (-(seen.to - seen.from) / PROFILE_HALF_LIFE_MS);
	const owed = estimate.owedFade * fade;
	const seenBy = [...faded(estimate.seen, owed)];
	const flat = [...faded(estimate.flat, owed)];
	for (const { hour, hours, exposure: part } of pieces) {
		flat[hour] = (flat[hour] ?? 0) + rate * hours;
		if (exposure > 0) seenBy[hour] = (seenBy[hour] ?? 0) + (trickle * part) / exposure;
	}
	const learned = {
		events: estimate.events * keep + trickle + PRIOR_EVENTS * (1 - keep),
		hours: estimate.hours * keep + exposure + (PRIOR_EVENTS / pool.perHour) * (1 - keep),
		seen: seenBy,
		flat,
		releases: withReleases(faded(estimate.releases, owed), belief),
		days: estimate.days * fade + (seen.to - seen.from) / DAY_MS,
		hot: estimate.hot,
		owedFade: owed < FADE_AT ? 1 : owed,
		gapMs: estimate.gapMs + SMOOTHING * (gapMs - estimate.gapMs),
		cost: estimate.cost + SMOOTHING * (seen.cost - estimate.cost)
	};
	// Marks cool as days pass, which need not be looked at after every poll.
	const mayMove = belief.release > LEAST_BELIEF || owed < FADE_AT;
	return mayMove ? { ...learned, hot: hotMarks(learned) } : learned;
};
