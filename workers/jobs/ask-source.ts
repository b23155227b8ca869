// Asks one source, within a time limit that holds whatever its connector does. A connector that
// throws is a silent answer too: one broken source must not cost the others anything.
import type { Answer, SilentAnswer } from '#domain/answer.ts';
import { SECOND_MS } from '#domain/time.ts';
import { aboutSource, logFault, type Log } from '#server/platform/log.ts';
import type { SourceId } from '#domain/ids.ts';
import type { Connector, PollRequest } from '../connectors/connector.ts';

export type Asked = {
	readonly answer: Answer;
	readonly tookMs: number;
};

export type AskOptions = {
	readonly sourceId: SourceId;
	readonly deadlineMs: number;
	/** Aborted when this process goes down. */
	readonly signal: AbortSignal;
	readonly log: Log;
};

/** A connector that ignores its signal is left behind this long after the deadline. */
const LEAVE_BEHIND_MS = 500;

const silent = (reason: SilentAnswer['reason'], detail: string): SilentAnswer => ({
	state: 'silent',
	reason,
	detail,
	retryAfterMs: null,
	bytes: 0
});

/** Rejects never, resolves at the latest LEAVE_BEHIND_MS after the deadline or the signal. */
export const askSource = async (
	connector: Connector,
	request: Omit<PollRequest, 'signal'>,
	{ sourceId, deadlineMs, signal, log }: AskOptions
): Promise<Asked> => {
	const startedAt = performance.now();
	const stop = new AbortController();
	const late = silent('timeout', `No complete answer within ${deadlineMs / SECOND_MS} s.`);
	const timers: NodeJS.Timeout[] = [];
	const leftBehind = new Promise<Answer>((resolve) => {
		const end = () => {
			stop.abort();
			timers.push(setTimeout(() => resolve(late), LEAVE_BEHIND_MS));
		};
		timers.push(setTimeout(end, deadlineMs));
		if (signal.aborted) end();
		else signal.addEventListener('abort', end, { once: true, signal: stop.signal });
	});
	try {
		const polled = connector.poll({ ...request, signal: stop.signal });
		const answer = await Promise.race([polled, leftBehind]);
		return { answer, tookMs: performance.now() - startedAt };
	} catch (error) {
		const faultId = logFault(
			log,
			'connector_failed',
			error,
			aboutSource(sourceId, request.source.key)
		);
		const answer = stop.signal.aborted
			? late
			: silent('not_understood', `The connector failed on this answer (fault ${faultId}).`);
		return { answer, tookMs: performance.now() - startedAt };
	} finally {
		for (const timer of timers) clearTimeout(timer);
		// Also takes the listener off the long-lived signal of the job.
		stop.abort();
	}
};
