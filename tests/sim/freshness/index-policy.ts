// The hub's own policy in the simulated world, made of the very functions that the workers use; with
// learned rates, or with the true ones as the measure of what learning costs.
import { MINUTE_MS, HOUR_MS } from '#domain/time.ts';
import {
	admit,
	afterFailure,
	breakerState,
	closedBreaker,
	returnAt,
	type Breaker
} from '#domain/polling/breaker.ts';
import {
	flatPool,
	newEstimate,
	poolOf,
	profileAt,
	rateOf,
	type Estimate,
	type Pool
} from '#domain/polling/estimate.ts';
import { isPlanOld } from '#domain/polling/importance.ts';
import { hourOfWeek } from '#domain/polling/local-time.ts';
import { observe } from '#domain/polling/observe.ts';
import { planPoll } from '#domain/polling/plan.ts';
import { nextTrim, solvePrices, stalenessCapMs, type Payer } from '#domain/polling/price.ts';
import { randomFrom } from '../../support/random.ts';
import { firstDueOf } from './simple-policies.ts';
import { weightAt, type Policy, type Polled } from './simulate.ts';
import { RELEASE_CHANCE, type Schedule, type World } from './world.ts';

type Unit = {
	readonly schedule: Schedule;
	estimate: Estimate;
	/** Only where the truth is known each unit has a pool of its own. */
	pool: Pool;
	lastGood: number;
	lastPoll: number;
	due: number;
	basis: { weight: number; price: number };
};

const CERTAIN_DAYS = 1e6;

/** An estimate that knows: the profile is its pool, the releases are beyond doubt. */
const trueUnit = (schedule: Schedule, gapMs: number): Pick<Unit, 'estimate' | 'pool'> => {
	const blank = newEstimate(flatPool, gapMs);
	const releases = blank.releases.map((_, mark) =>
		schedule.marks.includes(mark) ? RELEASE_CHANCE * (5 / 7) * CERTAIN_DAYS : 0
	);
	const estimate = {
		...blank,
		events: schedule.perHour,
		hours: 1,
		releases,
		days: CERTAIN_DAYS,
		hot: schedule.marks
	};
	return { estimate, pool: { perHour: schedule.perHour, profile: schedule.profile } };
};

const createUnits = (world: World, gapMs: number, knows: boolean): Unit[] =>
	world.schedules.map((schedule) => ({
		schedule,
		...(knows
			? trueUnit(schedule, gapMs)
			: { estimate: newEstimate(flatPool, gapMs), pool: flatPool }),
		lastGood: 0,
		lastPoll: 0,
		due: 0,
		basis: { weight: 1, price: 1 }
	}));

const learn = (unit: Unit, { now, count }: Polled, knows: boolean): void => {
	const { offsetMs } = unit.schedule;
	const told = { from: unit.lastGood + offsetMs, to: now + offsetMs, count, cost: 1 };
	unit.estimate = knows
		? {
				...unit.estimate,
				gapMs: unit.estimate.gapMs + 0.2 * (now - unit.lastGood - unit.estimate.gapMs)
			}
		: observe(unit.estimate, unit.pool, told);
	unit.lastGood = now;
};

const poolByZone = (units: readonly Unit[]): void => {
	for (const group of Map.groupBy(units, ({ schedule }) => schedule.offsetMs).values()) {
		const pool = poolOf(group.map(({ estimate }) => estimate));
		for (const unit of group) unit.pool = pool;
	}
};

export type IndexOptions = { readonly knows: boolean; readonly seed: number };

