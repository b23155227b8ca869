// Every queue, its jobs' data, retries and limits. Redis holds only ids and only a copy of what
// Postgres knows: each add is idempotent, fails fast, and may be lost without harm.
import { Queue } from 'bullmq';
import type { DefaultJobOptions, QueueOptions, WorkerOptions } from 'bullmq';
import { z } from 'zod';
import { createRedis } from '#server/platform/redis.ts';
import { BookingId, MailId, ScheduleId, SourceId } from '#domain/ids.ts';
import type { QueueStatus } from '#domain/status.ts';

export const queueNames = ['polls', 'bookings', 'alerts', 'mails'] as const;
export type QueueName = (typeof queueNames)[number];

/** Touched schedules of one alerts job; more are split over several jobs. */
export const MAX_SCHEDULES_PER_JOB = 500;

export const PollJob = z.strictObject({ sourceId: SourceId });
export type PollJob = z.infer<typeof PollJob>;
export const BookingJob = z.strictObject({ bookingId: BookingId });
export type BookingJob = z.infer<typeof BookingJob>;
export const AlertsJob = z.strictObject({
	scheduleIds: z.array(ScheduleId).min(1).max(MAX_SCHEDULES_PER_JOB)
});
export type AlertsJob = z.infer<typeof AlertsJob>;

export const MailJob = z.strictObject({ mailId: MailId });
export type MailJob = z.infer<typeof MailJob>;

/** Job names say what is done; they are the names in the operator's log. */
export const jobNames = {
	polls: 'poll-source',
	bookings: 'write-booking',
	alerts: 'raise-alerts',
	mails: 'send-mail'
} as const satisfies Record<QueueName, string>;

/** Dead letters: jobs that failed for good stay this long, so that a person can read why. */
const deadLetters = { age: 7 * 86_400, count: 500 };

/**
 * A job is tried again only for faults of ours (Postgres away, a bug): what a clinic does is an
 * outcome, kept in Postgres with its own backoff. Jobs done are forgotten at once, because a kept
 * job would swallow the next one of the same id.
 */
export const jobOptions = {
	polls: { attempts: 3, backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 } },
	bookings: { attempts: 3, backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 } },
	alerts: { attempts: 5, backoff: { type: 'exponential', delay: 500, jitter: 0.5 } },
	mails: { attempts: 3, backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 } }
} as const satisfies Record<QueueName, DefaultJobOptions>;

const defaultsOf = (name: QueueName): DefaultJobOptions => ({
	...jobOptions[name],
	removeOnComplete: true,
	removeOnFail: deadLetters,
	sizeLimit: 16_384,
	stackTraceLimit: 5
});

/** How many jobs of a queue one worker process runs at once, unless configured. */
export const concurrencies = {
	polls: 16,
	bookings: 8,
	alerts: 2,
	mails: 2
} as const satisfies Record<QueueName, number>;

/**
 * A worker that stops renewing its lock is presumed dead after `lockDuration`; its job is handed
 * on at most `maxStalledCount` times, so that a job that kills its worker cannot kill them all.
 * The lease in Postgres, not this lock, keeps two polls of one source apart.
 */
export const workerOptions = {
	lockDuration: 30_000,
	stalledInterval: 10_000,
	maxStalledCount: 2,
	drainDelay: 5,
	runRetryDelay: 2_000
} as const satisfies Partial<WorkerOptions>;

/** An add that Redis has not answered by then is given up; the reconcile loop repairs it. */
const ADD_TIMEOUT_MS = 1_000;

/** The braces put all keys of the queues on one node of a Redis Cluster, as BullMQ's scripts need. */
export const queuePrefix = (redisPrefix: string): string => `{${redisPrefix}}`;

export type Queues = {
	/** The BullMQ queue as it is now; ask again each time. */
	readonly polls: () => Queue<PollJob>;
	readonly bookings: () => Queue<BookingJob>;
	readonly alerts: () => Queue<AlertsJob>;
	readonly mails: () => Queue<MailJob>;
	/**
	 * Arms the poll of a source that follows generation `gen`. The same (source, gen) is one job
	 * however often it is added; `again` makes a repair another one. All adds: false = Redis did
	 * not take it in time; they never throw for a Redis that is down.
	 */
	readonly addPoll: (
		sourceId: SourceId,
		delayMs: number,
		gen: number,
		again?: number
	) => Promise<boolean>;
	/**
	 * `attempt` counts how often the clinic was asked, `round` how often it was asked to cancel
	 * (0 = to book); the same (booking, attempt, round) is one job.
	 */
	readonly addBooking: (
		bookingId: BookingId,
		attempt?: number,
		delayMs?: number,
		round?: number
	) => Promise<boolean>;
	readonly addAlerts: (scheduleIds: readonly ScheduleId[]) => Promise<boolean>;
	readonly addMail: (mailId: MailId) => Promise<boolean>;
	/** null = Redis could not be asked. */
	readonly status: () => Promise<readonly QueueStatus[] | null>;
	readonly isUp: () => boolean;
	readonly close: () => Promise<void>;
};

