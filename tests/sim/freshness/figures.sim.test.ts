// A small slice of `npm run sim:freshness` with the figures that are promised. Virtual time and fixed
// seeds: the same on any machine.
import { expect, test } from 'vitest';
import { compare, compareOutage, type Figures, type PolicyName } from './compare.ts';

const SEEDS = [1, 2];
const scene = { schedules: 160, days: 9, measuredDays: 3, uniformS: 1_000 };

test('[Q14][Q6] against fixed intervals and against the true rates', () => {
	const names: PolicyName[] = ['fixed', 'index, learned', 'index, true rates'];
	const all = SEEDS.map((seed) => compare({ ...scene, seed }, names));
	const mean = (name: PolicyName, pick: (figures: Figures) => number): number =>
		all.reduce((sum, of) => sum + pick(of.get(name) as Figures), 0) / all.length;
	const ratio = (pick: (figures: Figures) => number, to: PolicyName = 'fixed'): number =>
		mean('index, learned', pick) / mean(to, pick);
	const figures = {
		requests: ratio((f) => f.requests),
		delay: ratio((f) => f.delay),
		loss: ratio((f) => f.loss, 'index, true rates'),
		missed: ratio((f) => f.missedWeighted)
	};
	expect(figures.requests).toBeLessThanOrEqual(1.001);
	expect(figures.delay).toBeLessThanOrEqual(0.25);
	expect(figures.loss).toBeLessThanOrEqual(1.1);
	expect(figures.missed).toBeLessThanOrEqual(0.5);
	// A little over the cap: the queue serves one request after the other.
	expect(mean('index, learned', (f) => f.longestGap)).toBeLessThanOrEqual(8.5);
}, 300_000);

test('[Q13] the largest hosts down for two hours: the others are at least as fresh, and no storm follows', () => {
	const outage = compareOutage({ ...scene, seed: 1 });
	expect(outage.freshDuring).toBeGreaterThanOrEqual(outage.freshWithout);
	expect(outage.lossDuring).toBeLessThanOrEqual(outage.lossWithout);
	expect(outage.failedPerMinute).toBeLessThan(1.5);
	expect(outage.peakAfter).toBeLessThanOrEqual(1.5 * outage.peakWithout);
}, 300_000);
