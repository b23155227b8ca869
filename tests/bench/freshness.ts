// The polling policy against fixed intervals, live: two workers, each with a database of its own, poll
// the same simulated clinics over HTTP at the same time. One spends a small budget as the policy says;
// the other asks every source alike, at the interval that comes to the same number of requests.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RoomName } from '#domain/room.ts';
import { createRandom } from '../../demo/clinics/random.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { until } from '../support/until.ts';
import type { BenchResult } from './bench.ts';
import { startLivingClinics, type LivingClinics } from './freshness-clinics.ts';
import {
	figuresOf,
	leastDelayShare,
	type Course,
	type FreshnessFigures,
	type Span
} from './freshness-figures.ts';
import { startSide, type People, type Side } from './freshness-hub.ts';

const setting = (name: string, usual: number): number => Number(process.env[name] ?? usual);

const SEED = setting('BENCH_SEED', 1);
/** Cost units; an unchanged answer is a tenth, so that there are more polls than this. */
const POLLS_PER_SECOND = setting('BENCH_POLLS_PER_SECOND', 1);
const WARM_UP_MS = setting('BENCH_WARM_UP_S', 270) * 1_000;
const MEASURED_MS = setting('BENCH_MEASURED_S', 360) * 1_000;
/** So that what changed last is still seen by most. */
const TAIL_MS = setting('BENCH_TAIL_S', 180) * 1_000;
/** The policy's sources may be asked this soon; the links' max-age of 10 and 20 s holds besides. */
const MIN_INTERVAL_MS = 2_000;
const FIRST_FIXED_MS = 50_000;
/** Everything fits, so that each source is asked at its shortest interval. */
const NO_BUDGET = 10_000;
const CORRECT_EVERY_MS = 20_000;
const MOST_REQUESTS_APART = 0.05;

const VIEWERS = 300;
const ZIPF = 1.1;
const WATCHED_ROOMS = 40;
const ALERTS = 30;
const HELD_SLOTS = 6;

/** Few rooms have most of the viewers; most sources have nobody. */
const choosePeople = async (side: Side): Promise<People> => {
	const random = createRandom(SEED).fork('people');
	const rooms = await side.rooms();
	const watched = random.sample(rooms, WATCHED_ROOMS);
	const shares = watched.map((_, nth) => 1 / (nth + 1) ** ZIPF);
	const all = shares.reduce((sum, share) => sum + share, 0);
	return {
		viewers: new Map(
			watched.map((room, nth) => [
				room as RoomName,
				Math.round((VIEWERS * (shares[nth] ?? 0)) / all)
			])
		),
		alerts: random.sample(rooms, ALERTS).map((room) => {
			const [specialty = '', region = ''] = room.split(':');
			return { specialty, region: region.toUpperCase() };
		}),
		holds: random.sample(await side.openSlots(), HELD_SLOTS)
	};
};

type Sides = { readonly policy: Side; readonly fixed: Side };

/**
 * Keeps the fixed interval where both have sent as many requests since `mark`: requests cannot be planned
 * beforehand, because files that did not change are asked for or not.
 */
const keepEven = (clinics: LivingClinics, { policy, fixed }: Sides) => {
	let interval = FIRST_FIXED_MS;
	const intervals: number[] = [];
	const read = () => ({
		policy: clinics.requestsOf(policy.agent),
		fixed: clinics.requestsOf(fixed.agent)
	});
	let mark = read();
	const since = () => {
		const now = read();
		return { policy: now.policy - mark.policy, fixed: now.fixed - mark.fixed };
	};
	return {
		mark: () => {
			mark = read();
			intervals.length = 0;
		},
		since,
		/** Seconds, shortest and longest since the mark. */
		range: () => [Math.min(...intervals) / 1_000, Math.max(...intervals) / 1_000] as const,
		correct: async () => {
			const sent = since();
			const ratio = Math.min(1.25, Math.max(0.8, sent.fixed / Math.max(1, sent.policy)));
			interval *= ratio;
			intervals.push(interval);
			await fixed.setInterval(interval);
		}
	};
};

type Even = ReturnType<typeof keepEven>;

const live = async (even: Even, forMs: number): Promise<void> => {
	const end = Date.now() + forMs;
	while (Date.now() < end) {
		await sleep(Math.min(CORRECT_EVERY_MS, Math.max(0, end - Date.now())));
		await even.correct();
	}
};

const coursesOf = async (
	clinics: LivingClinics,
	side: Side,
	weights: ReadonlyMap<string, number>
): Promise<Course[]> => {
	const shown = await side.shown();
	return clinics.clinics.map(({ key, truth }) => ({
		weight: weights.get(key) ?? 0,
		polls: side.polls().get(key) ?? [],
		slots: [...truth()].map(([id, line]) => ({
			truth: line,
			shown: shown.get(key)?.get(id) ?? []
		}))
	}));
};

const percent = (share: number): number => share * 100;

type Pair = { readonly policy: FreshnessFigures; readonly fixed: FreshnessFigures };

const compared = (
	name: string,
	unit: string,
	{ policy, fixed }: Pair,
	pick: (figures: FreshnessFigures) => number
): BenchResult => ({
	name,
	unit,
	ours: [pick(policy)],
	baseline: { name: 'fixed', values: [pick(fixed)] }
});

