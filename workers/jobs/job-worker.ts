// Runs the jobs of one queue: parse, time limit, one catch, drain. A BullMQ worker that stopped
// listening after a Redis outage can be replaced while its running jobs finish.
import { UnrecoverableError, Worker } from 'bullmq';
import type { Job, Processor, WorkerOptions } from 'bullmq';
import type { z } from 'zod';
import { publicText, logFault, type Log } from '#server/platform/log.ts';
import { createRedis } from '#server/platform/redis.ts';
import { SECOND_MS } from '#domain/time.ts';
import { queuePrefix, workerOptions, type QueueName } from '../queues.ts';

export type JobWorkerOptions<T> = {
	readonly queue: QueueName;
	readonly schema: z.ZodType<T>;
	/** The use case. What it throws is logged here, once. */
	readonly run: (data: T, signal: AbortSignal) => Promise<unknown>;
	readonly redis: { readonly url: string; readonly prefix: string };
	readonly concurrency: number;
	readonly log: Log;
};

export type JobWorker = {
	readonly queue: QueueName;
	/** How it stands, for the watchdog. */
	state(): WorkerState;
	/** Replaces the BullMQ worker; jobs that run now finish in the old one. */
	restart(): void;
	/** Takes no more jobs; waits for those that run, at most `deadlineMs`, then aborts them. */
	close(deadlineMs: number): Promise<void>;
};

export type WorkerState = {
	readonly running: number;
	readonly concurrency: number;
	/** Since a job last began or ended here, or since it was started. */
	readonly idleMs: number;
};

/** A job that takes longer is given up; its promise may still end, its result counts no more. */
export const JOB_LIMIT_MS = 120 * SECOND_MS;

/** Ends with the work, or throws when the limit passes first. */
const withinLimit = async (work: Promise<unknown>): Promise<void> => {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error('job limit')), JOB_LIMIT_MS);
	});
	try {
		await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
	}
};

type Running = { count: number; touchedAt: number };

const makeProcessor =
	<T>(options: JobWorkerOptions<T>, running: Running): Processor =>
	async (job: Job, _token?: string, signal?: AbortSignal): Promise<void> => {
		const parsed = options.schema.safeParse(job.data);
		if (!parsed.success) {
			options.log.error('job_unreadable', { queue: options.queue });
			throw new UnrecoverableError('unreadable job data');
		}
		running.count += 1;
		running.touchedAt = performance.now();
		const limit = AbortSignal.timeout(JOB_LIMIT_MS);
		let faultId: string | null = null;
		try {
			const either = signal === undefined ? limit : AbortSignal.any([signal, limit]);
			await withinLimit(options.run(parsed.data, either));
		} catch (error) {
			const about = { queue: options.queue, attempt: job.attemptsMade + 1 };
			faultId = logFault(options.log, 'job_failed', error, about);
		}
		running.count -= 1;
		running.touchedAt = performance.now();
		// BullMQ writes the message and stack of what is thrown into Redis: only the id may get there.
		if (faultId !== null) throw new Error(`fault ${faultId}`);
	};

type Live = { worker: Worker; end: (force: boolean) => Promise<void> };

const startWorker = <T>(options: JobWorkerOptions<T>, processor: Processor): Live => {
	const { redis, queue, log } = options;
	const connection = createRedis(redis.url, { role: 'queue' });
	const settings: WorkerOptions = {
		...workerOptions,
		connection,
		prefix: queuePrefix(redis.prefix),
		concurrency: options.concurrency
	};
	const worker = new Worker(queue, processor, settings);
	// While Redis is away there is one error per attempt to reconnect: told, never thrown.
	worker.on('error', (error) => {
		const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
		log.debug('queue_fault', { queue, code: publicText(code) });
	});
	worker.on('stalled', () => log.warn('job_stalled', { queue }));
	const end = async (force: boolean): Promise<void> => {
		try {
			await worker.close(force);
		} finally {
			connection.disconnect();
		}
	};
	return { worker, end };
};

const settledWithin = async (work: Promise<unknown>, ms: number): Promise<boolean> => {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<false>((resolve) => {
		timer = setTimeout(() => resolve(false), ms);
	});
	const done = work.then(
		() => true,
		() => true
	);
	const settled = await Promise.race([done, late]);
	clearTimeout(timer);
	return settled;
};

/** After an abort, jobs get this long to notice it. */
const ABORT_GRACE_MS = 1_000;

/** Starts at once. Never throws for a Redis that is down: it listens when Redis is back. */
export const createJobWorker = <T>(options: JobWorkerOptions<T>): JobWorker => {
	const running: Running = { count: 0, touchedAt: performance.now() };
	const processor = makeProcessor(options, running);
	let live = startWorker(options, processor);
	const retired = new Set<Promise<void>>();

	const retire = (old: Live): void => {
		const ended = old.end(false).catch(() => {});
		retired.add(ended);
		void ended.then(() => retired.delete(ended));
	};
	return {
		queue: options.queue,
		state: () => ({
			running: running.count,
			concurrency: options.concurrency,
			idleMs: performance.now() - running.touchedAt
		}),
		restart: () => {
			const old = live;
			live = startWorker(options, processor);
			running.touchedAt = performance.now();
			retire(old);
		},
		close: async (deadlineMs) => {
			const current = live;
			const all = Promise.allSettled([current.end(false), ...retired]);
			if (await settledWithin(all, deadlineMs)) return;
			options.log.warn('drain_cut', { queue: options.queue, running: running.count });
			current.worker.cancelAllJobs('draining');
			if (await settledWithin(all, ABORT_GRACE_MS)) return;
			current.worker.disconnect().catch(() => {});
		}
	};
};
