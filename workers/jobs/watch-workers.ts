// Watches the workers of this process: BullMQ workers have been seen to sleep on after a Redis
// outage (BullMQ issues 4585, 4378, 3185). Redis answers, jobs wait, nothing runs: replace it.
import { SECOND_MS } from '#domain/time.ts';
import type { Log } from '#server/platform/log.ts';
import type { QueueStatus } from '#domain/status.ts';
import type { JobWorker, WorkerState } from './job-worker.ts';

/** Jobs that wait this long beside an idle worker mean that it does not listen. */
export const DEAF_AFTER_MS = 15 * SECOND_MS;
export const WATCH_EVERY_MS = 5 * SECOND_MS;

/** W9: deaf = jobs wait, there is room, and nothing began or ended for a while. */
export const isDeaf = (state: WorkerState, waiting: number): boolean =>
	waiting > 0 && state.running < state.concurrency && state.idleMs >= DEAF_AFTER_MS;

export type WatchDeps = {
	readonly workers: readonly JobWorker[];
	readonly status: () => Promise<readonly QueueStatus[] | null>;
	readonly log: Log;
};

/** One look; restarts each deaf worker. Does nothing while Redis cannot be asked. */
export const watchWorkers =
	({ workers, status, log }: WatchDeps) =>
	async (): Promise<number> => {
		const counts = await status();
		if (counts === null) return 0;
		let restarted = 0;
		for (const worker of workers) {
			const waiting = counts.find((count) => count.name === worker.queue)?.waiting ?? 0;
			if (!isDeaf(worker.state(), waiting)) continue;
			log.warn('worker_restarted', { queue: worker.queue, waiting });
			worker.restart();
			restarted += 1;
		}
		return restarted;
	};
