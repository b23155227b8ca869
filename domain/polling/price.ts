// The price of a poll: one number for the hub, so that what is planned costs what may be spent, and a
// higher one for a host whose own limit is reached first (Lagrange multipliers of both budgets).
import { HOUR_MS } from '../time.ts';
import { SLOTS_LOOKED_AT as S, changesUntilWorth } from './worth.ts';

/** What the price must know of a unit that may be polled; those of dead hosts are left out. */
export type Payer = {
	readonly host: string;
	/** Changes per hour just now, and weight in viewers. */
	readonly perHour: number;
	readonly weight: number;
	/** Expected cost of a poll; 1 = a full answer. */
	readonly cost: number;
	readonly minIntervalMs: number;
	/** Not to wait longer than this, where the source's own budget of freshness can be kept. */
	readonly latestMs?: number;
};

export type Budget = {
	/** Cost units per second that the hub may spend, and that one host takes. */
	readonly perSecond: number;
	readonly hostPerSecond: number;
	/** Hard cap on staleness, ms. */
	readonly capMs: number;
};

export type Prices = {
	readonly hub: number;
	/** Only hosts whose price is higher than the hub's. */
	readonly hosts: ReadonlyMap<string, number>;
};

/** The cap in units of the interval that everybody would get: measured to cost next to nothing. */
const CAP_SHARES = 8;

/** Q6: no unit waits longer than this, ms. */
export const stalenessCapMs = (units: number, perSecond: number): number =>
	(CAP_SHARES * units * 1_000) / perSecond;

/** Q11: cost of an answer: a 304, or a body known by its fingerprint, is a tenth of a full one. */
export const costOfAnswer = (unchanged: boolean): number => (unchanged ? 0.1 : 1);

const intervalMs = (payer: Payer, price: number, capMs: number): number => {
	const perHour = Math.max(1e-6, payer.perHour);
	const changes = changesUntilWorth(price * payer.cost, perHour, payer.weight);
	const wanted = (changes / perHour) * HOUR_MS;
	return Math.max(payer.minIntervalMs, Math.min(wanted, capMs, payer.latestMs ?? Infinity));
};

/** Cost per second that the payers plan at a price. */
const demandAt = (payers: readonly Payer[], price: number, capMs: number): number =>
	payers.reduce((sum, payer) => sum + (payer.cost * 1_000) / intervalMs(payer, price, capMs), 0);

/** A source is planned to be asked again at this share of the time for which it counts as fresh. */
export const FRESH_SHARE = 0.8;
/** Of the budget, what keeping everybody fresh may take; the rest goes where people look. */
const FRESH_BUDGET_SHARE = 0.7;

/** Q6: can all sources be kept fresh by their own budgets? If not, only the common cap holds. */
export const canKeepFresh = (
	sources: readonly { readonly minIntervalMs: number; readonly freshForMs: number }[],
	perSecond: number
): boolean => {
	const needed = sources.reduce((sum, { minIntervalMs, freshForMs }) => {
		return sum + 1_000 / Math.max(minIntervalMs, FRESH_SHARE * freshForMs);
	}, 0);
	return needed <= FRESH_BUDGET_SHARE * perSecond;
};

const HALVINGS = 40;

/** The lowest price at which the demand is within the limit; 0 when even everything fits. */
const lowestPrice = (demand: (price: number) => number, limit: number, top: number): number => {
	if (demand(0) <= limit) return 0;
	let low = Math.log(top) - 60;
	let high = Math.log(top);
	for (let i = 0; i < HALVINGS; i += 1) {
		const middle = (low + high) / 2;
		if (demand(Math.exp(middle)) > limit) low = middle;
		else high = middle;
	}
	return Math.exp(high);
};

/** No poll is worth more than this: at it, everything waits for its cap. */
const topPrice = (payers: readonly Payer[]): number =>
	payers.reduce((top, { weight, perHour, cost }) => {
		return Math.max(top, (weight * S) / Math.max(1e-6, perHour) / cost);
	}, 1e-12);

/** Q9: prices at which hub and hosts spend no more than they may. */
export const solvePrices = (payers: readonly Payer[], budget: Budget): Prices => {
	const { perSecond, hostPerSecond, capMs } = budget;
	const byHost = Map.groupBy(payers, ({ host }) => host);
	const groups = [...byHost.values()];
	const top = topPrice(payers);
	const demand = (price: number): number =>
		groups.reduce((sum, of) => sum + Math.min(hostPerSecond, demandAt(of, price, capMs)), 0);
	const hub = lowestPrice(demand, perSecond, top);
	const hosts = new Map<string, number>();
	for (const [host, of] of byHost) {
		if (demandAt(of, hub, capMs) <= hostPerSecond) continue;
		hosts.set(
			host,
			lowestPrice((price) => demandAt(of, price, capMs), hostPerSecond, top)
		);
	}
	return { hub, hosts };
};

const TRIM_LIMITS = [0.25, 4] as const;
const TRIM_SPEED = 0.3;

/**
 * Q9: factor on the solved price, moved by what is really spent: the solution assumes a steady rate,
 * plans also follow the hours and releases. `spent` and `perSecond` in cost units per second.
 */
export const nextTrim = (trim: number, spent: number, perSecond: number): number => {
	const [least, most] = TRIM_LIMITS;
	const moved = trim * Math.exp(TRIM_SPEED * Math.log(Math.max(spent, 1e-9) / perSecond));
	return Math.min(most, Math.max(least, moved));
};
