// The job poll-source: claim, ask, compare, commit, tell, arm the next one. Safe to run twice, late
// or on several workers at once: the claim keeps them apart and the generation fences the late one.
import type { SourceId, ScheduleId } from '#domain/ids.ts';
import type { SilentAnswer, SilentReason, SpokenAnswer } from '#domain/answer.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { SECOND_MS } from '#domain/time.ts';
import { logFault, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { commitPoll, type PollCommit } from '#server/store/commit-poll.ts';
import {
	claimPoll,
	readSource,
	recordSilence,
	type PollClaim,
	type Suspect
} from '#server/store/sources.ts';
import type { Connectors } from '../connectors/connectors.ts';
import type { Queues } from '../queues.ts';
import { askSource, type Asked } from './ask-source.ts';
import { compareAnswer } from './compare-answer.ts';
import { decideDeadline, decideNextPoll, floorMs } from './plan-poll.ts';
import type { PollPlan, PollPolicy } from './poll-policy.ts';
import type { RawKeeper } from './raw-keeper.ts';
import { createPollMemory, type Basis, type PollMemory } from './poll-memory.ts';

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
			readonly changes: number;
			readonly suspect: boolean;
	  };

type Poll = {
	readonly claim: PollClaim;
	readonly basis: Basis | null;
	readonly token: string;
	readonly wantFull: boolean;
	readonly startedAt: number;
};

const tokenOf = (claim: PollClaim): string => `${claim.source.key}-${claim.gen}`;

const beginPoll = (claim: PollClaim, memory: PollMemory): Poll => {
	const isDoubtful = claim.suspect !== null || claim.isPushed;
	const basis = isDoubtful ? null : memory.basisOf(claim.sourceId, claim.committedGen);
	return {
		claim,
		basis,
		token: tokenOf(claim),
		wantFull: basis === null,
		startedAt: performance.now()
	};
};

/**
 * Only an answer that the store now mirrors in full may be the basis of a delta: what a partial,
 * suspect or partly kept-out answer left in the store would never be told again.
 */
const isMirrored = (answer: SpokenAnswer, commit: PollCommit, suspect: Suspect | null): boolean =>
	answer.state === 'complete' &&
	answer.unreadSchedules.length === 0 &&
	suspect === null &&
	commit.kept === 0;

const planNext = async (
	{ policy }: PollDeps,
	{ sourceId, source, pollStartedAt }: PollClaim,
	{ listing, maxAgeMs }: SpokenAnswer,
	changes: number
): Promise<PollPlan | null> =>
	(await policy?.plan({
		sourceId,
		url: source.url,
		startedAt: pollStartedAt,
		changes,
		unchanged: listing.form === 'unchanged',
		floorMs: floorMs(source.minIntervalMs, maxAgeMs)
	})) ?? null;

const storeAnswer = async (
	deps: PollDeps,
	memory: PollMemory,
	poll: Poll,
	answer: SpokenAnswer
): Promise<PollReport> => {
	const { claim } = poll;
	const connector = deps.connectors[claim.source.kind];
	let mirrored = false;
	try {
		const { changes, suspect } = await compareAnswer(deps.sql, claim, answer);
		const plan = suspect === null ? await planNext(deps, claim, answer, changes.length) : null;
		const { maxAgeMs } = answer;
		const plannedMs = plan?.nextInMs ?? 0;
		const nextPollInMs = decideNextPoll({
			minIntervalMs: claim.source.minIntervalMs,
			outcome: suspect === null ? { state: 'spoken', maxAgeMs, plannedMs } : { state: 'suspect' },
			chance: Math.random()
		});
		const done = await commitPoll(deps.sql, { claim, answer, changes, nextPollInMs, suspect });
		if (!done.ok) {
			memory.lengthenLease(claim.sourceId);
			deps.log.warn('poll_fenced', { sourceId: claim.sourceId, gen: claim.gen });
			return { state: 'fenced' };
		}
		mirrored = isMirrored(answer, done.value, suspect);
		const { entries, touched } = done.value;
		if (entries.length > 0) deps.publish(entries);
		await Promise.all([
			deps.queues.addPoll(claim.sourceId, nextPollInMs, claim.gen),
			plan?.keep(),
			touched.length > 0 ? deps.queues.addAlerts(touched) : null
		]);
		const { form } = answer.listing;
		return { state: 'committed', form, changes: changes.length, suspect: suspect !== null };
	} finally {
		connector.settle(claim.source.key, poll.token, mirrored);
		memory.keep(claim.sourceId, mirrored ? basisAfter(poll, answer) : null);
	}
};

const basisAfter = (poll: Poll, answer: SpokenAnswer): Basis => ({
	gen: poll.claim.gen,
	token: poll.token,
	fullAt: poll.basis === null || answer.listing.form === 'full' ? poll.startedAt : poll.basis.fullAt
});

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
	if (!(await recordSilence(deps.sql, { sourceId, gen, reason, detail, retryInMs }))) {
		deps.log.warn('poll_fenced', { sourceId, gen });
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

const noteDeadline = (memory: PollMemory, sourceId: SourceId, asked: Asked): void => {
	const { answer, tookMs } = asked;
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
	const { asked, heard } = await listenTo(deps, poll, () =>
		askSource(
			connector,
			{
				source,
				cursor: claim.cursor,
				basis: poll.basis?.token ?? null,
				token,
				now: claim.pollStartedAt,
				wantFull: poll.wantFull
			},
			{ sourceId, deadlineMs: memory.deadlineOf(sourceId), signal, log: deps.log }
		)
	);
	if (signal.aborted && asked.answer.state === 'silent') {
		connector.settle(source.key, token, false);
		return { state: 'abandoned' };
	}
	const { tookMs } = asked;
	deps.log.debug('poll_asked', { sourceId, gen: claim.gen, tookMs, bytes: asked.answer.bytes });
	noteDeadline(memory, sourceId, asked);
	const { answer } = asked;
	let report: PollReport;
	if (answer.state === 'silent') {
		connector.settle(source.key, token, false);
		// E15: what could not be read is read in full the next time, and then kept.
		if (answer.reason === 'not_understood') memory.keep(sourceId, null);
		report = await storeSilence(deps, poll, answer);
	} else {
		report = await storeAnswer(deps, memory, poll, answer);
	}
	await deps.raw?.keep(claim, asked, heard);
	return report;
};

const tell = (log: Log, { claim, startedAt }: Poll, report: PollReport): void => {
	const ms = Math.round(performance.now() - startedAt);
	const { sourceId } = claim;
	if (report.state === 'silent') {
		log.warn('poll_silent', { sourceId, reason: report.reason, failures: claim.failures + 1, ms });
	} else if (report.state === 'committed') {
		const { form, changes, suspect } = report;
		const write = changes > 0 || suspect ? log.info : log.debug;
		write('poll_done', { sourceId, form, changes, suspect, ms });
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
			const faultId = logFault(deps.log, 'poll_failed', error, { sourceId });
			const detail = `The hub failed on this answer (fault ${faultId}).`;
			return await storeSilence(deps, poll, {
				reason: 'not_understood',
				detail,
				retryAfterMs: null
			});
		}
	};
};
