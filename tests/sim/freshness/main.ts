// npm run sim:freshness: compares the ways to poll over seeds and budgets, prints a table, and draws
// the picture of docs/polling.md when asked (--plot <file>). Virtual time, the same on any machine.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
	compare,
	compareOutage,
	policyNames,
	type Figures,
	type OutageFigures,
	type PolicyName
} from './compare.ts';
import { drawPlot, type Bar } from './plot.ts';

const { values } = parseArgs({
	options: {
		seeds: { type: 'string', default: '10' },
		schedules: { type: 'string', default: '300' },
		days: { type: 'string', default: '10' },
		budgets: { type: 'string', default: '2000,1000,400' },
		link: { type: 'string' },
		plot: { type: 'string' }
	}
});
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const schedules = Number(values.schedules);
const days = Number(values.days);
const budgets = values.budgets.split(',').map(Number);
const link = values.link === undefined ? {} : { link: Number(values.link) };

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const note = (line: string): void => void process.stderr.write(`${line}\n`);

const meanOf = (numbers: readonly number[]): number =>
	numbers.reduce((sum, n) => sum + n, 0) / numbers.length;

/** Half of the 95 % interval of a mean (normal). */
const spreadOf = (numbers: readonly number[]): number => {
	const mean = meanOf(numbers);
	const variance =
		numbers.reduce((sum, n) => sum + (n - mean) ** 2, 0) / Math.max(1, numbers.length - 1);
	return 1.96 * Math.sqrt(variance / numbers.length);
};

const meanFigures = (all: readonly Figures[]): Figures => ({
	requests: meanOf(all.map((f) => f.requests)),
	loss: meanOf(all.map((f) => f.loss)),
	delay: meanOf(all.map((f) => f.delay)),
	delayP95: meanOf(all.map((f) => f.delayP95)),
	missed: meanOf(all.map((f) => f.missed)),
	missedWeighted: meanOf(all.map((f) => f.missedWeighted)),
	longestGap: Math.max(...all.map((f) => f.longestGap))
});

const percent = (share: number): string => (100 * share).toFixed(1);

const row = (uniformS: number, name: PolicyName, all: readonly Figures[]): string => {
	const mean = meanFigures(all);
	const cells = [
		`${uniformS} s`,
		name,
		mean.requests.toFixed(0),
		(100 * (1 - mean.loss)).toFixed(2),
		`${mean.delay.toFixed(0)} ± ${spreadOf(all.map((f) => f.delay)).toFixed(0)}`,
		mean.delayP95.toFixed(0),
		percent(mean.missed),
		percent(mean.missedWeighted),
		mean.longestGap.toFixed(1)
	];
	return `| ${cells.join(' | ')} |`;
};

const tellGoals = (uniformS: number, of: ReadonlyMap<PolicyName, readonly Figures[]>): void => {
	const mean = (name: PolicyName): Figures => meanFigures(of.get(name) ?? []);
	const [fixed, ours, knowing] = [mean('fixed'), mean('index, learned'), mean('index, true rates')];
	const goals = [
		['delay / fixed', ours.delay / fixed.delay, 0.25],
		['loss / true rates', ours.loss / knowing.loss, 1.1],
		['missed / fixed', ours.missed / fixed.missed, 0.5],
		['missed / fixed, by weight', ours.missedWeighted / fixed.missedWeighted, 0.5],
		['requests / fixed', ours.requests / fixed.requests, 1.001]
	] as const;
	for (const [name, value, goal] of goals) {
		const verdict = value <= goal ? 'met' : 'NOT met';
		say(`${uniformS} s: ${name} = ${value.toFixed(3)} (goal at most ${goal}): ${verdict}`);
	}
};

const runBudget = (uniformS: number): Bar[] => {
	const of = new Map<PolicyName, Figures[]>(policyNames.map((name) => [name, []]));
	for (const seed of seeds) {
		const scene = { seed, schedules, days, measuredDays: 4, uniformS, ...link };
		for (const [name, figures] of compare(scene)) of.get(name)?.push(figures);
		note(`${uniformS} s, seed ${seed} done`);
	}
	for (const [name, all] of of) say(row(uniformS, name, all));
	lines.push(() => tellGoals(uniformS, of));
	return [...of].map(([name, all]) => ({ uniformS, name, mean: meanFigures(all) }));
};

const runOutage = (uniformS: number): void => {
	const all = seeds.map((seed) =>
		compareOutage({ seed, schedules, days, measuredDays: 2, uniformS, ...link })
	);
	const mean = (pick: (of: OutageFigures) => number): number => meanOf(all.map(pick));
	say(`Largest three hosts down for two hours, ${uniformS} s, means:`);
	say(
		`healthy schedules right ${percent(mean((o) => o.freshDuring))} % (without outage ${percent(mean((o) => o.freshWithout))} %), loss ${percent(mean((o) => o.lossDuring))} % (${percent(mean((o) => o.lossWithout))} %)`
	);
	say(
		`failed requests a minute ${mean((o) => o.failedPerMinute).toFixed(2)}; requests a minute to those hosts in the hour after: mean ${mean((o) => o.meanAfter).toFixed(1)}, peak ${mean((o) => o.peakAfter).toFixed(1)} (peak without outage ${mean((o) => o.peakWithout).toFixed(1)})`
	);
};

const lines: (() => void)[] = [];
say(`${seeds.length} seeds, ${schedules} schedules, ${days} days, the last 4 measured`);
say(
	'| uniform interval | policy | requests | slot accuracy % | weighted delay s | p95 s | released missed % | by weight % | longest gap |'
);
say('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
const bars = budgets.flatMap(runBudget);
for (const line of lines) line();
for (const uniformS of budgets.slice(1, 2)) runOutage(uniformS);
if (values.plot !== undefined) writeFileSync(values.plot, drawPlot(bars));
