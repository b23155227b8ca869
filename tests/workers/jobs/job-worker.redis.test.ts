// Jobs run by a real BullMQ worker: parsed, limited, caught, drained, and resumed after an outage.
import { expect, onTestFinished, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import { createJobWorker, type JobWorker } from '#workers/jobs/job-worker.ts';
import { PollJob, createQueues, queuePrefix, type Queues } from '#workers/queues.ts';
import { createTestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { createGate, createTestLog } from '../fakes.ts';
import { createMortalRedis } from '../mortal-redis.ts';

const source = SourceId.parse(12);

type Run = (data: PollJob, signal: AbortSignal) => Promise<unknown>;

const open = async (
	url: string,
	run: Run,
	concurrency = 2
): Promise<{ queues: Queues; worker: JobWorker; log: ReturnType<typeof createTestLog> }> => {
	const prefix = 'jobs';
	const log = createTestLog();
	const queues = createQueues(url, prefix);
	const worker = createJobWorker({
		queue: 'polls',
		schema: PollJob,
		run,
		redis: { url, prefix },
		concurrency,
		log: log.log
	});
	onTestFinished(async () => {
		await worker.close(100);
		await queues.close();
	});
	await until(() => queues.isUp());
	return { queues, worker, log };
};

test('[W16] a failed job keeps the id of its fault, not what it said', async () => {
	await using redis = await createTestRedis();
	const secret = 'Rosa Martinez, 1961-05-23';
	const { queues, log } = await open(redis.url, async () => {
		throw new Error(secret);
	});
	await queues
		.polls()
		.add('poll-source', { sourceId: source }, { jobId: 'poll-12-1', attempts: 1 });
	await until(async () => (await queues.polls().getFailedCount()) === 1);
	const [job] = await queues.polls().getFailed();
	expect(job?.failedReason).toMatch(/^fault [0-9a-f]{8}$/);
	const kept = await redis.client.hgetall(`${queuePrefix('jobs')}:polls:poll-12-1`);
	expect(JSON.stringify(kept)).not.toContain('Rosa');
	expect(JSON.stringify(log.lines)).not.toContain('Rosa');
	expect(log.events()).toContain('job_failed');
	expect(log.lines.find(({ event }) => event === 'job_failed')).toMatchObject({
		faultId: job?.failedReason.slice('fault '.length)
	});
});

test('[W23] unreadable data is a dead letter at once, and the line goes on', async () => {
	await using redis = await createTestRedis();
	const done: number[] = [];
	const { queues, log } = await open(redis.url, async ({ sourceId }) => done.push(sourceId), 1);
	await queues.polls().add('poll-source', { sourceId: 'x' } as never, { jobId: 'bad-1' });
	await queues.addPoll(source, 0, 1);
	await until(() => done.length === 1);
	await until(async () => (await queues.polls().getFailedCount()) === 1);
	expect(log.events()).toContain('job_unreadable');
});

test('[W23] a job that never ends does not hold the others up', async () => {
	await using redis = await createTestRedis();
	const done: number[] = [];
	const { queues } = await open(redis.url, async ({ sourceId }) => {
		if (sourceId === 1) await new Promise(() => {});
		done.push(sourceId);
	});
	await queues.addPoll(SourceId.parse(1), 0, 1);
	for (const id of [2, 3, 4]) await queues.addPoll(SourceId.parse(id), 0, 1);
	await until(() => done.length === 3);
	expect(done).toEqual([2, 3, 4]);
});

test('[W18] closing takes no more jobs and waits for the one that runs', async () => {
	await using redis = await createTestRedis();
	const gate = createGate();
	const done: number[] = [];
	const { queues, worker } = await open(
		redis.url,
		async ({ sourceId }) => {
			await gate.passed;
			done.push(sourceId);
		},
		1
	);
	await queues.addPoll(SourceId.parse(1), 0, 1);
	await until(() => worker.state().running === 1);
	await queues.addPoll(SourceId.parse(2), 0, 1);
	const closed = worker.close(10_000);
	gate.open();
	await closed;
	expect(done).toEqual([1]);
	expect(await queues.polls().getWaitingCount()).toBe(1);
});

test('[W18] a job that outlasts the time for draining is aborted', async () => {
	await using redis = await createTestRedis();
	let aborted = false;
	const { queues, worker, log } = await open(
		redis.url,
		(_data, signal) =>
			new Promise<void>((resolve) => {
				signal.addEventListener('abort', () => {
					aborted = true;
					resolve();
				});
			})
	);
	await queues.addPoll(source, 0, 1);
	await until(() => worker.state().running === 1);
	await worker.close(50);
	expect(aborted).toBe(true);
	expect(log.events()).toContain('drain_cut');
});

test('[W7] after Redis came back empty the worker takes jobs again', async () => {
	await using redis = await createMortalRedis();
	const done: number[] = [];
	const { queues, worker } = await open(redis.url, async ({ sourceId }) => done.push(sourceId));
	await queues.addPoll(SourceId.parse(1), 0, 1);
	await until(() => done.length === 1);
	await redis.kill();
	await until(() => !queues.isUp());
	await redis.revive();
	await until(() => queues.isUp(), { timeoutMs: 20_000 });
	await until(() => queues.addPoll(SourceId.parse(2), 0, 1));
	await until(() => done.length === 2, { timeoutMs: 25_000 });
	await worker.close(100);
	await queues.close();
});

test('[W9] a restarted worker takes what waits; what ran in the old one ends there', async () => {
	await using redis = await createTestRedis();
	const gate = createGate();
	const done: number[] = [];
	const { queues, worker } = await open(
		redis.url,
		async ({ sourceId }) => {
			if (sourceId === 1) await gate.passed;
			done.push(sourceId);
		},
		1
	);
	await queues.addPoll(SourceId.parse(1), 0, 1);
	await until(() => worker.state().running === 1);
	await queues.addPoll(SourceId.parse(2), 0, 1);
	worker.restart();
	await until(() => done.includes(2));
	gate.open();
	await until(() => done.length === 2);
	expect(done).toEqual([2, 1]);
});