/** Breakers of all hosts: what a gate asks and a poll tells. */
const createBreakers = (units: readonly Unit[], seed: number) => {
	const random = randomFrom(seed ^ 0x5bd1e995);
	const breakers = new Map<number, Breaker>();
	const of = (host: number): Breaker => breakers.get(host) ?? closedBreaker;
	return {
		isShut: (host: number, now: number) => breakerState(of(host), now) !== 'closed',
		gate: (index: number, now: number): number | null => {
			const { host } = (units[index] as Unit).schedule;
			const { admitted, breaker } = admit(of(host), now);
			breakers.set(host, breaker);
			if (admitted) return null;
			return Math.max(breaker.shutUntil, breaker.probeUntil) + random.next() * 10_000;
		},
		/** Returns whether the host has just come back. */
		heard: ({ ok, now }: Polled, host: number): boolean => {
			const before = of(host);
			const failure = { now, chance: random.next(), retryAfterMs: null };
			breakers.set(host, ok ? closedBreaker : afterFailure(before, failure));
			return ok && breakerState(before, now) !== 'closed';
		},
		returnAt: (now: number) => returnAt(now, random.next())
	};
};

/** The policy of domain/polling. `perSecond` is the budget. */
export const createIndexPolicy = (
	world: World,
	perSecond: number,
	options: IndexOptions
): Policy => {
	const { knows } = options;
	const count = world.schedules.length;
	const units = createUnits(world, (count * 1_000) / perSecond, knows);
	const breakers = createBreakers(units, options.seed);
	const capMs = stalenessCapMs(count, perSecond);
	let prices = { hub: 0 };
	let trim = 1;
	const back: [number, number][] = [];

	const plan = (unit: Unit, now: number): number => {
		const { schedule, lastGood, lastPoll } = unit;
		const weight = weightAt(world, schedule, now);
		const price = prices.hub * trim;
		unit.basis = { weight, price };
		const at = (ms: number): number => ms + schedule.offsetMs;
		const wish = {
			lastGood: at(lastGood),
			now: at(now),
			earliest: at(Math.max(lastPoll + schedule.minIntervalMs, now)),
			latest: at(lastGood + capMs),
			weight,
			price,
			signalled: 0,
			untold: 1
		};
		unit.due = planPoll(unit.estimate, unit.pool, wish) - schedule.offsetMs;
		return unit.due;
	};

	const setPrices = (now: number): void => {
		const alive = units.filter(({ schedule }) => !breakers.isShut(schedule.host, now));
		const payers = alive.map((unit): Payer => {
			const { schedule, estimate, pool } = unit;
			const factor = profileAt(estimate, pool, hourOfWeek(now + schedule.offsetMs));
			return {
				host: String(schedule.host),
				perHour: rateOf(estimate) * factor,
				weight: weightAt(world, schedule, now),
				cost: 1,
				minIntervalMs: schedule.minIntervalMs
			};
		});
		prices = solvePrices(payers, { perSecond, hostPerSecond: Infinity, capMs });
		const spent = alive.reduce((sum, { due, lastPoll, schedule }) => {
			return sum + 1_000 / Math.max(due - lastPoll, schedule.minIntervalMs);
		}, 0);
		trim = nextTrim(trim, spent, perSecond);
	};

	return {
		firstDue: firstDueOf(perSecond),
		gate: breakers.gate,
		next: (polled) => {
			const unit = units[polled.unit] as Unit;
			const { host } = unit.schedule;
			unit.lastPoll = polled.now;
			if (breakers.heard(polled, host)) {
				units.forEach((other, index) => {
					if (other.schedule.host !== host || index === polled.unit) return;
					back.push([index, breakers.returnAt(polled.now)]);
				});
			}
			if (polled.ok) learn(unit, polled, knows);
			return plan(unit, polled.now);
		},
		tick: (now) => {
			if (!knows && now % HOUR_MS === 0) poolByZone(units);
			if (now % (4 * MINUTE_MS) === 0) setPrices(now);
			const returning = back.splice(0);
			const kept = new Set(returning.map(([index]) => index));
			const anew = units.flatMap((unit, index): [number, number][] => {
				if (kept.has(index) || unit.lastPoll === 0) return [];
				const weight = weightAt(world, unit.schedule, now);
				if (!isPlanOld(unit.basis, { weight, price: prices.hub * trim })) return [];
				return breakers.isShut(unit.schedule.host, now) ? [] : [[index, plan(unit, now)]];
			});
			return [...returning, ...anew];
		}
	};
};
