// Keeps a subscription at every source that offers one and has a key to push with: makes it, renews it
// before it ends, puts it right when it broke, and ends it when the source goes away.
import { HOUR_MS, MINUTE_MS, SECOND_MS, toInstant, type Clock } from '#domain/time.ts';
import { aboutSource, logFault, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import type { PushKeys } from '#server/store/push-keys.ts';
import {
	claimSubscriptions,
	dropSubscription,
	keepSubscription,
	listAbandoned,
	postponeSubscription,
	type DueSubscription
} from '#server/store/push-subscribing.ts';
import { readSource } from '#server/store/sources.ts';
import type { Connectors } from '../connectors/connectors.ts';

export const HEARTBEAT_MS = 30 * SECOND_MS;
/** A hub that is gone is told of changes at most this long. */
const LASTS_MS = 24 * HOUR_MS;
const RENEW_AFTER_MS = 12 * HOUR_MS;
const LEASE_MS = MINUTE_MS;
const DEADLINE_MS = 20 * SECOND_MS;
/** A source that offers none is asked again this often. */
const NOT_OFFERED_MS = 6 * HOUR_MS;
const LONGEST_PAUSE_MS = HOUR_MS;

export type SubscribeDeps = {
	readonly sql: Sql;
	readonly connectors: Omit<Connectors, 'close'>;
	readonly clock: Clock;
	readonly log: Log;
	readonly pushKeys: PushKeys;
	/** Config.publicUrl */
	readonly publicUrl: string;
};

const pauseMs = (failures: number): number =>
	Math.min(LONGEST_PAUSE_MS, MINUTE_MS * 2 ** Math.min(failures, 10));

const subscribe = async (deps: SubscribeDeps, due: DueSubscription): Promise<boolean> => {
	const { sql, connectors, clock, log, pushKeys, publicUrl } = deps;
	const { sourceId } = due;
	const about = aboutSource(sourceId, due.key);
	const source = (await readSource(sql, sourceId))?.settings;
	const subscriber = source === undefined ? null : (connectors[source.kind].subscriber ?? null);
	if (source === undefined || subscriber === null) return false;
	const [key] = await pushKeys.of({ id: sourceId, key: source.key });
	if (key === undefined) return false;
	const outcome = await subscriber.subscribe({
		source,
		subscription: due.subscription,
		endpoint: `${publicUrl}/api/v1/push/${source.key}`,
		key,
		heartbeatMs: HEARTBEAT_MS,
		endsAt: toInstant(clock.now() + LASTS_MS),
		signal: AbortSignal.timeout(DEADLINE_MS)
	});
	if (outcome.state === 'subscribed') {
		const { subscription } = outcome;
		const times = { heartbeatMs: HEARTBEAT_MS, renewInMs: RENEW_AFTER_MS };
		await keepSubscription(sql, sourceId, { subscription, ...times });
		log.info('push_subscribed', { ...about, renewed: due.subscription !== null });
		return true;
	}
	const isOffered = outcome.state === 'failed';
	const gone = isOffered && outcome.gone;
	// What is gone (the source began anew) is made again at once.
	const pause = gone && due.failures === 0 ? 0 : pauseMs(due.failures);
	const retryInMs = isOffered ? pause : NOT_OFFERED_MS;
	await postponeSubscription(sql, sourceId, { retryInMs, gone });
	if (isOffered) log.warn('push_subscribe_failed', { ...about, failures: due.failures + 1 });
	return false;
};

/** Best effort: what is not ended ends by itself within a day. */
const endAbandoned = async ({ sql, connectors, log }: SubscribeDeps): Promise<void> => {
	for (const { sourceId, subscription } of await listAbandoned(sql)) {
		const source = (await readSource(sql, sourceId))?.settings;
		const signal = AbortSignal.timeout(DEADLINE_MS);
		if (source !== undefined) {
			const ended = await connectors[source.kind].subscriber?.unsubscribe(
				{ source, signal },
				subscription
			);
			log.info('push_unsubscribed', {
				...aboutSource(sourceId, source.key),
				ended: ended === true
			});
		}
		await dropSubscription(sql, sourceId);
	}
};

/** Y15: returns how many subscriptions were made or renewed. */
export const keepSubscriptions = (deps: SubscribeDeps) => async (): Promise<number> => {
	await endAbandoned(deps);
	const keys = await deps.pushKeys.sources();
	if (keys.length === 0) return 0;
	const due = await claimSubscriptions(deps.sql, keys, LEASE_MS);
	const made = await Promise.all(
		due.map((one) =>
			subscribe(deps, one).catch((error: unknown) => {
				logFault(deps.log, 'push_subscribe_broke', error, aboutSource(one.sourceId, one.key));
				return false;
			})
		)
	);
	return made.filter(Boolean).length;
};