const resultsOf = (pair: Pair): BenchResult[] => [
	compared('from a change to its commit, by weight', 's', pair, (f) => f.delay),
	compared('the same, all changes alike', 's', pair, (f) => f.delayAlike),
	compared('opened and gone between two polls, by weight', '%', pair, (f) => percent(f.missed)),
	compared('the same, all openings alike', '%', pair, (f) => percent(f.missedAlike)),
	compared('of the time slots were shown: not open, by weight', '%', pair, (f) => percent(f.wrong)),
	compared('of the time slots were open: not shown, by weight', '%', pair, (f) => percent(f.hidden))
];

/** The weights spread, told in the notes: half of all weigh less than the first number. */
const spreadOf = (weights: ReadonlyMap<string, number>): string => {
	const ascending = [...weights.values()].toSorted((a, b) => a - b);
	const at = (share: number): string =>
		(ascending[Math.floor(share * (ascending.length - 1))] ?? NaN).toFixed(1);
	return `${at(0.5)} / ${at(0.9)} / ${at(1)}`;
};

const pollsIn = (side: Side, { from, until: to }: Span): number =>
	[...side.polls().values()].flat().filter(({ startedAt }) => startedAt >= from && startedAt < to)
		.length;

type Report = {
	readonly clinics: LivingClinics;
	readonly sides: Sides;
	readonly span: Span;
	readonly sent: { readonly policy: number; readonly fixed: number };
	readonly range: readonly [number, number];
	readonly weights: ReadonlyMap<string, number>;
};

const report = async ({ clinics, sides, span, sent, range, weights }: Report) => {
	const { policy, fixed } = sides;
	const courses = await coursesOf(clinics, policy, weights);
	const others = await coursesOf(clinics, fixed, weights);
	const pair = { policy: figuresOf(courses, span), fixed: figuresOf(others, span) };
	const polls = `${pollsIn(policy, span)} polls against ${pollsIn(fixed, span)}`;
	const interval = `fixed interval ${range[0].toFixed(1)} to ${range[1].toFixed(1)} s`;
	const requests: BenchResult = {
		name: 'requests that the clinics counted',
		unit: 'requests',
		ours: [sent.policy],
		baseline: { name: 'fixed', values: [sent.fixed] },
		goal: 'within 5 %',
		met: Math.abs(sent.policy / sent.fixed - 1) <= MOST_REQUESTS_APART,
		note: `${polls}; ${interval}; ${clinics.clinics.length} sources, weights p50 / p90 / most ${spreadOf(weights)}; price ${await policy.price()}`
	};
	const seen = `not seen by the end, by weight: ${percent(pair.policy.unseen).toFixed(2)} % and ${percent(pair.fixed.unseen).toFixed(2)} %`;
	const [delay, ...rest] = resultsOf(pair);
	const least = leastDelayShare(courses, span).toFixed(2);
	const note = `${pair.policy.changes} changes; ${seen}; no intervals could do better than ${least}; copies that contradict their clinic: ${contradictions(courses)} and ${contradictions(others)}`;
	const noted = { ...delay, note } as BenchResult;
	return [requests, noted, ...rest];
};

const compare = async (clinics: LivingClinics, sides: Sides): Promise<BenchResult[]> => {
	const { policy, fixed } = sides;
	const areRead = async (): Promise<boolean> => (await policy.isRead()) && (await fixed.isRead());
	await until(areRead, { timeoutMs: 120_000, stepMs: 500 });
	const people = await choosePeople(policy);
	await Promise.all([policy.addPeople(people), fixed.addPeople(people)]);
	const even = keepEven(clinics, sides);
	// The first minute is newcomers' and tells little of how many requests a poll takes.
	await sleep(Math.min(60_000, WARM_UP_MS / 4));
	even.mark();
	await live(even, WARM_UP_MS - Math.min(60_000, WARM_UP_MS / 4));
	even.mark();
	const weights = await policy.weights();
	const from = Date.now();
	await live(even, MEASURED_MS);
	const sent = even.since();
	const range = even.range();
	const to = Date.now();
	await live(even, TAIL_MS);
	const span = { from, until: to, end: Date.now() };
	return await report({ clinics, sides, span, sent, range, weights });
};

export const run = async (): Promise<BenchResult[]> => {
	await using stack = new AsyncDisposableStack();
	const redis = stack.adopt(await createEmbeddedRedis({ durable: false }), (one) => one.close());
	const clinics = stack.adopt(await startLivingClinics(SEED), (one) => one.close());
	const start = async (name: keyof Sides, pollsPerSecond: number, minIntervalMs: number) =>
		stack.adopt(
			await startSide({
				name,
				redisUrl: redis.url,
				pollsPerSecond,
				sources: clinics.clinics.map(({ settings }) => ({ ...settings, minIntervalMs }))
			}),
			(side) => side.close()
		);
	const policy = await start('policy', POLLS_PER_SECOND, MIN_INTERVAL_MS);
	const fixed = await start('fixed', NO_BUDGET, FIRST_FIXED_MS);
	return await compare(clinics, { policy, fixed });
};
