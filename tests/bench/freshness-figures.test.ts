// The arithmetic of `npm run bench freshness`, on a course small enough to reckon by hand.
import { expect, test } from 'vitest';
import {
	contradictions,
	figuresOf,
	leastDelayShare,
	type Course,
	type Timeline
} from './freshness-figures.ts';

const line = (...entries: readonly (readonly [at: number, open: boolean])[]): Timeline =>
	entries.map(([at, open]) => ({ at, open }));

const span = { from: 10_000, until: 50_000, end: 60_000 };

/** Polls at 20 s and 40 s, each committed a second later. */
const polls = [20_000, 40_000].map((startedAt) => ({ startedAt, committedAt: startedAt + 1_000 }));

const course = (truth: Timeline, shown: Timeline, weight = 1): Course => ({
	weight,
	polls,
	slots: [{ truth, shown }]
});

const taken = course(line([0, true], [15_000, false]), line([0, true], [21_000, false]));

test('[Q30] a change is told by the commit of a poll, and wrong until then', () => {
	const figures = figuresOf([taken], span);
	expect(figures.changes).toBe(1);
	expect(figures.delay).toBe(6);
	expect(figures.unseen).toBe(0);
	// Shown from 10 s to 21 s, open until 15 s.
	expect(figures.wrong).toBeCloseTo(6 / 11);
	expect(figures.hidden).toBe(0);
});

test('[Q30] a poll under way that still saw the change tells it', () => {
	const late = course(line([0, true], [20_500, false]), line([0, true], [21_000, false]));
	expect(figuresOf([late], span).delay).toBe(0.5);
	// Had it not seen it, the next poll would have.
	const later = course(line([0, true], [20_500, false]), line([0, true], [41_000, false]));
	expect(figuresOf([later], span).delay).toBe(20.5);
});

test('[Q30] opened and gone between two polls is missed, and no sooner told for that', () => {
	const between = course(line([0, false], [22_000, true], [30_000, false]), []);
	const figures = figuresOf([between], span);
	expect(figures.openings).toBe(1);
	expect(figures.missedAlike).toBe(1);
	expect(figures.delay).toBe((41 - 22 + (41 - 30)) / 2);
	expect(figures.hidden).toBe(1);
});

test('[Q30] an opening that a poll saw, that still lasts, or that was shown all along is not missed', () => {
	const seen = course(
		line([0, false], [12_000, true], [30_000, false]),
		line([21_000, true], [41_000, false])
	);
	const lasting = course(line([0, false], [45_000, true]), []);
	const allAlong = course(
		line([0, true], [22_000, false], [25_000, true], [30_000, false]),
		line([0, true], [41_000, false])
	);
	for (const one of [seen, lasting, allAlong]) {
		expect(figuresOf([one], span).missedAlike).toBe(0);
	}
	// Nothing polled after 45 s: its delay is as long as we looked.
	expect(figuresOf([lasting], span).unseen).toBe(1);
	expect(figuresOf([lasting], span).delay).toBe(15);
});

test('[Q30] sources count by what they weigh, and only what lies in the span', () => {
	const watched = course(line([0, true], [19_000, false]), line([0, true], [21_000, false]), 3);
	const figures = figuresOf([taken, watched], span);
	expect(figures.delay).toBe((6 + 3 * 2) / 4);
	expect(figures.delayAlike).toBe(4);
	expect(figuresOf([taken], { ...span, from: 16_000 }).changes).toBe(0);
	expect(figuresOf([taken], { ...span, until: 15_000 }).changes).toBe(0);
});

test('[Q30] no intervals do better than the square-root rule', () => {
	expect(leastDelayShare([taken, taken], span)).toBeCloseTo(1);
	const idle = course(line([0, true]), line([0, true]));
	expect(leastDelayShare([taken, idle], span)).toBeCloseTo(0.5);
});

test('[Q30] a copy that differs from what the clinic had during the last poll is found', () => {
	expect(contradictions([taken])).toBe(0);
	const stale = course(line([0, true], [15_000, false]), line([0, true]));
	expect(contradictions([stale])).toBe(1);
	// While the poll was under way both were true.
	const between = course(line([0, true], [40_500, false]), line([0, true]));
	expect(contradictions([between])).toBe(0);
});
