// What others do: one interval for all, intervals by rate, and AIMD. Each keeps the same budget by a
// common factor on its intervals.
import { MINUTE_MS } from '#domain/time.ts';
import { flatPool, newEstimate, rateOf, type Estimate } from '#domain/polling/estimate.ts';
import { observe } from '#domain/polling/observe.ts';
import { stalenessCapMs } from '#domain/polling/price.ts';
import type { Policy, Polled } from './simulate.ts';
import type { Schedule, World } from './world.ts';

/** Spreads the first polls evenly. */
export const firstDueOf = (perSecond: number) => (unit: number) => (unit * 1_000) / perSecond;

/** The same interval for every unit. */
export const createFixed = (world: World, perSecond: number): Policy => {
	const interval = (world.schedules.length * 1_000) / perSecond;
	return {
		firstDue: firstDueOf(perSecond),
		next: ({ unit, now }) =>
			now + Math.max(interval, (world.schedules[unit] as Schedule).minIntervalMs),
		tick: () => []
	};
};

const SCALE_EVERY_MS = 10 * MINUTE_MS;

/** Intervals in any unit, scaled so that together they cost the budget. */
const createScaled = (
	world: World,
	perSecond: number,
	parts: { readonly learn: (polled: Polled) => void; readonly wish: (unit: number) => number }
): Policy => {
	const units = world.schedules.length;
	const cap = stalenessCapMs(units, perSecond);
	let scale = 1;
	const interval = (unit: number): number => {
		const { minIntervalMs } = world.schedules[unit] as Schedule;
		return Math.max(minIntervalMs, Math.min(cap, scale * parts.wish(unit)));
	};
	const fit = (): void => {
		let [low, high] = [-20, 20];
		for (let i = 0; i < 30; i += 1) {
			scale = Math.exp((low + high) / 2);
			let demand = 0;
			for (let unit = 0; unit < units; unit += 1) demand += 1_000 / interval(unit);
			if (demand > perSecond) low = Math.log(scale);
			else high = Math.log(scale);
		}
	};
	let fitAt = 0;
	return {
		firstDue: firstDueOf(perSecond),
		next: (polled) => {
			if (polled.ok) parts.learn(polled);
			return polled.now + interval(polled.unit);
		},
		tick: (now) => {
			if (now >= fitAt) {
				fit();
				fitAt = now + SCALE_EVERY_MS;
			}
			return [];
		}
	};
};

/** Intervals inverse to the learned rate. */
export const createProportional = (world: World, perSecond: number): Policy => {
	const uniform = (world.schedules.length * 1_000) / perSecond;
	const estimates: Estimate[] = world.schedules.map(() => newEstimate(flatPool, uniform, 1));
	const lastGood = world.schedules.map(() => 0);
	return createScaled(world, perSecond, {
		learn: ({ unit, now, count }) => {
			const { offsetMs } = world.schedules[unit] as Schedule;
			const told = { from: (lastGood[unit] ?? 0) + offsetMs, to: now + offsetMs, count, cost: 1 };
			estimates[unit] = observe(estimates[unit] as Estimate, flatPool, told);
			lastGood[unit] = now;
		},
		wish: (unit) => uniform / Math.max(0.01, rateOf(estimates[unit] as Estimate))
	});
};

/** Twice as often after a change, a little less often after none. */
export const createAimd = (world: World, perSecond: number): Policy => {
	const uniform = (world.schedules.length * 1_000) / perSecond;
	const wishes = world.schedules.map(() => uniform);
	return createScaled(world, perSecond, {
		learn: ({ unit, count }) => {
			const wish = wishes[unit] ?? uniform;
			wishes[unit] =
				count > 0 ? Math.max(uniform / 64, wish / 2) : Math.min(8 * uniform, wish + uniform / 8);
		},
		wish: (unit) => wishes[unit] ?? uniform
	});
};
