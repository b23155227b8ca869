// The two questions put to every policy: how fresh for the same budget, and what happens when the
// largest hosts are down for two hours.
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { createIndexPolicy } from './index-policy.ts';
import { createAimd, createFixed, createProportional } from './simple-policies.ts';
import { simulate, type Measure, type Outage, type Policy, type Tally } from './simulate.ts';
import { createWorld, type World } from './world.ts';

type Make = (world: World, perSecond: number, seed: number) => Policy;

export const policies = {
	fixed: createFixed,
	AIMD: createAimd,
	proportional: createProportional,
	'index, learned': (world, perSecond, seed) =>
		createIndexPolicy(world, perSecond, { knows: false, seed }),
	'index, true rates': (world, perSecond, seed) =>
		createIndexPolicy(world, perSecond, { knows: true, seed })
} as const satisfies Record<string, Make>;

export type PolicyName = keyof typeof policies;
export const policyNames = Object.keys(policies) as PolicyName[];

export type Figures = {
	readonly requests: number;
	/** Share of what viewers looked at that was wrong. */
	readonly loss: number;
	/** Weighted seconds from a change to the poll that saw it. */
	readonly delay: number;
	readonly delayP95: number;
	/** Share of released slots gone before a poll saw them: counted, and by weight. */
	readonly missed: number;
	readonly missedWeighted: number;
	/** Longest time between two good polls of a schedule, in uniform intervals. */
	readonly longestGap: number;
};

const quantile = (delays: [seconds: number, weight: number][], share: number): number => {
	const sorted = delays.toSorted(([a], [b]) => a - b);
	let left = share * sorted.reduce((sum, [, weight]) => sum + weight, 0);
	for (const [seconds, weight] of sorted) {
		left -= weight;
		if (left <= 0) return seconds;
	}
	return sorted.at(-1)?.[0] ?? 0;
};

const figuresOf = (tally: Tally, uniformS: number): Figures => ({
	requests: tally.requests,
	loss: tally.wrong / tally.watched,
	delay: tally.delay / tally.delayWeight,
	delayP95: quantile(tally.delays, 0.95),
	missed: tally.missed / Math.max(1, tally.released),
	missedWeighted: tally.missedWeight / Math.max(1e-9, tally.releasedWeight),
	longestGap: tally.longestGap / 1_000 / uniformS
});

export type Scene = {
	readonly seed: number;
	readonly schedules: number;
	readonly days: number;
	/** The last days, which are measured; those before are for learning. */
	readonly measuredDays: number;
	/** Interval that fixed polling would have, seconds: it stands for the budget. */
	readonly uniformS: number;
	readonly link?: number;
};

const all = (): boolean => true;

/** Everybody in the same world with the same budget. */
export const compare = (scene: Scene, names = policyNames): Map<PolicyName, Figures> => {
	const world = createWorld(scene.seed, scene);
	const perSecond = scene.schedules / scene.uniformS;
	const measure: Measure = {
		from: world.endMs - scene.measuredDays * DAY_MS,
		// What happens later might never be seen by anybody.
		until: world.endMs - 8 * scene.uniformS * 1_000,
		includes: all
	};
	return new Map(
		names.map((name) => {
			const policy = policies[name](world, perSecond, scene.seed);
			const tally = simulate(world, policy, { perSecond, outage: null, measure });
			return [name, figuresOf(tally, scene.uniformS)];
		})
	);
};

export type OutageFigures = {
	/** Healthy schedules while the hosts were down: loss with and without the outage. */
	readonly lossDuring: number;
	readonly lossWithout: number;
	/** Share of schedule-hours that were right. */
	readonly freshDuring: number;
	readonly freshWithout: number;
	/** Requests a minute that failed. */
	readonly failedPerMinute: number;
	/** Most requests in one minute to the hosts that were down, in the hour after, and without outage. */
	readonly peakAfter: number;
	readonly peakWithout: number;
	/** Requests a minute on average to those hosts in the hour after. */
	readonly meanAfter: number;
};

const LARGEST = 3;
const DOWN_MS = 2 * HOUR_MS;

const largestHosts = (world: World): Set<number> => {
	const sizes = new Map<number, number>();
	for (const { host } of world.schedules) sizes.set(host, (sizes.get(host) ?? 0) + 1);
	const sorted = [...sizes].sort(([, a], [, b]) => b - a);
	return new Set(sorted.slice(0, LARGEST).map(([host]) => host));
};

const peakOf = (tally: Tally, from: number, minutes: number) => {
	const counts = Array.from(
		{ length: minutes },
		(_, i) => tally.perMinute.get(Math.floor(from / MINUTE_MS) + i) ?? 0
	);
	return { peak: Math.max(...counts), mean: counts.reduce((sum, n) => sum + n, 0) / minutes };
};

/** The largest hosts fall silent at noon of the last but one day, for two hours. */
export const compareOutage = (scene: Scene, name: PolicyName = 'index, learned'): OutageFigures => {
	const world = createWorld(scene.seed, scene);
	const perSecond = scene.schedules / scene.uniformS;
	const from = world.endMs - 2 * DAY_MS + 18 * HOUR_MS;
	const outage: Outage = { hosts: largestHosts(world), from, until: from + DOWN_MS };
	const isDown = (unit: number): boolean => outage.hosts.has(world.schedules[unit]?.host ?? -1);
	const measure = { from, until: from + DOWN_MS, includes: (unit: number) => !isDown(unit) };
	const run = (when: Outage | null): Tally =>
		simulate(world, policies[name](world, perSecond, scene.seed), {
			perSecond,
			outage: when,
			measure,
			countMinutes: isDown
		});
	const [during, without] = [run(outage), run(null)];
	const after = peakOf(during, outage.until, 60);
	return {
		lossDuring: during.wrong / during.watched,
		lossWithout: without.wrong / without.watched,
		freshDuring: during.fresh / during.time,
		freshWithout: without.fresh / without.time,
		failedPerMinute: during.failed / (DOWN_MS / MINUTE_MS),
		peakAfter: after.peak,
		peakWithout: peakOf(without, from, 180).peak,
		meanAfter: after.mean
	};
};
