// The workers' process: builds every part, runs the queues' jobs and the reconcile loops, and goes
// down in good order. Any number of such processes may run beside each other.
import type { BookingId, ScheduleId, SourceId } from '#domain/ids.ts';
import { createDevicePublisher } from '#server/feed/device-messages.ts';
import { createPublisher } from '#server/feed/publish.ts';
import { readViewerCounts } from '#server/feed/viewer-counts.ts';
import { systemClock } from '#server/platform/clock.ts';
import type { Config } from '#server/platform/config.ts';
import { keysById } from '#server/platform/keyring.ts';
import { createLog, type Log } from '#server/platform/log.ts';
import { createPhiCipher } from '#server/platform/phi.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { createRedis } from '#server/platform/redis.ts';
import { countWaiting } from '#server/scheduling/count-waiting.ts';
import { expireHolds } from '#server/scheduling/expire-holds.ts';
import { offerTimes } from '#server/scheduling/offer-times.ts';
import { raiseAlerts } from '#server/scheduling/raise-alerts.ts';
import { settleTwins } from '#server/scheduling/settle-twins.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { prepareDatabase } from '#server/store/migrate.ts';
import { createConnectors } from './connectors/connectors.ts';
import { HOST_BURST, HOST_REQUESTS_PER_S } from './connectors/rate-limit.ts';
import { createSharedManners } from './connectors/shared-manners.ts';
import { createRecorder } from './connectors/tape.ts';
import { createJobWorker, type JobWorker } from './jobs/job-worker.ts';
import { createPollPolicy } from './jobs/poll-policy.ts';
import { PRICE_LOOK_EVERY_MS, setPollPrices } from './jobs/poll-prices.ts';
import { createPollSource } from './jobs/poll-source.ts';
import { createRawKeeper } from './jobs/raw-keeper.ts';
import { alertsOrNow, createRaiseAlerts } from './jobs/raise-alerts.ts';
import {
	ALARM_EVERY_MS,
	REPAIR,
	lookAtIdleEpisodes,
	reconcileLoops,
	repairPolls,
	sweepHolds,
	tellOffers,
	watchSources
} from './jobs/reconcile.ts';
import { startLoop, type Loop } from './jobs/repeat.ts';
import { rereadLoop } from './jobs/reread-answers.ts';
import { tryLoops } from './jobs/try-drafts.ts';
import { scheduleUpkeep } from './jobs/upkeep.ts';
import { WATCH_EVERY_MS, watchWorkers } from './jobs/watch-workers.ts';
import { createWriteBooking } from './jobs/write-booking.ts';
import { askingAs, secretsOf } from './asking.ts';
import { bookingDeps, dueBookings } from './bookings.ts';
import { openMails } from './mails.ts';
import { openPushes } from './pushes.ts';
import { configOrExit, drainOnSignal, exitOnFault, startOrExit } from './process.ts';
import {
	AlertsJob,
	BookingJob,
	PollJob,
	concurrencies,
	createQueues,
	type Queues
} from './queues.ts';

/** Opens Postgres and brings it up to date; throws a sentence when it cannot be used. */
const openStore = async (config: Config): Promise<{ sql: Sql; epoch: string }> => {
	await prepareDatabase(config.databaseUrl);
	const sql = createPostgres(config.databaseUrl, {
		max: config.databasePool,
		applicationName: 'slotcast-workers'
	});
	return { sql, epoch: await ensureEpoch(sql) };
};

/** What is told to others: the feed's hints and the messages to devices. */
const openFeed = (config: Config, log: Log, epoch: () => string) => {
	const redis = createRedis(config.redisUrl, { role: 'publisher' });
	const parts = { redis, log, prefix: config.redisPrefix };
	const publisher = createPublisher({ ...parts, epoch });
	const devices = createDevicePublisher(parts);
	const close = async (): Promise<void> => {
		await Promise.all([publisher.close(), devices.close()]);
		redis.disconnect();
	};
	const viewers = () => readViewerCounts(redis, config.redisPrefix);
	const manners = createSharedManners(
		{ redis, prefix: config.redisPrefix },
		{ perSecond: HOST_REQUESTS_PER_S, burst: HOST_BURST, concurrency: config.hostConcurrency }
	);
	return { publish: publisher.publish, tell: devices.publish, viewers, manners, close };
};

type Feed = ReturnType<typeof openFeed>;

type Jobs = {
	readonly poll: (sourceId: SourceId, signal: AbortSignal) => Promise<unknown>;
	readonly book: (bookingId: BookingId, signal: AbortSignal) => Promise<unknown>;
	readonly alert: (scheduleIds: readonly ScheduleId[]) => Promise<unknown>;
};

const startWorkers = (config: Config, log: Log, jobs: Jobs): JobWorker[] => {
	const redis = { url: config.redisUrl, prefix: config.redisPrefix };
	return [
		createJobWorker({
			queue: 'polls',
			schema: PollJob,
			run: ({ sourceId }, signal) => jobs.poll(sourceId, signal),
			redis,
			concurrency: config.workerConcurrency,
			log
		}),
		createJobWorker({
			queue: 'bookings',
			schema: BookingJob,
			run: ({ bookingId }, signal) => jobs.book(bookingId, signal),
			redis,
			concurrency: concurrencies.bookings,
			log
		}),
		createJobWorker({
			queue: 'alerts',
			schema: AlertsJob,
			run: ({ scheduleIds }) => jobs.alert(scheduleIds),
			redis,
			concurrency: concurrencies.alerts,
			log
		})
	];
};

