// The planned time of the next poll: the first moment at which it is worth its price, walked hour by
// hour and release by release. All times are ms in the unit's local time.
import { HOUR_MS } from '../time.ts';
import { profileAt, rateOf, releaseChance, type Estimate, type Pool } from './estimate.ts';
import { hourOfWeek, markAt, nextHourAfter, nextLookAmong } from './local-time.ts';
import { BATCH_SIZE } from './observe.ts';
import { SLOTS_LOOKED_AT as S, changesUntilWorth } from './worth.ts';

export type PollWish = {
	/** When the last good poll was begun: since then the copy grows old. */
	readonly lastGood: number;
	readonly now: number;
	/** Not sooner: shortest interval, max-age, Retry-After. */
	readonly earliest: number;
	/** Not later, unless `earliest` is: the hard cap on staleness. */
	readonly latest: number;
	/** Q4, in viewers. */
	readonly weight: number;
	/** Price of this poll: the hub's (or host's) price × the expected cost of the request. */
	readonly price: number;
	/** Changes that a push or another signal told of since the last good poll. */
	readonly signalled: number;
	/** Share of changes that no signal tells of; 1 = the unit sends none. */
	readonly untold: number;
};

/** A pushing source keeps at least this share of its rate: its safety net thins, never vanishes. */
export const UNTOLD_SHARE = 0.15;
/** Share of what a viewer looks at that a whole batch makes wrong. */
const BATCH_HARM = 1 - Math.exp(-BATCH_SIZE / S);
const LEAST_RATE = 1e-6;
const GAP_LIMITS_MS = [60_000, 2 * HOUR_MS] as const;
const MARKS_AHEAD = 6;

/** Expected harm of a release as if it were trickle changes. */
const changesAtMark = (estimate: Estimate, look: number): number => {
	const chance = releaseChance(estimate, markAt(look));
	return -Math.log(1 - Math.min(0.96, chance * BATCH_HARM)) * S;
};

/** Changes per hour that releases soon to come add: what a poll just before them would not see. */
const comingPerHour = (estimate: Estimate, from: number, firstLook: number): number => {
	if (firstLook === Infinity) return 0;
	const [least, most] = GAP_LIMITS_MS;
	const aheadMs = Math.min(most, Math.max(least, estimate.gapMs));
	let perHour = 0;
	let look = firstLook;
	for (let i = 0; i < MARKS_AHEAD && look <= from + aheadMs; i += 1) {
		const harm = releaseChance(estimate, markAt(look)) * BATCH_HARM * S;
		perHour += harm / (aheadMs / HOUR_MS);
		look = nextLookAmong(estimate.hot, look);
	}
	return perHour;
};

/** Q8: known staleness competes at the same price as suspected staleness. */
const isSignalWorth = (estimate: Estimate, pool: Pool, wish: PollWish): boolean => {
	if (wish.signalled <= 0) return false;
	const perHour = rateOf(estimate) * profileAt(estimate, pool, hourOfWeek(wish.now)) + LEAST_RATE;
	const harm = 1 - Math.exp(-wish.signalled / S);
	return ((wish.weight * S) / perHour) * harm >= wish.price;
};

/** Walks from the last good poll; the moment at which the price is reached, or null before the cap. */
const whenWorth = (estimate: Estimate, pool: Pool, wish: PollWish): number | null => {
	const rate = wish.untold * rateOf(estimate);
	let at = wish.lastGood;
	let gathered = wish.signalled;
	let look = nextLookAmong(estimate.hot, at);
	let hourEnd = -Infinity;
	let base = 0;
	while (at < wish.latest) {
		if (at >= hourEnd) {
			base = rate * profileAt(estimate, pool, hourOfWeek(at)) + LEAST_RATE;
			hourEnd = nextHourAfter(at);
		}
		const end = Math.min(hourEnd, look, wish.latest);
		const trickle = (base * (end - at)) / HOUR_MS;
		const isLook = end === look;
		const jump = isLook ? changesAtMark(estimate, look) : 0;
		if (isLook) look = nextLookAmong(estimate.hot, look);
		const perHour = base + comingPerHour(estimate, end, look);
		const needed = changesUntilWorth(wish.price, perHour, wish.weight);
		if (gathered + trickle + jump >= needed) {
			const within = gathered + trickle >= needed && trickle > 0;
			const share = within ? Math.max(0, needed - gathered) / trickle : 1;
			const when = at + (end - at) * share;
			if (when >= wish.earliest) return when;
			if (end >= wish.earliest) return wish.earliest;
		}
		gathered += trickle + jump;
		at = end;
	}
	return null;
};

/** Q6, Q7, Q8: when to poll next. Never before `earliest`; else never after `latest`. */
export const planPoll = (estimate: Estimate, pool: Pool, wish: PollWish): number => {
	const earliest = Math.max(wish.earliest, wish.lastGood);
	if (isSignalWorth(estimate, pool, wish)) return Math.max(earliest, wish.now);
	if (earliest >= wish.latest) return earliest;
	const when = whenWorth(estimate, pool, { ...wish, earliest });
	return Math.max(earliest, Math.min(when ?? wish.latest, wish.latest));
};
