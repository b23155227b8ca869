// The reconcile loops: from Postgres, the truth, they rebuild what the queues should hold, give
// back expired holds and raise the alarm for silent sources.
import type { MailId, SourceId } from '#domain/ids.ts';
import { MINUTE_MS, SECOND_MS, type Clock } from '#domain/time.ts';
import type { DeviceMessage } from '#server/feed/device-messages.ts';
import { aboutSource, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import type { ExpireHoldsReport } from '#server/scheduling/expire-holds.ts';
import type { MadeOffer } from '#server/scheduling/offer-times.ts';
import { listIdleEpisodes } from '#server/store/alerts.ts';
import type { EndedHold } from '#server/store/holds.ts';
import { claimMails } from '#server/store/mails.ts';
import { listOverdueSources } from '#server/store/overdue-sources.ts';
import { listDueSources, type DueSource } from '#server/store/sources.ts';
import type { Queues } from '../queues.ts';
import { MAIL_LEASE_MS } from './send-mail.ts';
import type { Loop } from './repeat.ts';

export const SWEEP_EVERY_MS = 500;
export const REPAIR_EVERY_MS = 5 * SECOND_MS;
export const EPISODES_EVERY_MS = MINUTE_MS;
export const ALARM_EVERY_MS = 15 * SECOND_MS;
/** A console hears of a changed number within this time. */
const COUNTS_EVERY_MS = SECOND_MS;
/** Whoever was the only one to list a practitioner and is gone is made up for within this time. */
const TWINS_EVERY_MS = 10 * SECOND_MS;

const SWEEP_LIMIT = 500;
const SWEEPS_PER_RUN = 20;
const SOURCES_PER_RUN = 2_000;
const ADDS_AT_ONCE = 50;
/** Sent one after another within their lease. */
const MAILS_PER_RUN = 4;
export const MAILS_EVERY_MS = 2 * SECOND_MS;
const EPISODES_PER_RUN = 1_000;
const ALARMS_PER_RUN = 1_000;
/** A source that nobody took up for so long gets a job of its own, whatever the queue says. */
const LATE_MS = 10 * SECOND_MS;

export type SweepDeps = {
	readonly expireHolds: (limit: number) => Promise<ExpireHoldsReport>;
	readonly tellEnded: (ended: EndedHold) => void;
};

/** W21: ends expired holds in batches until none is left; returns how many. */
export const sweepHolds =
	({ expireHolds, tellEnded }: SweepDeps) =>
	async (): Promise<number> => {
		let count = 0;
		for (let batch = 0; batch < SWEEPS_PER_RUN; batch += 1) {
			const report = await expireHolds(SWEEP_LIMIT);
			count += report.count;
			for (const one of report.ended) tellEnded(one);
			if (report.count < SWEEP_LIMIT) break;
		}
		return count;
	};

/** G5: one round of offers from the waiting list; those who got one are told. */
export const tellOffers =
	(deps: {
		readonly offer: () => Promise<readonly MadeOffer[]>;
		readonly tell: (message: DeviceMessage) => void;
	}) =>
	async (): Promise<number> => {
		const made = await deps.offer();
		for (const { device, waitingId, holdId } of made) {
			deps.tell({ device, event: 'waiting:offered', payload: { waitingId, holdId } });
		}
		return made.length;
	};

export type RepairDeps = {
	readonly sql: Sql;
	readonly queues: Pick<Queues, 'addPoll' | 'isUp'>;
	readonly clock: Clock;
};

const addDue = (
	{ queues, clock }: RepairDeps,
	{ id, nextPollAt, pollGen }: DueSource
): Promise<boolean> => {
	const now = clock.now();
	const waitMs = nextPollAt - now;
	if (waitMs > -LATE_MS) return queues.addPoll(id, waitMs, pollGen);
	// Its own job is stuck, failed for good or lost with a worker: another id cannot be swallowed.
	return queues.addPoll(id, 0, pollGen, Math.floor(now / MINUTE_MS));
};

/**
 * W7: arms every source that is due before the next run. What is armed already stays as it is.
 * Returns how many jobs Redis took; 0 at once while it is down.
 */
export const repairPolls = (deps: RepairDeps) => async (): Promise<number> => {
	if (!deps.queues.isUp()) return 0;
	const due = await listDueSources(deps.sql, {
		withinMs: REPAIR_EVERY_MS + 5 * SECOND_MS,
		limit: SOURCES_PER_RUN
	});
	let added = 0;
	for (let at = 0; at < due.length && deps.queues.isUp(); at += ADDS_AT_ONCE) {
		const batch = due.slice(at, at + ADDS_AT_ONCE);
		const took = await Promise.all(batch.map((source) => addDue(deps, source)));
		added += took.filter(Boolean).length;
	}
	return added;
};

/** J22: e-mails that are due and that no job has taken: one lost with Redis, or put off. */
export const sendDueMails =
	(deps: { readonly sql: Sql; readonly send: (mailId: MailId) => Promise<unknown> }) =>
	async (): Promise<number> => {
		const ids = await claimMails(deps.sql, { limit: MAILS_PER_RUN, leaseMs: MAIL_LEASE_MS });
		for (const id of ids) await deps.send(id);
		return ids.length;
	};

/** Running episodes that no poll touched for a while end by being looked at. */
export const lookAtIdleEpisodes =
	(deps: { readonly sql: Sql; readonly addAlerts: Queues['addAlerts'] }) =>
	async (): Promise<number> => {
		const idleMs = EPISODES_EVERY_MS;
		const ids = await listIdleEpisodes(deps.sql, { idleMs, limit: EPISODES_PER_RUN });
		if (ids.length > 0) await deps.addAlerts(ids);
		return ids.length;
	};

/** W19: tells once when a source becomes overdue, and once when it is back. */
export const watchSources = (deps: { readonly sql: Sql; readonly log: Log }) => {
	let overdue = new Map<SourceId, string>();
	return async (): Promise<number> => {
		const found = await listOverdueSources(deps.sql, ALARMS_PER_RUN);
		for (const { id, key, ageMs, failures } of found) {
			if (overdue.has(id)) continue;
			deps.log.error('source_overdue', { ...aboutSource(id, key), ageMs, failures });
		}
		const next = new Map(found.map(({ id, key }) => [id, key]));
		for (const [id, key] of overdue) {
			if (!next.has(id)) deps.log.info('source_back', aboutSource(id, key));
		}
		overdue = next;
		return found.length;
	};
};

/** Name of the loop that arms polls: also run at once when Redis is back. */
export const REPAIR = 'repair-polls';

export type ReconcileTasks = {
	readonly sweep: () => Promise<unknown>;
	readonly offers: () => Promise<unknown>;
	readonly repair: () => Promise<unknown>;
	readonly episodes: () => Promise<unknown>;
	readonly watch: () => Promise<unknown>;
	readonly twins: () => Promise<unknown>;
	readonly counts: () => Promise<unknown>;
};

export const reconcileLoops = (tasks: ReconcileTasks): Loop[] => [
	{ name: 'sweep-holds', everyMs: SWEEP_EVERY_MS, run: tasks.sweep },
	{ name: 'offer-times', everyMs: SWEEP_EVERY_MS, run: tasks.offers },
	{ name: REPAIR, everyMs: REPAIR_EVERY_MS, run: tasks.repair },
	{ name: 'look-at-episodes', everyMs: EPISODES_EVERY_MS, run: tasks.episodes },
	{ name: 'watch-sources', everyMs: ALARM_EVERY_MS, run: tasks.watch },
	{ name: 'settle-twins', everyMs: TWINS_EVERY_MS, run: tasks.twins },
	{ name: 'count-waiting', everyMs: COUNTS_EVERY_MS, run: tasks.counts }
];
