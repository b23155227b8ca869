// Reads a kept answer of a source again, by the reader as it is today: what it would change, and, if
// wished, that committed like any poll. The source is not asked.
import type { Answer, SpokenAnswer } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import { MINUTE_MS } from '#domain/time.ts';
import { commitPoll } from '#server/store/commit-poll.ts';
import { noFingerprints } from '#server/store/fingerprints.ts';
import { listRawAnswers, type RawAnswer } from '#server/store/raw-answers.ts';
import { claimReplay, readSource, type PollClaim } from '#server/store/sources.ts';
import { askOnce } from '../connectors/ask-once.ts';
import { noSignIn } from '../connectors/sign-in.ts';
import { playTape } from '../connectors/tape.ts';
import { compareAnswer } from './compare-answer.ts';
import { readRawExchanges, type RawDeps } from './raw-keeper.ts';

/** Sent nowhere: a mapping that wants a secret must only see that there is one. */
const NO_SECRET = 'replayed';
const LEASE_MS = MINUTE_MS;

export type Reread = {
	readonly raw: RawAnswer;
	readonly answer: Answer;
	/** What it would change in the store now; empty when it is silent. */
	readonly changes: readonly SlotChange[];
	/** Slots it lists that would be lost more than is believed at once. */
	readonly isSuspect: boolean;
};

/** A claim that claims nothing: for comparing only. */
const asIfClaimed = (
	raw: RawAnswer,
	source: PollClaim['source'],
	committedGen: number
): PollClaim => ({
	sourceId: raw.sourceId,
	source,
	gen: raw.gen,
	committedGen,
	cursor: {},
	suspect: null,
	pollStartedAt: raw.askedAt,
	failures: 0,
	isPushed: false,
	near: null,
	fingerprints: noFingerprints
});

/** The newest kept answer that is `wanted`. Throws SecretUnreadable when it cannot be opened. */
export const rereadAnswer = async (
	deps: RawDeps,
	sourceId: SourceId,
	wanted: (raw: RawAnswer) => boolean
): Promise<Result<Reread, 'nothing_kept'>> => {
	const raw = (await listRawAnswers(deps.sql, sourceId)).find(wanted);
	const exchanges = raw === undefined ? null : await readRawExchanges(deps, raw);
	const stored = await readSource(deps.sql, sourceId);
	if (raw === undefined || exchanges === null || stored === null) return refuse('nothing_kept');
	const { settings, committedGen } = stored;
	const answer = await askOnce(
		{ allowPrivate: true, tape: playTape(exchanges), signIn: noSignIn },
		{ settings, secret: NO_SECRET, nowMs: raw.askedAt }
	);
	if (answer.state === 'silent') return ok({ raw, answer, changes: [], isSuspect: false });
	const claim = asIfClaimed(raw, settings, committedGen);
	const { changes, suspect } = await compareAnswer(deps.sql, claim, answer);
	return ok({ raw, answer, changes, isSuspect: suspect !== null });
};

/**
 * E17: commits what was read again, through the fence of every poll. It is as old as it is: the
 * source does not become fresh by it, and what changed here since stays. `not_now` = paused, polled
 * at this moment, or a newer answer was committed. Publish nothing: hubs follow Postgres.
 */
export const commitReread = async (
	{ sql }: Pick<RawDeps, 'sql'>,
	{ raw, answer }: { readonly raw: RawAnswer; readonly answer: SpokenAnswer }
): Promise<Result<{ readonly changes: number; readonly isSuspect: boolean }, 'not_now'>> => {
	const { sourceId, gen: heardGen, askedAt } = raw;
	const claim = await claimReplay(sql, { sourceId, heardGen, askedAt }, LEASE_MS);
	if (claim === null) return refuse('not_now');
	const { changes, suspect } = await compareAnswer(sql, claim, answer);
	const nextPollInMs = claim.source.minIntervalMs;
	const outcome = { claim, answer, changes, nextPollInMs, suspect, heardAt: askedAt };
	const done = await commitPoll(sql, outcome);
	if (!done.ok) return refuse('not_now');
	return ok({ changes: changes.length, isSuspect: suspect !== null });
};