export type QueueListener = {
	/** Every connection error: while Redis is down there is one per attempt to reconnect. */
	readonly onFault?: (error: Error) => void;
	/** Redis answers (again): what it lost can be added. */
	readonly onReady?: () => void;
};

/** The value, or null when it fails or takes longer than `ms`. */
const withinMs = async <T>(work: Promise<T>, ms: number): Promise<T | null> => {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<null>((resolve) => {
		timer = setTimeout(() => resolve(null), ms);
	});
	try {
		return await Promise.race([work, late]);
	} catch {
		return null;
	} finally {
		clearTimeout(timer);
	}
};

const countsOf = async (queue: Queue): Promise<QueueStatus> => {
	const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed');
	return {
		name: queue.name,
		waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0),
		active: counts['active'] ?? 0,
		delayed: counts['delayed'] ?? 0,
		failed: counts['failed'] ?? 0
	};
};

/** The items in lists of at most `size`. */
export const chunk = <T>(items: readonly T[], size: number): T[][] =>
	Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
		items.slice(i * size, (i + 1) * size)
	);

type Producer<T> = { readonly queue: () => Queue<T>; readonly close: () => Promise<void> };

const REMAKE_AFTER_MS = 1_000;

/**
 * A BullMQ queue looks at its Redis once, at the start, and is useless for ever when just then the
 * connection is lost: such a one is replaced.
 */
const openProducer = <T>(name: QueueName, options: QueueOptions): Producer<T> => {
	let timer: NodeJS.Timeout | undefined;
	let closed = false;
	const make = (): Queue<T> => {
		const made = new Queue<T>(name, options);
		// The shared connection reports its own errors once; three queues would repeat them.
		made.on('error', () => {});
		made.waitUntilReady().catch(() => {
			if (!closed) timer = setTimeout(remake, REMAKE_AFTER_MS).unref();
		});
		return made;
	};
	const remake = (): void => {
		if (closed) return;
		void queue.close().catch(() => {});
		queue = make();
	};
	let queue = make();
	return {
		queue: () => queue,
		close: async () => {
			closed = true;
			clearTimeout(timer);
			await queue.close();
		}
	};
};

/** The producer's side of the queues, for hub and workers. `prefix` is Config.redisPrefix. */
export const createQueues = (
	redisUrl: string,
	prefix: string,
	heard: QueueListener = {}
): Queues => {
	const onFault = heard.onFault ?? (() => {});
	const connection = createRedis(redisUrl, { role: 'publisher', onFault });
	if (heard.onReady !== undefined) connection.on('ready', heard.onReady);
	const optionsOf = (name: QueueName): QueueOptions => ({
		connection,
		prefix: queuePrefix(prefix),
		defaultJobOptions: defaultsOf(name),
		streams: { events: { maxLen: 100 } }
	});
	const polls = openProducer<PollJob>('polls', optionsOf('polls'));
	const bookings = openProducer<BookingJob>('bookings', optionsOf('bookings'));
	const alerts = openProducer<AlertsJob>('alerts', optionsOf('alerts'));
	const mails = openProducer<MailJob>('mails', optionsOf('mails'));
	const producers = [polls, bookings, alerts, mails];
	const mayAdd = () => connection.status === 'ready' || connection.status === 'connecting';
	const tryAdd = async (add: () => Promise<unknown>): Promise<boolean> =>
		mayAdd() && (await withinMs(add(), ADD_TIMEOUT_MS)) !== null;

	return {
		polls: polls.queue,
		bookings: bookings.queue,
		alerts: alerts.queue,
		mails: mails.queue,
		addPoll: (sourceId, delayMs, gen, again) => {
			const jobId = `poll-${sourceId}-${gen}${again === undefined ? '' : `-r${again}`}`;
			const delay = Math.max(0, Math.ceil(delayMs));
			return tryAdd(() => polls.queue().add(jobNames.polls, { sourceId }, { jobId, delay }));
		},
		addBooking: (bookingId, attempt = 0, delayMs = 0, round = 0) => {
			const jobId = `booking-${bookingId}-${attempt}${round === 0 ? '' : `-c${round}`}`;
			const options = { jobId, delay: Math.max(0, delayMs) };
			return tryAdd(() => bookings.queue().add(jobNames.bookings, { bookingId }, options));
		},
		addAlerts: async (scheduleIds) => {
			let added = true;
			for (const ids of chunk([...new Set(scheduleIds)], MAX_SCHEDULES_PER_JOB)) {
				const data = { scheduleIds: ids };
				added = (await tryAdd(() => alerts.queue().add(jobNames.alerts, data))) && added;
			}
			return added;
		},
		addMail: (mailId) =>
			tryAdd(() => mails.queue().add(jobNames.mails, { mailId }, { jobId: `mail-${mailId}` })),
		status: () =>
			withinMs(Promise.all(producers.map(({ queue }) => countsOf(queue()))), ADD_TIMEOUT_MS),
		isUp: () => connection.status === 'ready',
		close: async () => {
			await Promise.allSettled(producers.map((producer) => producer.close()));
			connection.disconnect();
		}
	};
};
