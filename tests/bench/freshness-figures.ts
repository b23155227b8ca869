// The arithmetic of the live comparison: what the clinics did, what a hub showed and when it asked,
// put together into delays, misses and wrong time. Pure; times are UTC ms.

/** Open or not, from `at` on; ascending, the first entry holds from ever. */
export type Timeline = readonly { readonly at: number; readonly open: boolean }[];

export type Poll = { readonly startedAt: number; readonly committedAt: number };

export type Slots = {
	/** By a key that both sides share. */
	readonly truth: Timeline;
	/** As the hub showed it; empty = never. */
	readonly shown: Timeline;
};

export type Course = {
	/** What a source weighs, in viewers. */
	readonly weight: number;
	/** Committed polls, ascending. */
	readonly polls: readonly Poll[];
	readonly slots: readonly Slots[];
};

export type Span = {
	/** Changes and time between these count. */
	readonly from: number;
	readonly until: number;
	/** Nothing is known of what was seen later. */
	readonly end: number;
};

export type FreshnessFigures = {
	readonly changes: number;
	/** Share of the changes' weight that no poll had seen by the end: their delays are too short. */
	readonly unseen: number;
	/** Mean seconds from a change to the commit that tells it: by weight, and all alike. */
	readonly delay: number;
	readonly delayAlike: number;
	readonly openings: number;
	/** Share of openings that were over before a poll saw them. */
	readonly missed: number;
	readonly missedAlike: number;
	/** By weight: of the time that slots were shown, the share in which they were not open; of the
	 * time that they were open, the share in which they were not shown. */
	readonly wrong: number;
	readonly hidden: number;
};

/**
 * The least weighted delay that any fixed choice of intervals could reach at the same number of polls,
 * as a share of equal intervals (the square-root rule: Cauchy and Schwarz), from the rates as they were.
 * Shortest intervals and learning are left out of it.
 */
export const leastDelayShare = (courses: readonly Course[], { from, until }: Span): number => {
	const harms = courses.map(({ weight, slots }) => {
		const flips = slots.flatMap(({ truth }) =>
			truth.slice(1).filter(({ at }) => at >= from && at < until)
		);
		return weight * flips.length;
	});
	const sum = harms.reduce((all, harm) => all + harm, 0);
	const roots = harms.reduce((all, harm) => all + Math.sqrt(harm), 0);
	return roots ** 2 / (courses.length * sum);
};

const isOpenAt = (line: Timeline, at: number): boolean =>
	line.findLast((entry) => entry.at <= at)?.open ?? false;

/** When a change at `at` was sure to be told: the commit of the first poll begun after it. */
const toldBy = (polls: readonly Poll[], at: number): number =>
	polls.find(({ startedAt }) => startedAt >= at)?.committedAt ?? Infinity;

/** A poll under way may see a change sooner than the first poll begun after it. */
const seenAt = (course: Course, slot: Slots, flip: Timeline[number]): number => {
	const latest = toldBy(course.polls, flip.at);
	const told = slot.shown.find(
		({ at, open }) => at >= flip.at && at <= latest && open === flip.open
	);
	return told?.at ?? latest;
};

/** An opening is missed when the slot was not shown open until the poll that could no more see it. */
const isMissed = (course: Course, slot: Slots, nth: number): boolean => {
	const opened = slot.truth[nth];
	const gone = slot.truth[nth + 1];
	if (opened === undefined || gone === undefined) return false;
	const over = toldBy(course.polls, gone.at);
	const wasShown = slot.shown.some(({ at, open }) => open && at >= opened.at && at < over);
	return !wasShown && !isOpenAt(slot.shown, opened.at);
};

/** Longer than a commit takes, shorter than the time between two polls of a source. */
const WRITTEN_WITHIN_MS = 1_000;

/**
 * Slots that a hub showed otherwise than the clinic had them at any moment of the last poll: a check of
 * the whole measurement. A fall in doubt, which waits for a second opinion, is one too.
 */
