// What sources pushed, on the workers' side: signals go into the polling index, slots that a hub left
// behind are written, and a source that stopped telling is polled as any other.
import { isPushSilent } from '#domain/push/subscription.ts';
import { SECOND_MS, type Clock } from '#domain/time.ts';
import { aboutSource, logFault, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import {
	dropSignals,
	forgetSeen,
	listPromising,
	listPushed,
	listSignalled,
	markSilent,
	readSignals,
	type PushSource
} from '#server/store/push.ts';
import type { Queues } from '../queues.ts';
import { takeSignal } from './poll-policy.ts';
import { keepSubscriptions, type SubscribeDeps } from './keep-subscriptions.ts';
import type { Loop } from './repeat.ts';

const TAKE_EVERY_MS = 250;
const WATCH_EVERY_MS = 5 * SECOND_MS;
const SOURCES_PER_RUN = 200;
/** The hub that heard it writes it at once; after this long it did not come to it, ms. */
const LEFT_BEHIND_MS = SECOND_MS;
const LINKS_PER_RUN = 2_000;

export type SignalDeps = {
	readonly sql: Sql;
	readonly queues: Pick<Queues, 'addPoll'>;
	readonly clock: Clock;
	readonly log: Log;
	readonly apply: (source: PushSource) => Promise<number>;
};

/** Y11: returns how many sources were taken up. A source that is being polled waits its turn. */
export const takeSignals = (deps: SignalDeps) => async (): Promise<number> => {
	const { sql, clock, log } = deps;
	const leftBehind = { afterMs: LEFT_BEHIND_MS, limit: SOURCES_PER_RUN };
	for (const source of await listPushed(sql, leftBehind)) {
		// One source whose slots cannot be written must not keep the others waiting.
		await deps.apply(source).catch((error: unknown) => {
			logFault(log, 'push_not_applied', error, aboutSource(source.id, source.key));
		});
	}
	const sources = await listSignalled(sql, SOURCES_PER_RUN);
	for (const source of sources) {
		const signals = await readSignals(sql, source.id);
		if (signals.ids.length === 0) continue;
		await takeSignal(deps, source, { changes: signals.changes, now: clock.now() });
		await dropSignals(sql, source.id, signals);
	}
	return sources.length;
};

/** Y10: returns how many sources fell silent. */
export const watchPushes =
	({ sql, log }: Pick<SignalDeps, 'sql' | 'log'>) =>
	async (): Promise<number> => {
		await forgetSeen(sql);
		let silent = 0;
		for (const link of await listPromising(sql, LINKS_PER_RUN)) {
			if (!isPushSilent(link, link.now) || !(await markSilent(sql, link))) continue;
			silent += 1;
			const ageMs = link.now - link.heardAt;
			log.error('push_silent', { ...aboutSource(link.sourceId, link.key), ageMs });
		}
		return silent;
	};

const SUBSCRIBE_EVERY_MS = 2 * SECOND_MS;

export const pushLoops = (deps: SignalDeps & SubscribeDeps): Loop[] => [
	{ name: 'take-signals', everyMs: TAKE_EVERY_MS, run: takeSignals(deps) },
	{ name: 'watch-pushes', everyMs: WATCH_EVERY_MS, run: watchPushes(deps) },
	{ name: 'keep-subscriptions', everyMs: SUBSCRIBE_EVERY_MS, run: keepSubscriptions(deps) }
];
