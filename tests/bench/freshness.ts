// The polling policy against fixed intervals, live: two workers, each with a database of its own, poll
// the same simulated clinics over HTTP at the same time. One spends a small budget as the policy says;
// the other asks every source alike, at the interval that comes to the same number of requests.
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '#domain/result.ts';
import type { RoomName } from '#domain/room.ts';
import { createRandom } from '../../demo/clinics/random.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { until } from '../support/until.ts';
import type { BenchResult } from './bench.ts';
import { startLivingClinics, type LivingClinics } from './freshness-clinics.ts';
import {
	contradictions,
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
const MEASURED_MS = setting('BENCH_MEASURED_S', 300) * 1_000;
/** So that what changed last is still seen by most. */
const TAIL_MS = setting('BENCH_TAIL_S', 150) * 1_000;
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

/** Requests of both, and polls of the fixed side. */
type Sent = {
	readonly at: number;
	readonly policy: number;
	readonly fixed: number;
	readonly polls: number;
};

/** The policy's rate is taken over this time, and what one side is behind is made up in it. */
const SMOOTH_MS = 120_000;
/** A worker adds up to a tenth of chance to the shortest interval. */
const MEAN_SPREAD = 1.05;

/**
 * Keeps the fixed interval where both will have sent as many requests since `mark`. It cannot be known
 * beforehand: how many requests a poll takes depends on what changed, and what the policy spends, too.
 */
const keepEven = (clinics: LivingClinics, { policy, fixed }: Sides) => {
	const read = (): Sent => ({
		at: Date.now(),
		policy: clinics.requestsOf(policy.agent),
		fixed: clinics.requestsOf(fixed.agent),
		polls: [...fixed.polls().values()].reduce((sum, { length }) => sum + length, 0)
	});
	const intervals: number[] = [];
	const first = read();
	const history = [first];
	let mark = first;
	const since = (then: Sent): Sent => {
		const now = read();
		return {
			at: now.at,
			policy: now.policy - then.policy,
			fixed: now.fixed - then.fixed,
			polls: now.polls - then.polls
		};
	};
	return {
		mark: () => {
			mark = read();
			intervals.length = 0;
		},
		sent: () => since(mark),
		/** Seconds, shortest and longest since the mark. */
		range: () => [Math.min(...intervals) / 1_000, Math.max(...intervals) / 1_000] as const,
		correct: async () => {
			const from = history.find(({ at }) => at >= Date.now() - SMOOTH_MS) ?? first;
			const lately = since(from);
			const perMs = lately.policy / (lately.at - from.at);
			const behind = since(mark);
			const wanted = Math.max(perMs / 2, perMs + (behind.policy - behind.fixed) / SMOOTH_MS);
			const { fixed: requests, polls } = since(first);
			// Before the first polls are counted: one request each.
			const perPoll = Math.max(1, requests / Math.max(1, polls));
			const interval = (clinics.clinics.length * perPoll) / (MEAN_SPREAD * wanted);
			intervals.push(interval);
			history.push(read());
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
	{ weights, people }: Pick<Report, 'weights' | 'people'>
): Promise<Course[]> => {
	const shown = await side.shown();
	// What we hold ourselves is shown as held, whatever its clinic says.
	const isOurs = (key: string, id: string): boolean =>
		people.holds.some(({ source, slot }) => source === key && slot === id);
	return clinics.clinics.map(({ key, truth }) => ({
		weight: weights.get(key) ?? 0,
		polls: side.polls().get(key) ?? [],
		slots: [...truth()]
			.filter(([id]) => !isOurs(key, id))
			.map(([id, line]) => ({ truth: line, shown: shown.get(key)?.get(id) ?? [] }))
	}));
};

const percent = (share: number): number => share * 100;

type Pair = { readonly policy: FreshnessFigures; readonly fixed: FreshnessFigures };

/** What is promised of the simulation (Q14), asked of the live run too. */
const MOST_DELAY = 0.25;
const MOST_MISSED = 0.5;

type Row = {
	readonly name: string;
	readonly unit: string;
	readonly pick: (figures: FreshnessFigures) => number;
	/** Largest share of the fixed intervals' figure that meets the goal. */
	readonly most?: number;
};

const rows: readonly Row[] = [
	{
		name: 'from a change to its commit, by weight',
		unit: 's',
		pick: (f) => f.delay,
		most: MOST_DELAY
	},
	{ name: 'the same, all changes alike', unit: 's', pick: (f) => f.delayAlike },
	{
		name: 'opened and gone between two polls, by weight',
		unit: '%',
		pick: (f) => percent(f.missed),
		most: MOST_MISSED
	},
	{ name: 'the same, all openings alike', unit: '%', pick: (f) => percent(f.missedAlike) },
	{
		name: 'of the time slots were shown: not open, by weight',
		unit: '%',
		pick: (f) => percent(f.wrong)
	},
	{
		name: 'of the time slots were open: not shown, by weight',
		unit: '%',
		pick: (f) => percent(f.hidden)
	}
];

const resultOf = ({ name, unit, pick, most }: Row, { policy, fixed }: Pair): BenchResult => {
	const [ours, base] = [pick(policy), pick(fixed)];
	const goal = most === undefined ? {} : { goal: `at most ${most} ×`, met: ours <= most * base };
	return { name, unit, ours: [ours], baseline: { name: 'fixed', values: [base] }, ...goal };
};

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
	readonly people: People;
};

const report = async (of: Report) => {
	const { clinics, sides, span, sent, range, weights } = of;
	const { policy, fixed } = sides;
	const courses = await coursesOf(clinics, policy, of);
	const others = await coursesOf(clinics, fixed, of);
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
	const least = leastDelayShare(courses, span).toFixed(2);
	const doubts = `${contradictions(courses)} and ${contradictions(others)}`;
	const note = `${pair.policy.changes} changes, ${pair.policy.openings} openings; ${seen}; no intervals could do better than ${least}; copies that contradict their clinic: ${doubts}`;
	const [delay, ...rest] = rows.map((row) => resultOf(row, pair));
	return [requests, { ...must(delay, 'delay'), note }, ...rest];
};

const compare = async (clinics: LivingClinics, sides: Sides): Promise<BenchResult[]> => {
	const { policy, fixed } = sides;
	const areRead = async (): Promise<boolean> => (await policy.isRead()) && (await fixed.isRead());
	await until(areRead, { timeoutMs: 120_000, stepMs: 500 });
	const people = await choosePeople(policy);
	await Promise.all([policy.addPeople(people), fixed.addPeople(people)]);
	// First polls take more requests than others, and newcomers more polls.
	await sleep(WARM_UP_MS / 4);
	const even = keepEven(clinics, sides);
	await live(even, (WARM_UP_MS * 3) / 4);
	even.mark();
	const weights = await policy.weights();
	const from = Date.now();
	await live(even, MEASURED_MS);
	const sent = even.sent();
	const range = even.range();
	const to = Date.now();
	await live(even, TAIL_MS);
	const span = { from, until: to, end: Date.now() };
	return await report({ clinics, sides, span, sent, range, weights, people });
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
