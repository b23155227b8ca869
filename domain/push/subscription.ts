// The numbers of a FHIR topic subscription: each event has one, so that what was lost, doubled or out
// of order is known. Pure.
import type { Instant } from '../time.ts';

export const subscriptionStatuses = ['requested', 'active', 'error', 'off'] as const;
export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

export type PushState = {
	/** Id of the Subscription at the source. */
	readonly subscription: string;
	readonly status: SubscriptionStatus;
	/** Highest number told so far; null = none was ever told. */
	readonly lastEvent: number | null;
	/** Numbers below it that never came, ascending. */
	readonly missing: readonly number[];
};

/** What a notification says of the subscription itself. */
export type Told = {
	readonly subscription: string;
	readonly status: SubscriptionStatus;
	readonly type: 'handshake' | 'heartbeat' | 'event-notification' | 'query-status' | 'query-event';
	readonly eventsSinceStart: number | null;
	readonly events: readonly number[];
};

/**
 * `began`: a subscription not heard of before. `restarted`: its numbers fell back. `gap`: events are
 * missing. `broken`: it says itself that it is out of order. `repeat`: nothing new. `ok`: as expected.
 */
export type Verdict = 'ok' | 'began' | 'restarted' | 'gap' | 'repeat' | 'broken';

export type Heard = {
	readonly state: PushState;
	readonly verdict: Verdict;
	/** Events that count: new ones, and missing ones that came late. */
	readonly news: readonly number[];
	/** Events that came before. */
	readonly repeated: number;
	/** Events known to exist and not told; at least 1 when only a poll can tell what is true now. */
	readonly lost: number;
};

/** Longer lists of missing numbers keep the newest: a poll answers all of them anyway. */
export const MAX_MISSING = 100;

const distinct = (numbers: readonly number[]): number[] =>
	[...new Set(numbers)].toSorted((a, b) => a - b);

/** Numbers after `from` up to `to` that are not among `told`; at most MAX_MISSING, the newest. */
const absent = (from: number, to: number, told: ReadonlySet<number>): number[] => {
	const missing: number[] = [];
	for (let number = to; number > from && missing.length < MAX_MISSING; number -= 1) {
		if (!told.has(number)) missing.push(number);
	}
	return missing.toReversed();
};

const begin = (told: Told): Heard => {
	const events = distinct(told.events);
	const top = Math.max(told.eventsSinceStart ?? 0, events.at(-1) ?? 0);
	const { subscription, status } = told;
	return {
		state: { subscription, status, lastEvent: top, missing: [] },
		verdict: status === 'error' || status === 'off' ? 'broken' : 'began',
		news: events,
		repeated: 0,
		// What changed before it began was told to nobody.
		lost: 1
	};
};

const verdictOf = (
	told: Told,
	found: { lost: number; isBack: boolean; isRepeat: boolean }
): Verdict => {
	if (told.status === 'error' || told.status === 'off') return 'broken';
	if (found.isBack) return 'restarted';
	if (found.lost > 0) return 'gap';
	return found.isRepeat ? 'repeat' : 'ok';
};

/** Y8, Y9: what one notification means after those before it. */
export const hear = (state: PushState | null, told: Told): Heard => {
	if (state === null || state.subscription !== told.subscription || state.lastEvent === null) {
		return begin(told);
	}
	const { eventsSinceStart: since } = told;
	const isEvent = told.type === 'event-notification';
	// An event may overtake another; a handshake or heartbeat with a lower number is a new beginning.
	if (!isEvent && since !== null && since < state.lastEvent) {
		return { ...begin(told), verdict: verdictOf(told, { lost: 1, isBack: true, isRepeat: false }) };
	}
	const last = state.lastEvent;
	const events = distinct(told.events);
	const open = new Set(state.missing);
	const news = events.filter((number) => number > last || open.has(number));
	const top = Math.max(last, since ?? 0, events.at(-1) ?? 0);
	const fresh = absent(last, top, new Set(events));
	const gap = top - last - events.filter((number) => number > last).length;
	const isMute = isEvent && events.length === 0 && top === last;
	const isBroken = told.status === 'error' || told.status === 'off';
	const lost = Math.max(gap, isMute || isBroken ? 1 : 0);
	const came = new Set(news);
	const missing = [...state.missing.filter((number) => !came.has(number)), ...fresh];
	return {
		state: {
			subscription: told.subscription,
			status: told.status,
			lastEvent: top,
			missing: missing.slice(-MAX_MISSING)
		},
		verdict: verdictOf(told, {
			lost: isMute ? 0 : lost,
			isBack: false,
			isRepeat: events.length > 0 && news.length === 0
		}),
		news,
		repeated: events.length - news.length,
		lost
	};
};

/** Promised heartbeats that may fail to come before a source counts as silent. */
const HEARTBEATS_MISSED = 2;

/** Y10: quiet for longer than promised; one that promised nothing is never silent. */
export const isPushSilent = (
	link: { readonly heardAt: Instant; readonly heartbeatMs: number | null },
	now: Instant
): boolean =>
	link.heartbeatMs !== null && now - link.heardAt > HEARTBEATS_MISSED * link.heartbeatMs;