export const contradictions = (courses: readonly Course[]): number =>
	courses.reduce((sum, { polls, slots }) => {
		const last = polls.at(-1);
		if (last === undefined) return sum;
		const wrong = slots.filter(({ truth, shown }) => {
			const isShown = isOpenAt(shown, last.committedAt + WRITTEN_WITHIN_MS);
			const during = truth.filter(({ at }) => at > last.startedAt && at <= last.committedAt);
			return isShown !== isOpenAt(truth, last.startedAt) && !during.some((e) => e.open === isShown);
		});
		return sum + wrong.length;
	}, 0);

/** Time in the span, cut at every change of either side. */
const sweep = ({ truth, shown }: Slots, { from, until }: Span) => {
	const cuts = [...truth, ...shown].map(({ at }) => at).filter((at) => at > from && at < until);
	const edges = [from, ...cuts.toSorted((a, b) => a - b), until];
	const sums = { shown: 0, wrong: 0, open: 0, hidden: 0 };
	for (const [nth, at] of edges.slice(0, -1).entries()) {
		const ms = (edges[nth + 1] ?? at) - at;
		const isOpen = isOpenAt(truth, at);
		const isShown = isOpenAt(shown, at);
		if (isShown) sums.shown += ms;
		if (isShown && !isOpen) sums.wrong += ms;
		if (isOpen) sums.open += ms;
		if (isOpen && !isShown) sums.hidden += ms;
	}
	return sums;
};

type Sums = {
	changes: number;
	weight: number;
	unseen: number;
	delay: number;
	delayAlike: number;
	openings: number;
	openingsWeight: number;
	missed: number;
	missedWeight: number;
	shown: number;
	wrong: number;
	open: number;
	hidden: number;
};

const addSlot = (sums: Sums, course: Course, slot: Slots, span: Span): void => {
	const { weight } = course;
	for (const [nth, flip] of slot.truth.entries()) {
		if (nth === 0 || flip.at < span.from || flip.at >= span.until) continue;
		const seen = seenAt(course, slot, flip);
		const seconds = (Math.min(seen, span.end) - flip.at) / 1_000;
		sums.changes += 1;
		sums.weight += weight;
		if (seen > span.end) sums.unseen += weight;
		sums.delay += weight * seconds;
		sums.delayAlike += seconds;
		if (!flip.open) continue;
		const missed = isMissed(course, slot, nth) ? 1 : 0;
		sums.openings += 1;
		sums.openingsWeight += weight;
		sums.missed += missed;
		sums.missedWeight += missed * weight;
	}
	const { shown, wrong, open, hidden } = sweep(slot, span);
	sums.shown += weight * shown;
	sums.wrong += weight * wrong;
	sums.open += weight * open;
	sums.hidden += weight * hidden;
};

/** All sources of one hub together. Shares are in [0, 1], NaN when there is nothing to divide by. */
export const figuresOf = (courses: readonly Course[], span: Span): FreshnessFigures => {
	const sums: Sums = {
		changes: 0,
		weight: 0,
		unseen: 0,
		delay: 0,
		delayAlike: 0,
		openings: 0,
		openingsWeight: 0,
		missed: 0,
		missedWeight: 0,
		shown: 0,
		wrong: 0,
		open: 0,
		hidden: 0
	};
	for (const course of courses) for (const slot of course.slots) addSlot(sums, course, slot, span);
	return {
		changes: sums.changes,
		unseen: sums.unseen / sums.weight,
		delay: sums.delay / sums.weight,
		delayAlike: sums.delayAlike / sums.changes,
		openings: sums.openings,
		missed: sums.missedWeight / sums.openingsWeight,
		missedAlike: sums.missed / sums.openings,
		wrong: sums.wrong / sums.shown,
		hidden: sums.hidden / sums.open
	};
};
