// A worker that sleeps beside waiting jobs is replaced.
import { expect, test } from 'vitest';
import type { QueueStatus } from '#domain/status.ts';
import type { JobWorker, WorkerState } from '#workers/jobs/job-worker.ts';
import { DEAF_AFTER_MS, isDeaf, watchWorkers } from '#workers/jobs/watch-workers.ts';
import { createTestLog } from '../fakes.ts';

const idle: WorkerState = { running: 0, concurrency: 8, idleMs: DEAF_AFTER_MS };

test.each([
	['jobs wait and it does nothing', idle, 3, true],
	['nothing waits', idle, 0, false],
	['it is full', { ...idle, running: 8 }, 3, false],
	['it worked a moment ago', { ...idle, idleMs: DEAF_AFTER_MS - 1 }, 3, false]
] as const)('[W9] %s', (_name, state, waiting, expected) => {
	expect(isDeaf(state, waiting)).toBe(expected);
});

const createWorker = (state: WorkerState): JobWorker & { restarts: number } => {
	const worker = {
		queue: 'polls' as const,
		restarts: 0,
		state: () => state,
		restart: () => void (worker.restarts += 1),
		close: async () => {}
	};
	return worker;
};

const statusOf = (waiting: number): QueueStatus[] => [
	{ name: 'polls', waiting, active: 0, delayed: 0, failed: 0 }
];

test('[W9] only while Redis answers', async () => {
	const worker = createWorker(idle);
	const { log, events } = createTestLog();
	const look = (status: QueueStatus[] | null) =>
		watchWorkers({ workers: [worker], status: async () => status, log })();
	expect(await look(null)).toBe(0);
	expect(await look(statusOf(0))).toBe(0);
	expect(worker.restarts).toBe(0);
	expect(await look(statusOf(5))).toBe(1);
	expect(worker.restarts).toBe(1);
	expect(events()).toEqual(['worker_restarted']);
});
