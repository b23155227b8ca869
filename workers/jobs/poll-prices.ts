// Sets the price of a poll every half minute, by one worker in turn, and plans anew the sources whose
// weight or price moved.
import { OPTIMISM, flatPool, poolOf, type Pool } from '#domain/polling/estimate.ts';
import { isPlanOld, weightOf } from '#domain/polling/importance.ts';
import {
	FRESH_SHARE,
	canKeepFresh,
	nextTrim,
	solvePrices,
	stalenessCapMs,
	type Payer
} from '#domain/polling/price.ts';
import { parseEstimate } from '#domain/polling/stored.ts';

import { OPENS_AFTER } from '#domain/polling/breaker.ts';
import { HOUR_MS, SECOND_MS, type Clock } from '#domain/time.ts';
import type { Sql, Tx } from '#server/platform/postgres.ts';
import {
	readLearned,
	readPricedSources,
	settleZones,
	takePriceTurn,
	writePrice,
	type PricedSource,
	type StoredPrice
} from '#server/store/poll-prices.ts';
import type { Queues } from '../queues.ts';
import { replanPoll } from './poll-policy.ts';

const PRICE_EVERY_MS = 30 * SECOND_MS;
/** Every worker looks this often whether it is its turn. */
export const PRICE_LOOK_EVERY_MS = 10 * SECOND_MS;
const POOL_EVERY_MS = HOUR_MS;
/** Plans made anew in one run; the rest waits for the next. */
const REPLANS_PER_RUN = 200;

export type PriceDeps = {
	readonly sql: Sql;
	readonly queues: Pick<Queues, 'addPoll'>;
	readonly clock: Clock;
	/** What all polls together may cost a second, and those of one host; 1 = a full answer. */
	readonly perSecond: number;
	readonly hostPerSecond: number;
	/** Viewers per room just now; empty when Redis is away. */
	readonly viewers: () => Promise<ReadonlyMap<string, number>>;
	readonly everyMs?: number;
};

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : '');

const payerOf = (source: PricedSource, keepsFresh: boolean): Payer => ({
	...(keepsFresh && { latestMs: FRESH_SHARE * source.freshForMs }),
	host: hostOf(source.url),
	perHour: source.perHour ?? OPTIMISM * flatPool.perHour,
	weight: weightOf(source),
	cost: source.cost,
	minIntervalMs: source.minIntervalMs
});

const makePools = async (tx: Tx): Promise<Record<string, Pool>> => {
	await settleZones(tx);
	const rows = (await readLearned(tx)).flatMap(({ zone, learned }) => {
		const estimate = parseEstimate(learned);
		return estimate === null ? [] : [{ zone, estimate }];
	});
	const pools: Record<string, Pool> = { '': poolOf(rows.map(({ estimate }) => estimate)) };
	for (const [zone, of] of Map.groupBy(rows, ({ zone }) => zone)) {
		pools[zone] = poolOf(of.map(({ estimate }) => estimate));
	}
	return pools;
};

/** What the standing plans cost a second. */
const plannedPerSecond = (alive: readonly PricedSource[]): number =>
	alive.reduce((sum, { plannedMs, minIntervalMs, cost }) => {
		return sum + (cost * 1_000) / Math.max(plannedMs ?? minIntervalMs, minIntervalMs);
	}, 0);

type Turn = { readonly old: readonly PricedSource[] };

const setPrice = async (deps: PriceDeps, tx: Tx, last: StoredPrice | null): Promise<Turn> => {
	const { perSecond, hostPerSecond } = deps;
	const sources = await readPricedSources(tx, await deps.viewers());
	// Dead sources cost nothing while they are away: the others use it.
	const alive = sources.filter(({ failures }) => failures < OPENS_AFTER);
	const capMs = stalenessCapMs(Math.max(1, sources.length), perSecond);
	const keepsFresh = canKeepFresh(sources, perSecond);
	const payers = alive.map((source) => payerOf(source, keepsFresh));
	const { hub, hosts } = solvePrices(payers, { perSecond, hostPerSecond, capMs });
	// Where everything fits there is nothing to trim.
	const trim = hub === 0 ? 1 : nextTrim(last?.trim ?? 1, plannedPerSecond(alive), perSecond);
	const pools = (last?.pooledAgoMs ?? Infinity) > POOL_EVERY_MS ? await makePools(tx) : null;
	await writePrice(tx, { hub, hosts, trim, capMs, keepsFresh, pools }, sources);
	const old = alive.filter((source) => {
		const { planWeight, planPrice, cost } = source;
		if (planWeight === null || planPrice === null) return false;
		const price = (hosts.get(hostOf(source.url)) ?? hub) * trim * cost;
		const isCheaper = price < planPrice || weightOf(source) > planWeight;
		return (
			isCheaper &&
			isPlanOld({ weight: planWeight, price: planPrice }, { weight: weightOf(source), price })
		);
	});
	return { old };
};

/** Q9, Q10: one turn. Returns how many polls were brought forward; null = it was not our turn. */
export const setPollPrices = (deps: PriceDeps) => async (): Promise<number | null> => {
	const everyMs = deps.everyMs ?? PRICE_EVERY_MS;
	const turn = await takePriceTurn(deps.sql, everyMs, (tx, last) => setPrice(deps, tx, last));
	if (turn === null) return null;
	let hastened = 0;
	for (const source of turn.old.slice(0, REPLANS_PER_RUN)) {
		if (await replanPoll(deps, source, deps.clock.now())) hastened += 1;
	}
	return hastened;
};
