// The polling policy at work: what a poll taught is kept, and the next one is planned for the moment
// at which it is worth its price. Never a reason to fail a poll: on a fault the source's shortest
// interval holds.
import type { SourceId } from '#domain/ids.ts';
import { newEstimate, rateOf, type Estimate } from '#domain/polling/estimate.ts';
import { weightOf } from '#domain/polling/importance.ts';
import { nextLookAmong } from '#domain/polling/local-time.ts';
import { observe } from '#domain/polling/observe.ts';
import { UNTOLD_SHARE, planPoll } from '#domain/polling/plan.ts';
import { FRESH_SHARE, costOfAnswer } from '#domain/polling/price.ts';
import { parseEstimate, poolIn, storeEstimate } from '#domain/polling/stored.ts';
import { DAY_MS, MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import { isZone, offsetMinutesAt } from '#domain/zone.ts';
import { aboutSource, logFault, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import {
	hastenPoll,
	noteSignal,
	readPollBasis,
	saveLesson,
	type PollBasis
} from '#server/store/polling.ts';
import type { Queues } from '../queues.ts';

export type Polled = {
	readonly sourceId: SourceId;
	readonly key: string;
	readonly url: string;
	/** When the good poll was begun, by the database's clock. */
	readonly startedAt: Instant;
	/** Slots that differ from what the store knew. */
	readonly changes: number;
	/** A 304, or a body known by its fingerprint. */
	readonly unchanged: boolean;
	/** Shortest interval or max-age, ms: no plan is sooner. */
	readonly floorMs: number;
	/** Of a poll of the near days: when the whole window was last asked for. */
	readonly farAt?: Instant | null;
};

export type PollPlan = {
	/** From the start of the poll, ms. */
	readonly nextInMs: number;
	/** Q43: it looks for a release, which may be anywhere in the window. */
	readonly nextIsWhole: boolean;
	/** Call once the poll is committed. */
	readonly keep: () => Promise<void>;
};

const offsetMsOf = (zone: string, at: Instant): number =>
	isZone(zone) ? offsetMinutesAt(at, zone) * MINUTE_MS : 0;

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : '');

/** Price of the next poll of a source: its host's or the hub's, times what its answers cost. */
const priceOf = (basis: PollBasis, url: string, cost: number): number => {
	const price = basis.hosts?.[hostOf(url)] ?? basis.hub ?? 0;
	return price * (basis.trim ?? 1) * cost;
};

/** Q6: the cap on staleness; a source that can be kept fresh is not let age by a plan. */
const latestMsOf = ({ capMs, keepsFresh, freshForMs }: PollBasis): number =>
	Math.min(capMs ?? DAY_MS, keepsFresh ? FRESH_SHARE * freshForMs : Infinity);

/** Y12: the poll found changes of which the source had not told: it is not relied on until it tells again. */
const isUntold = ({ pushes, signalled }: PollBasis, changes: number): boolean =>
	pushes && signalled === 0 && changes > 0;

/**
 * Y12: a source that tells of its changes is asked only so that a lost push is found before its times
 * would be shown as old, ms; 0 for all others.
 */
const netMsOf = (basis: PollBasis): number =>
	basis.pushes ? Math.min(basis.capMs ?? DAY_MS, FRESH_SHARE * basis.freshForMs) : 0;

type Known = { readonly estimate: Estimate; readonly offsetMs: number };

/** Q7, Q6: local plan of the policy, as an instant. */
const decidePlan = (
	basis: PollBasis,
	{ estimate, offsetMs }: Known,
	when: {
		readonly lastGood: number;
		readonly now: number;
		readonly earliest: number;
		readonly url: string;
		/** Q40: not later, ms; left out, only the caps hold. */
		readonly latest?: number;
	}
): { readonly at: number; readonly weight: number; readonly price: number } => {
	const weight = weightOf(basis);
	const price = priceOf(basis, when.url, estimate.cost);
	const at = planPoll(estimate, poolIn(basis.pools, basis.zone ?? ''), {
		lastGood: when.lastGood + offsetMs,
		now: when.now + offsetMs,
		earliest: when.earliest + offsetMs,
		latest: Math.min(when.lastGood + latestMsOf(basis), when.latest ?? Infinity) + offsetMs,
		weight,
		price,
		signalled: when.lastGood === when.now ? 0 : basis.signalled,
		untold: basis.pushes ? UNTOLD_SHARE : 1
	});
	return { at: at - offsetMs, weight, price };
};

/** Creates the planner of a worker process. */
export const createPollPolicy = ({ sql, log }: { readonly sql: Sql; readonly log: Log }) => {
	const decide = async (polled: Polled): Promise<PollPlan> => {
		const { sourceId, url, startedAt, changes, floorMs, farAt = null } = polled;
		const basis = await readPollBasis(sql, sourceId);
		const zone = basis.zone ?? 'UTC';
		const pool = poolIn(basis.pools, zone);
		const offsetMs = offsetMsOf(zone, startedAt);
		const before = parseEstimate(basis.learned);
		const told = {
			from: (basis.countedFrom ?? startedAt) + offsetMs,
			to: startedAt + offsetMs,
			count: changes + basis.told,
			cost: costOfAnswer(polled.unchanged)
		};
		// A first listing is no change: there was nothing to differ from. Q41: a rate is that of the whole
		// window, so that it is learned when the whole window was seen; what near polls found by then counts.
		const estimate =
			before === null || basis.lastGoodAt === null
				? newEstimate(pool, floorMs)
				: farAt === null
					? observe(before, pool, told)
					: before;
		const untold = isUntold(basis, changes);
		const earliest = startedAt + Math.max(floorMs, untold ? 0 : netMsOf(basis));
		const latest =
			farAt === null || !basis.keepsFresh ? Infinity : farAt + FRESH_SHARE * basis.freshForMs;
		const when = { lastGood: startedAt, now: startedAt, earliest, url, latest };
		const { at, weight, price } = decidePlan(basis, { estimate, offsetMs }, when);
		const lesson = {
			sourceId,
			learned: storeEstimate(estimate),
			zone,
			perHour: rateOf(estimate),
			cost: estimate.cost,
			lastGoodAt: startedAt,
			floorMs,
			plannedMs: at - startedAt,
			nearChanges: farAt === null ? null : changes,
			isUntold: untold,
			weight,
			price
		};
		const look = nextLookAmong(estimate.hot, startedAt + offsetMs) - offsetMs;
		const nextInMs = at - startedAt;
		return { nextInMs, nextIsWhole: look <= at, keep: () => saveLesson(sql, lesson) };
	};
	return {
		/** Plans after a good poll; null = the policy cannot be asked, and the floor holds. */
		plan: async (polled: Polled): Promise<PollPlan | null> => {
			try {
				const { nextInMs, nextIsWhole, keep } = await decide(polled);
				const safeKeep = async (): Promise<void> => {
					await keep().catch((error: unknown) => void logFault(log, 'poll_lesson_lost', error));
				};
				return { nextInMs, nextIsWhole, keep: safeKeep };
			} catch (error) {
				logFault(log, 'poll_plan_failed', error, aboutSource(polled.sourceId, polled.key));
				return null;
			}
		}
	};
};

export type PollPolicy = ReturnType<typeof createPollPolicy>;

export type ReplanDeps = { readonly sql: Sql; readonly queues: Pick<Queues, 'addPoll'> };

/**
 * Q10: plans a source anew and brings its poll forward when that is worth it. `now` by the
 * database's clock or close to it. Returns whether it was brought forward.
 */
export const replanPoll = async (
	{ sql, queues }: ReplanDeps,
	source: { readonly id: SourceId; readonly url: string },
	now: Instant
): Promise<boolean> => {
	const basis = await readPollBasis(sql, source.id);
	const estimate = parseEstimate(basis.learned);
	if (estimate === null || basis.lastGoodAt === null) return false;
	const known = { estimate, offsetMs: offsetMsOf(basis.zone ?? 'UTC', now) };
	const when = { lastGood: basis.lastGoodAt, now, earliest: now, url: source.url };
	const { at, weight, price } = decidePlan(basis, known, when);
	const moved = await hastenPoll(sql, source.id, toInstant(at), { weight, price });
	if (moved === null) return false;
	// Another id than the armed job's, which comes too late now and will find nothing due.
	await queues.addPoll(source.id, moved.waitMs, moved.gen, Math.floor(at / 1_000));
	return true;
};

/** Q8: a push or another signal told of changes; the poll it asks for competes like any other. */
export const takeSignal = async (
	deps: ReplanDeps,
	source: { readonly id: SourceId; readonly url: string },
	signal: { readonly changes: number; readonly now: Instant }
): Promise<boolean> =>
	(await noteSignal(deps.sql, source.id, signal.changes)) &&
	(await replanPoll(deps, source, signal.now));
