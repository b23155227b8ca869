// Runs one policy through one world: a queue of planned polls served at the rate of the budget, and
// the accounts of what viewers saw wrong, how late changes were seen and what was missed.
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { LEAST_WEIGHT, weightOf } from '#domain/polling/importance.ts';
import { SLOTS_LOOKED_AT } from '#domain/polling/worth.ts';
import type { Schedule, World } from './world.ts';

export type Polled = {
	readonly unit: number;
	readonly now: number;
	readonly ok: boolean;
	/** Slots that differed from the copy. */
	readonly count: number;
};

export type Policy = {
	readonly firstDue: (unit: number) => number;
	/** After a poll: when to ask again, in ms. */
	readonly next: (polled: Polled) => number;
	/** Every two minutes: units to be planned anew. */
	readonly tick: (now: number) => readonly (readonly [unit: number, due: number])[];
	/** May the unit be asked now? Otherwise when to try again. Not counted as a request. */
	readonly gate?: (unit: number, now: number) => number | null;
};

export type Outage = {
	readonly hosts: ReadonlySet<number>;
	readonly from: number;
	readonly until: number;
};

export type Tally = {
	requests: number;
	failed: number;
	/** Weighted wrong time and weighted time, hours. */
	wrong: number;
	watched: number;
	/** Weighted delays: sum and weights, and every delay with its weight. */
	delay: number;
	delayWeight: number;
	delays: [seconds: number, weight: number][];
	/** Released slots, and those gone again before any poll: counted, and by weight. */
	released: number;
	missed: number;
	releasedWeight: number;
	missedWeight: number;
	/** Schedule-hours in which the copy was right, and all of them. */
	fresh: number;
	time: number;
	/** Longest time between two good polls, ms. */
	longestGap: number;
	perMinute: Map<number, number>;
};

const emptyTally = (): Tally => ({
	requests: 0,
	failed: 0,
	wrong: 0,
	watched: 0,
	delay: 0,
	delayWeight: 0,
	delays: [],
	released: 0,
	missed: 0,
	releasedWeight: 0,
	missedWeight: 0,
	fresh: 0,
	time: 0,
	longestGap: 0,
	perMinute: new Map()
});

/** A binary heap of (due, unit); a unit planned anew leaves its old entry behind, which is skipped. */
const createAgenda = (units: number) => {
	const dues = new Float64Array(units).fill(Infinity);
	const heap: [due: number, unit: number][] = [];
	const swap = (i: number, j: number): void => {
		const [a, b] = [heap[i], heap[j]];
		if (a === undefined || b === undefined) return;
		heap[i] = b;
		heap[j] = a;
	};
	const dueAt = (i: number): number => heap[i]?.[0] ?? Infinity;
	const add = (unit: number, due: number): void => {
		dues[unit] = due;
		heap.push([due, unit]);
		for (let i = heap.length - 1; i > 0 && dueAt((i - 1) >> 1) > dueAt(i); i = (i - 1) >> 1) {
			swap(i, (i - 1) >> 1);
		}
	};
	const drop = (): void => {
		swap(0, heap.length - 1);
		heap.pop();
		for (let i = 0; ;) {
			const least = dueAt(2 * i + 1) <= dueAt(2 * i + 2) ? 2 * i + 1 : 2 * i + 2;
			if (dueAt(least) >= dueAt(i)) return;
			swap(i, least);
			i = least;
		}
	};
	const first = (): readonly [number, number] | null => {
		for (;;) {
			const [top] = heap;
			if (top === undefined) return null;
			if (dues[top[1]] === top[0]) return top;
			drop();
		}
	};
	const take = (unit: number): void => {
		drop();
		dues[unit] = Infinity;
	};
	return { add, first, take };
};

/** What one schedule's copy looks like. */
type Copy = { next: number; seen: number; differing: number; at: number; lastGood: number };

const wrongShare = (differing: number): number =>
	1 - (1 - 1 / SLOTS_LOOKED_AT) ** Math.max(0, differing);

/** Weight of a schedule at an instant: the same formula as the hub's. */
export const weightAt = (world: World, schedule: Schedule, at: number): number =>
	weightOf({
		viewers: world.viewersAt(schedule.room, at),
		liveHolds: 0,
		subscribers: schedule.subscribers
	});

