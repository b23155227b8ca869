// A made-up world of schedules that change, rooms that people watch and hosts that may be down. All
// of it is drawn before the first poll, so that every policy meets the very same world.
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { hourOfWeek } from '#domain/polling/local-time.ts';
import { randomFrom, type Random } from '../../support/random.ts';

/** One slot that came to differ at `at`; `mate` is the change it takes back, or -1. */
export type Change = { readonly at: number; mate: number; readonly released: boolean };

export type Schedule = {
	readonly host: number;
	readonly room: number;
	/** Added to an instant gives local time, ms. */
	readonly offsetMs: number;
	readonly minIntervalMs: number;
	readonly subscribers: number;
	/** Truth, for the policy that knows it: changes per hour, 48 factors, marks and their chance. */
	readonly perHour: number;
	readonly profile: readonly number[];
	readonly marks: readonly number[];
	readonly changes: readonly Change[];
};

export type World = {
	readonly schedules: readonly Schedule[];
	readonly hosts: number;
	readonly endMs: number;
	/** Viewers of a room at an instant, and their integral from 0, in viewer-hours. */
	readonly viewersAt: (room: number, at: number) => number;
	readonly viewedUntil: (room: number, at: number) => number;
};

export type WorldSize = {
	readonly schedules: number;
	readonly days: number;
	/**
	 * How much of a room's popularity shows in the rates of its schedules: slots that many look at are
	 * booked more often. 0 = not at all. The default makes intervals by rate and intervals by viewers
	 * about 0.3 of fixed ones in delay, as in the reference figures.
	 */
	readonly link?: number;
};

const USUAL_LINK = 0.75;
const ZIPF = 1.1;
const RATE_SPREAD = 1.3;

/** Chance that a mark of a working day brings a batch. */
export const RELEASE_CHANCE = 0.85;
const STEP_MS = 10 * MINUTE_MS;
const OFFSETS_H = [-5, -6, -7, -8] as const;
const BATCH_MEAN = 15;
const UNDONE_AFTER_MS = 8 * MINUTE_MS;

const normal = (random: Random): number =>
	Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
const exponential = (random: Random, mean: number): number => -mean * Math.log(1 - random.next());

/** Busy days, quiet nights, slow weekends; no two alike. Weekly mean 1. */
const drawProfile = (random: Random): number[] => {
	const from = random.int(7, 9);
	const until = random.int(16, 19);
	const night = 0.05 + 0.2 * random.next();
	const weekend = 0.15 + 0.5 * random.next();
	const raw = Array.from({ length: 48 }, (_, hour) => {
		const busy = hour % 24 >= from && hour % 24 < until ? 1 : night;
		return busy * (hour < 24 ? 1 : weekend) * (0.7 + 0.6 * random.next());
	});
	const mean = raw.reduce((sum, v, hour) => sum + (v * (hour < 24 ? 5 : 2)) / 168, 0);
	return raw.map((v) => v / mean);
};

type Drawn = Pick<Schedule, 'offsetMs' | 'perHour' | 'profile' | 'marks'>;
type Fresh = { at: number; mate: Fresh | null; released: boolean };

const drawTrickle = (random: Random, of: Drawn, endMs: number): Fresh[] => {
	const top = of.perHour * Math.max(...of.profile);
	const drawn: Fresh[] = [];
	let at = exponential(random, HOUR_MS / top);
	for (; at < endMs; at += exponential(random, HOUR_MS / top)) {
		const now = of.perHour * (of.profile[hourOfWeek(at + of.offsetMs)] ?? 1);
		if (!random.chance(now / top)) continue;
		const change = { at, mate: null, released: false };
		drawn.push(change);
		if (random.chance(0.2)) drawn.push({ at: at + UNDONE_AFTER_MS, mate: change, released: false });
	}
	return drawn;
};

const drawReleases = (random: Random, of: Drawn, endMs: number): Fresh[] => {
	const drawn: Fresh[] = [];
	for (let day = 0; day * DAY_MS < endMs; day += 1) {
		if (hourOfWeek(day * DAY_MS) >= 24) continue;
		for (const mark of of.marks) {
			if (!random.chance(RELEASE_CHANCE)) continue;
			const at = day * DAY_MS + mark * 5 * MINUTE_MS - of.offsetMs + random.next() * 20_000;
			const size = 1 + Math.floor(exponential(random, BATCH_MEAN - 1));
			for (let i = 0; i < size; i += 1) {
				const change = { at, mate: null, released: true };
				drawn.push(change);
				if (!random.chance(0.75)) continue;
				const gone = at + exponential(random, 15 * MINUTE_MS);
				drawn.push({ at: gone, mate: change, released: false });
			}
		}
	}
	return drawn.filter(({ at }) => at >= 0);
};

