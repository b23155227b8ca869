// The job poll-source: claim, ask, compare, commit, tell, arm the next one. Safe to run twice, late
// or on several workers at once: the claim keeps them apart and the generation fences the late one.
import type { SourceId, ScheduleId } from '#domain/ids.ts';
import type { SilentAnswer, SilentReason, SpokenAnswer } from '#domain/answer.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { SECOND_MS } from '#domain/time.ts';
import { aboutSource, logFault, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { commitPoll } from '#server/store/commit-poll.ts';
import { claimPoll, readSource, recordSilence } from '#server/store/sources.ts';
import type { Connectors } from '../connectors/connectors.ts';
import type { Queues } from '../queues.ts';
import { askSource, type Asked } from './ask-source.ts';
import { basesAfter, beginPoll, fullAtOf, requestOf, type Poll } from './begin-poll.ts';
import { compareAnswer } from './compare-answer.ts';
import { noneMoved, tellMoved } from './moved-slots.ts';
import { decideDeadline, decideNextPoll, floorMs } from './plan-poll.ts';
import type { PollPlan, PollPolicy } from './poll-policy.ts';
import type { RawKeeper } from './raw-keeper.ts';
import { createPollMemory, noBases, type PollMemory } from './poll-memory.ts';

export type PollDeps = {
	readonly sql: Sql;
	readonly connectors: Omit<Connectors, 'close'>;
	readonly publish: (entries: readonly RoomEntry[]) => void;
	/** `addAlerts` is told of the schedules whose supply changed. */
	readonly queues: Pick<Queues, 'addPoll'> & {
		readonly addAlerts: (scheduleIds: readonly ScheduleId[]) => Promise<unknown>;
	};
	readonly log: Log;
	/** Keeps what full reads heard; left out, nothing is kept. */
	readonly raw?: RawKeeper;
	/** Plans the next poll; left out, every source is asked at its shortest interval. */
	readonly policy?: PollPolicy;
};

export type PollReport =
	/** In flight elsewhere, not due, or switched off. */
	| { readonly state: 'skipped' }
	/** This process goes down; the claim runs out by itself. */
	| { readonly state: 'abandoned' }
	| { readonly state: 'silent'; readonly reason: SilentReason }
	/** A newer poll was begun: nothing was written. */
	| { readonly state: 'fenced' }
	| {
			readonly state: 'committed';
			readonly form: SpokenAnswer['listing']['form'];
			/** Only the near days were asked for. */
			readonly isNear: boolean;
			readonly changes: number;
			readonly suspect: boolean;
			/** W51: slots that went because nothing at all was listed twice in a row. */
			readonly emptied?: number;
	  };

const aboutClaim = ({ sourceId, source }: Poll['claim']) => aboutSource(sourceId, source.key);

const planNext = async (
	{ policy }: PollDeps,
	{ reach, claim: { sourceId, source, pollStartedAt, near } }: Poll,
	{ listing, maxAgeMs }: SpokenAnswer,
	changes: number
): Promise<PollPlan | null> =>
	(await policy?.plan({
		sourceId,
		key: source.key,
		url: source.url,
		startedAt: pollStartedAt,
		changes,
		unchanged: listing.form === 'unchanged',
		farAt: reach === 'near' ? (near?.farAt ?? null) : null,
		floorMs: floorMs(source.minIntervalMs, maxAgeMs)
	})) ?? null;

const storeAnswer = async (
	deps: PollDeps,
	memory: PollMemory,
	poll: Poll,
	heard: SpokenAnswer
): Promise<PollReport> => {
	const { claim, reach, bases } = poll;
	const connector = deps.connectors[claim.source.kind];
	const isNear = reach === 'near';
	let mirrored = false;
	let after = noBases;
	try {
		const answer = tellMoved(heard, bases[reach]?.moved ?? noneMoved);
		const { changes, suspect, emptied } = await compareAnswer(deps.sql, claim, answer, isNear);
		const plan = suspect === null ? await planNext(deps, poll, answer, changes.length) : null;
		const { maxAgeMs } = answer;
		const plannedMs = plan?.nextInMs ?? 0;
		const nextPollInMs = decideNextPoll({
			minIntervalMs: claim.source.minIntervalMs,
			outcome: suspect === null ? { state: 'spoken', maxAgeMs, plannedMs } : { state: 'suspect' },
			chance: Math.random()
		});
		const mayNarrow =
			answer.state === 'complete' && answer.canNarrow === true && plan?.nextIsWhole !== true;
		const done = await commitPoll(deps.sql, {
			claim,
			answer,
			changes,
			nextPollInMs,
			suspect,
			emptied,
			isNear,
			mayNarrow,
			poll: { token: poll.token, fullAt: fullAtOf(poll, heard) }
		});
		if (!done.ok) {
			memory.lengthenLease(claim.sourceId);
			deps.log.warn('poll_fenced', { ...aboutClaim(claim), gen: claim.gen });
			return { state: 'fenced' };
		}
		const { entries, touched, isMirrored } = done.value;
		mirrored = isMirrored;
		after = basesAfter(poll, heard, { changes, commit: done.value });
		if (entries.length > 0) deps.publish(entries);
		await Promise.all([
			deps.queues.addPoll(claim.sourceId, nextPollInMs, claim.gen),
			plan?.keep(),
			touched.length > 0 ? deps.queues.addAlerts(touched) : null
		]);
		const { form } = answer.listing;
		const report = { state: 'committed', form, isNear, changes: changes.length } as const;
		return { ...report, suspect: suspect !== null, ...(emptied > 0 && { emptied }) };
	} finally {
		connector.settle(claim.source.key, poll.token, mirrored, isNear);
		memory.keep(claim.sourceId, after);
	}
};

const storeSilence = async (
	deps: PollDeps,
	poll: Poll,
	answer: Pick<SilentAnswer, 'reason' | 'detail' | 'retryAfterMs'>
): Promise<PollReport> => {
	const { claim } = poll;
	const { reason, detail, retryAfterMs } = answer;
	const failures = claim.failures + 1;
	const retryInMs = decideNextPoll({
		minIntervalMs: claim.source.minIntervalMs,
		outcome: { state: 'silent', reason, failures, retryAfterMs },
		chance: Math.random()
	});
	const { sourceId, gen } = claim;
	const isNearUseless = poll.reach === 'near' && reason === 'not_understood';
	const silence = { sourceId, gen, reason, detail, retryInMs, isNearUseless };
	if (!(await recordSilence(deps.sql, silence))) {
		deps.log.warn('poll_fenced', { ...aboutClaim(claim), gen });
		return { state: 'fenced' };
	}
	await deps.queues.addPoll(sourceId, retryInMs, gen);
	return { state: 'silent', reason };
};

/** A job that came too early (clocks differ between machines) arms another for the right time. */
const skipPoll = async (deps: PollDeps, sourceId: SourceId): Promise<PollReport> => {
	const source = await readSource(deps.sql, sourceId);
	const waitMs = source === null || !source.enabled ? 0 : source.nextPollAt - Date.now();
	if (source !== null && waitMs > 0) {
		const second = Math.floor(source.nextPollAt / SECOND_MS);
		await deps.queues.addPoll(sourceId, waitMs, source.committedGen, second);
	}
	return { state: 'skipped' };
};

/** A near poll says nothing of how long a whole one takes. */
const noteDeadline = (memory: PollMemory, { reach, claim }: Poll, asked: Asked): void => {
	const { answer, tookMs } = asked;
	const { sourceId } = claim;
	if (reach === 'near') return;
	const timedOut = answer.state === 'silent' && answer.reason === 'timeout';
	if (answer.state === 'silent' && !timedOut) return;
	const last = { timedOut, tookMs, bytes: answer.bytes };
	memory.setDeadline(sourceId, decideDeadline(memory.deadlineOf(sourceId), last));
};

/** Only a full read stands on its own: a difference would be of no use without what it differs from. */
const listenTo = async (
	{ raw }: PollDeps,
	{ wantFull }: Poll,
	ask: () => Promise<Asked>
): Promise<Awaited<ReturnType<RawKeeper['listen']>>> =>
	raw !== undefined && wantFull ? await raw.listen(ask) : { asked: await ask(), heard: [] };

const runPoll = async (
	deps: PollDeps,
	memory: PollMemory,
	poll: Poll,
	signal: AbortSignal
): Promise<PollReport> => {
	const { claim, token } = poll;
	const { sourceId, source } = claim;
	const connector = deps.connectors[source.kind];
	const isNear = poll.reach === 'near';
	const deadlineMs = memory.deadlineOf(sourceId);
	const { asked, heard } = await listenTo(deps, poll, () =>
		askSource(connector, requestOf(poll), { sourceId, deadlineMs, signal, log: deps.log })
	);
	if (signal.aborted && asked.answer.state === 'silent') {
		connector.settle(source.key, token, false, isNear);
		return { state: 'abandoned' };
	}
	const { tookMs } = asked;
	const { gen } = claim;
	deps.log.debug('poll_asked', { ...aboutClaim(claim), gen, tookMs, bytes: asked.answer.bytes });
	noteDeadline(memory, poll, asked);
	const { answer } = asked;
	let report: PollReport;
	if (answer.state === 'silent') {
		connector.settle(source.key, token, false, isNear);
		// E15: what could not be read is read in full the next time, and then kept.
		if (answer.reason === 'not_understood') memory.doubt(sourceId);
		report = await storeSilence(deps, poll, answer);
	} else {
		report = await storeAnswer(deps, memory, poll, answer);
	}
	await deps.raw?.keep(claim, asked, heard);
	return report;
};

const tell = (log: Log, { claim, startedAt }: Poll, report: PollReport): void => {
	const ms = Math.round(performance.now() - startedAt);
	const about = aboutClaim(claim);
	if (report.state === 'silent') {
		log.warn('poll_silent', { ...about, reason: report.reason, failures: claim.failures + 1, ms });
	} else if (report.state === 'committed') {
		const { form, isNear, changes, suspect, emptied = 0 } = report;
		const write = changes > 0 || suspect ? log.info : log.debug;
		write('poll_done', { ...about, form, isNear, changes, suspect, ms });
		if (emptied > 0) log.warn('source_emptied', { ...about, removed: emptied });
	}
};

/**
 * Creates the job. It throws only when Postgres cannot be asked: BullMQ then tries again, and after
 * that the repair loop. A fault of ours on one source is kept at that source (W22).
 */
export const createPollSource = (deps: PollDeps) => {
	const memory = createPollMemory();
	return async (sourceId: SourceId, signal: AbortSignal): Promise<PollReport> => {
		const claim = await claimPoll(deps.sql, sourceId, memory.leaseOf(sourceId));
		if (claim === null) return await skipPoll(deps, sourceId);
		const poll = beginPoll(claim, memory);
		try {
			const report = await runPoll(deps, memory, poll, signal);
			tell(deps.log, poll, report);
			return report;
		} catch (error) {
			const faultId = logFault(deps.log, 'poll_failed', error, aboutClaim(claim));
			const detail = `The hub failed on this answer (fault ${faultId}).`;
			return await storeSilence(deps, poll, {
				reason: 'not_understood',
				detail,
				retryAfterMs: null
			});
		}
	};
};