const createAccounts = (world: World, measure: Measure) => {
	const tally = emptyTally();
	const copies: Copy[] = world.schedules.map(() => ({
		next: 0,
		seen: 0,
		differing: 0,
		at: 0,
		lastGood: 0
	}));
	const pass = (unit: number, until: number): void => {
		const copy = copies[unit] as Copy;
		const from = Math.max(copy.at, measure.from);
		const to = Math.min(until, measure.until);
		copy.at = until;
		if (to <= from || !measure.includes(unit)) return;
		const { room, subscribers } = world.schedules[unit] as Schedule;
		const hours = (to - from) / HOUR_MS;
		const viewed = world.viewedUntil(room, to) - world.viewedUntil(room, from);
		const weighted = viewed + (LEAST_WEIGHT + 0.2 * subscribers) * hours;
		tally.watched += weighted;
		tally.wrong += weighted * wrongShare(copy.differing);
		tally.time += hours;
		if (copy.differing === 0) tally.fresh += hours;
	};
	/** Lives through the changes until `now`. */
	const catchUp = (unit: number, now: number): Copy => {
		const copy = copies[unit] as Copy;
		const { changes } = world.schedules[unit] as Schedule;
		for (; copy.next < changes.length; copy.next += 1) {
			const change = changes[copy.next];
			if (change === undefined || change.at > now) break;
			pass(unit, change.at);
			copy.differing += change.mate >= copy.seen ? -1 : 1;
		}
		pass(unit, now);
		return copy;
	};
	const account = (unit: number, copy: Copy, now: number): void => {
		const schedule = world.schedules[unit] as Schedule;
		const { changes } = schedule;
		const takenBack = new Set<number>();
		for (let i = copy.seen; i < copy.next; i += 1) takenBack.add(changes[i]?.mate ?? -1);
		for (let i = copy.seen; i < copy.next; i += 1) {
			const change = changes[i];
			if (change === undefined || change.at < measure.from || change.at >= measure.until) continue;
			const weight = weightAt(world, schedule, change.at);
			const seconds = (now - change.at) / 1_000;
			tally.delay += weight * seconds;
			tally.delayWeight += weight;
			tally.delays.push([seconds, weight]);
			if (!change.released) continue;
			const missed = takenBack.has(i) ? 1 : 0;
			tally.released += 1;
			tally.releasedWeight += weight;
			tally.missed += missed;
			tally.missedWeight += missed * weight;
		}
	};
	/** A good poll: the copy is right again; returns how many slots differed. */
	const refresh = (unit: number, now: number): number => {
		const copy = catchUp(unit, now);
		const count = copy.differing;
		if (measure.includes(unit)) {
			account(unit, copy, now);
			if (now >= measure.from && now < measure.until) {
				tally.longestGap = Math.max(tally.longestGap, now - copy.lastGood);
			}
		}
		copy.seen = copy.next;
		copy.differing = 0;
		copy.lastGood = now;
		return count;
	};
	return { tally, catchUp, refresh };
};

export type Measure = {
	readonly from: number;
	readonly until: number;
	readonly includes: (unit: number) => boolean;
};

export type Run = {
	readonly perSecond: number;
	readonly outage: Outage | null;
	readonly measure: Measure;
	/** Requests per minute are counted for these units only. */
	readonly countMinutes?: (unit: number) => boolean;
};

/** Requests that a quiet moment may leave for a busy one. */
const BANKED = 20;
const TICK_MS = 2 * MINUTE_MS;

/** The whole of it, in virtual time. */
export const simulate = (world: World, policy: Policy, run: Run): Tally => {
	const { tally, catchUp, refresh } = createAccounts(world, run.measure);
	const agenda = createAgenda(world.schedules.length);
	world.schedules.forEach((_, unit) => agenda.add(unit, policy.firstDue(unit)));
	let free = 0;
	let nextTick = TICK_MS;
	for (;;) {
		const first = agenda.first();
		const now = Math.max(first?.[0] ?? Infinity, free);
		if (nextTick <= Math.min(now, world.endMs)) {
			for (const [unit, due] of policy.tick(nextTick)) agenda.add(unit, due);
			nextTick += TICK_MS;
			continue;
		}
		if (first === null || now >= world.endMs) break;
		const unit = first[1];
		agenda.take(unit);
		const later = policy.gate?.(unit, now) ?? null;
		if (later !== null) {
			agenda.add(unit, Math.max(later, now + 1));
			continue;
		}
		free = Math.max(free, now - (BANKED * 1_000) / run.perSecond) + 1_000 / run.perSecond;
		const { host } = world.schedules[unit] as Schedule;
		const { outage } = run;
		const ok =
			outage === null || !outage.hosts.has(host) || now < outage.from || now >= outage.until;
		if (now >= run.measure.from && now < run.measure.until) {
			tally.requests += 1;
			if (!ok) tally.failed += 1;
		}
		if (run.countMinutes?.(unit) === true) {
			const minute = Math.floor(now / MINUTE_MS);
			tally.perMinute.set(minute, (tally.perMinute.get(minute) ?? 0) + 1);
		}
		const count = ok ? refresh(unit, now) : 0;
		agenda.add(unit, policy.next({ unit, now, ok, count }));
	}
	world.schedules.forEach((_, unit) => catchUp(unit, world.endMs));
	return tally;
};