const inOrder = (drawn: readonly Fresh[], endMs: number): Change[] => {
	const sorted = drawn.filter(({ at }) => at < endMs).sort((a, b) => a.at - b.at);
	const places = new Map(sorted.map((change, i) => [change, i]));
	return sorted.map(({ at, mate, released }) => ({
		at,
		mate: mate === null ? -1 : (places.get(mate) ?? -1),
		released
	}));
};

type Setting = {
	readonly rooms: number;
	readonly hosts: number;
	readonly endMs: number;
	readonly link: number;
};

/** Lognormal, median 0.5 an hour; a part of its spread follows the popularity of the room. */
const drawRate = (random: Random, room: number, { rooms, link }: Setting): number => {
	const logs = Array.from({ length: rooms }, (_, i) => -ZIPF * Math.log(i + 1));
	const mean = logs.reduce((sum, v) => sum + v, 0) / rooms;
	const spread = logs.reduce((sum, v) => sum + (v - mean) ** 2, 0) / rooms;
	const own = Math.sqrt(Math.max(0.1, RATE_SPREAD ** 2 - link ** 2 * spread));
	return 0.5 * Math.exp(link * ((logs[room] ?? 0) - mean) + own * normal(random));
};

const drawSchedule = (random: Random, setting: Setting): Schedule => {
	const { rooms, hosts, endMs } = setting;
	const releases = random.chance(0.3);
	const room = random.int(0, rooms - 1);
	const of: Drawn = {
		offsetMs: random.pick(OFFSETS_H) * HOUR_MS,
		perHour: drawRate(random, room, setting),
		profile: drawProfile(random),
		marks: releases ? [random.int(72, 240)] : []
	};
	return {
		...of,
		// Squared: few large hosts, many small ones.
		host: Math.floor(random.next() ** 2 * hosts),
		room,
		minIntervalMs: random.pick([10, 30, 60, 60, 120, 300]) * 1_000,
		subscribers: random.chance(0.3) ? random.int(1, 6) : 0,
		changes: inOrder([...drawTrickle(random, of, endMs), ...drawReleases(random, of, endMs)], endMs)
	};
};

/** Viewers per room and ten minutes: Zipf, drifting, by the hour of the day, with flash crowds. */
const drawViewers = (random: Random, rooms: number, peak: number, endMs: number): number[][] => {
	const steps = Math.ceil(endMs / STEP_MS) + 1;
	const zipf = Array.from({ length: rooms }, (_, i) => 1 / (i + 1) ** ZIPF);
	const all = zipf.reduce((sum, v) => sum + v, 0);
	const tables = zipf.map((share) => {
		let drift = 0;
		return Array.from({ length: steps }, (_, i) => {
			drift = drift * 0.995 + normal(random) * 0.07;
			const hour = (((i * STEP_MS) / HOUR_MS - 6 + 48) % 24) / 24;
			const day = 0.1 + 0.9 * Math.max(0, Math.sin(Math.PI * hour)) ** 2;
			return ((peak * share) / all) * day * Math.exp(drift);
		});
	});
	for (let crowd = 0; crowd < (3 * endMs) / DAY_MS; crowd += 1) {
		const table = random.pick(tables);
		const from = random.int(0, steps - 5);
		for (let i = from; i < from + 4; i += 1) table[i] = (table[i] ?? 0) + 0.2 * peak;
	}
	return tables.map((table) => table.map((v) => Math.round(v)));
};

/** Draws a world; the same seed and size give the same world. */
export const createWorld = (seed: number, size: WorldSize): World => {
	const random = randomFrom(seed);
	const endMs = size.days * DAY_MS;
	const rooms = Math.max(100, Math.round(size.schedules * 0.09));
	const hosts = Math.max(6, Math.round(size.schedules * 0.03));
	const schedules = Array.from({ length: size.schedules }, () =>
		drawSchedule(random, { rooms, hosts, endMs, link: size.link ?? USUAL_LINK })
	);
	const viewers = drawViewers(random, rooms, size.schedules * 0.75, endMs);
	const sums = viewers.map((table) => {
		let sum = 0;
		return table.map((v) => (sum += (v * STEP_MS) / HOUR_MS) - (v * STEP_MS) / HOUR_MS);
	});
	const viewersAt = (room: number, at: number): number =>
		viewers[room]?.[Math.floor(at / STEP_MS)] ?? 0;
	const viewedUntil = (room: number, at: number): number => {
		const step = Math.floor(at / STEP_MS);
		const before = sums[room]?.[step] ?? 0;
		return before + (viewersAt(room, at) * (at - step * STEP_MS)) / HOUR_MS;
	};
	return { schedules, hosts, endMs, viewersAt, viewedUntil };
};