/** Told a restored database, the feed speaks of its new epoch. */
const followEpoch = (sql: Sql, first: string) => {
	let epoch = first;
	const look: Loop = {
		name: 'follow-epoch',
		everyMs: ALARM_EVERY_MS,
		run: async () => {
			epoch = await ensureEpoch(sql);
		}
	};
	return { epoch: () => epoch, look };
};

type LoopParts = {
	readonly sql: Sql;
	readonly feed: Feed;
	readonly log: Log;
	readonly queues: Queues;
	readonly addAlerts: (ids: readonly ScheduleId[]) => Promise<boolean>;
};

const loopsOf = ({ sql, feed, log, queues, addAlerts }: LoopParts): Loop[] =>
	reconcileLoops({
		sweep: sweepHolds({
			expireHolds: expireHolds({ sql, publish: feed.publish }),
			tellEnded: ({ holdId, deviceKey: device, isTaken }) => {
				const because = isTaken ? 'taken' : 'expired';
				feed.tell({ device, event: 'hold:ended', payload: { holdId, because } });
			}
		}),
		offers: tellOffers({
			offer: offerTimes({ sql, publish: feed.publish }),
			tell: feed.tell
		}),
		repair: repairPolls({ sql, queues, clock: systemClock }),
		episodes: lookAtIdleEpisodes({ sql, addAlerts }),
		watch: watchSources({ sql, log }),
		twins: settleTwins({ sql, publish: feed.publish, addAlerts }),
		counts: countWaiting({ sql, publish: feed.publish })
	});

type PolicyParts = {
	readonly sql: Sql;
	readonly config: Config;
	readonly feed: Feed;
	readonly log: Log;
	readonly queues: Queues;
};

/** What plans polls, and the loop that sets their price. */
const openPolicy = ({ sql, config, feed, log, queues }: PolicyParts) => {
	const run = setPollPrices({
		sql,
		queues,
		clock: systemClock,
		viewers: feed.viewers,
		perSecond: config.pollsPerSecond,
		hostPerSecond: HOST_REQUESTS_PER_S
	});
	const loop: Loop = { name: 'set-poll-prices', everyMs: PRICE_LOOK_EVERY_MS, run };
	return { policy: createPollPolicy({ sql, log }), loop };
};

/** Builds and starts everything; what it returns stops taking jobs, finishes, closes in order. */
const start = async (config: Config, log: Log): Promise<() => Promise<void>> => {
	const { sql, epoch: firstEpoch } = await openStore(config);
	const { epoch, look } = followEpoch(sql, firstEpoch);
	const feed = openFeed(config, log, epoch);
	const secrets = secretsOf(config, sql);
	const recorder = createRecorder();
	const asking = askingAs(config, log, feed.manners);
	const { secretOf } = secrets;
	const connectors = createConnectors({ ...asking, secretOf, tape: recorder.tape });
	let onReady = (): unknown => null;
	const queues = createQueues(config.redisUrl, config.redisPrefix, { onReady: () => onReady() });
	const alert = createRaiseAlerts({ raise: raiseAlerts({ sql }), tell: feed.tell, log });
	const addAlerts = alertsOrNow(queues.addAlerts, alert, log);
	const phi = createPhiCipher(keysById(config.phiKeys));
	const booking = bookingDeps({ sql, config, phi, feed, log }, { connectors, queues });
	const { addPoll, status } = queues;
	const { policy, loop: prices } = openPolicy({ sql, config, feed, log, queues });
	const { publish } = feed;
	const { cipher } = secrets;
	const mostBytes = config.rawAnswerBytes;
	const raw = createRawKeeper({ sql, cipher, recorder, log, mostBytes });
	const polling = { sql, connectors, publish, queues: { addPoll, addAlerts }, log, policy, raw };
	const mails = openMails({ config, sql, phi, log });
	const workers = startWorkers(config, log, {
		poll: createPollSource(polling),
		book: createWriteBooking(booking),
		alert
	});
	if (mails !== null) workers.push(mails.worker);
	const stopping = new AbortController();
	const { signal } = stopping;
	const loops = [
		...loopsOf({ sql, feed, log, queues, addAlerts }),
		dueBookings(sql, booking, signal),
		look,
		...openPushes({ config, sql, queues, connectors, publish, addAlerts, log }),
		...(mails === null ? [] : [mails.loop]),
		prices,
		rereadLoop({ sql, cipher, log }),
		...tryLoops({ sql, cipher, log, secrets: config.sourceSecrets, options: asking, signal }),
		{
			name: 'watch-workers',
			everyMs: WATCH_EVERY_MS,
			run: watchWorkers({ workers, status, log })
		}
	].map((loop) => startLoop(loop, log));
	// Redis is back, perhaps empty: what it lost is added at once.
	onReady = () => Promise.all(loops.filter(({ name }) => name === REPAIR).map((l) => l.now()));
	const upkeep = scheduleUpkeep(config.upkeepCron, {
		sql,
		phi,
		secrets: cipher,
		limits: config,
		log
	});

	return async () => {
		await upkeep.destroy();
		const cut = setTimeout(() => stopping.abort(), config.drainMs);
		await Promise.all([
			...workers.map((worker) => worker.close(config.drainMs)),
			...loops.map((loop) => loop.close())
		]);
		clearTimeout(cut);
		mails?.close();
		await Promise.all([queues.close(), feed.close(), connectors.close()]);
		await sql.end({ timeout: 2 });
	};
};

const main = async (): Promise<void> => {
	const config = configOrExit();
	const log = createLog({ name: 'workers', level: config.logLevel });
	exitOnFault(log);
	const drain = await startOrExit(() => start(config, log), log);
	drainOnSignal(drain, config.drainMs, log);
	log.info('workers_ready', { pid: process.pid, concurrency: config.workerConcurrency });
};

await main();
