// How a poll begins and what it leaves behind: whether it asks for the near days or for the whole
// window, against which earlier answer it may be told, and what the next ones may be told against.
import type { Reach, SpokenAnswer } from '#domain/answer.ts';
import { mayAskNear, NEAR_MS } from '#domain/polling/near.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import type { Instant } from '#domain/time.ts';
import type { PolledCommit } from '#server/store/commit-poll.ts';
import type { KeptFingerprint } from '#server/store/fingerprints.ts';
import type { PollClaim } from '#server/store/sources.ts';
import type { PollRequest } from '../connectors/connector.ts';
import { noneMoved, noteMoved } from './moved-slots.ts';
import { FULL_EVERY_MS, noBases, type Bases, type Basis, type PollMemory } from './poll-memory.ts';

export type Poll = {
	readonly claim: PollClaim;
	readonly reach: Reach;
	/** As they were when it began; what it may be told against is that of its own reach. */
	readonly bases: Bases;
	/** By what the source may be seen to say what it said, without the answer itself. */
	readonly fingerprint: KeptFingerprint | null;
	readonly token: string;
	readonly wantFull: boolean;
	readonly startedAt: number;
};

const tokenOf = (claim: PollClaim): string => `${claim.source.key}-${claim.gen}`;

/** Q40, W42. */
const isNearEnough = ({ near, source, failures, pollStartedAt }: PollClaim): boolean =>
	near !== null &&
	failures === 0 &&
	mayAskNear({
		farAgeMs: pollStartedAt - near.farAt,
		nearCount: near.count,
		intervalMs: Math.max(source.minIntervalMs, pollStartedAt - near.lastGoodAt),
		freshForMs: source.freshForMs,
		windowMs: source.windowMs
	});

/** W44: so often everything is read anew, whoever reads it. */
const believed = (
	kept: KeptFingerprint | null,
	{ pollStartedAt }: PollClaim
): KeptFingerprint | null =>
	kept !== null && pollStartedAt - kept.fullAt < FULL_EVERY_MS ? kept : null;

export const beginPoll = (claim: PollClaim, memory: PollMemory): Poll => {
	const isDoubtful = claim.suspect !== null || claim.isPushed;
	const bases = isDoubtful ? noBases : memory.basesOf(claim);
	const reach = !isDoubtful && isNearEnough(claim) ? 'near' : 'whole';
	const isUnknown = isDoubtful || memory.isDoubted(claim.sourceId);
	const fingerprint = isUnknown ? null : believed(claim.fingerprints[reach], claim);
	return {
		claim,
		reach,
		bases,
		fingerprint,
		token: tokenOf(claim),
		wantFull: reach === 'whole' && bases.whole === null && fingerprint === null,
		startedAt: performance.now()
	};
};

export const requestOf = (poll: Poll): Omit<PollRequest, 'signal'> => {
	const { claim, reach, bases, fingerprint, token, wantFull } = poll;
	return {
		source: claim.source,
		cursor: claim.cursor,
		basis: bases[reach]?.token ?? null,
		fingerprint: fingerprint?.made ?? null,
		token,
		now: claim.pollStartedAt,
		wantFull,
		...(reach === 'near' && { nearMs: NEAR_MS })
	};
};

/** When what this answer says was last read in full. */
export const fullAtOf = (
	{ claim, reach, bases, fingerprint }: Poll,
	answer: SpokenAnswer
): Instant =>
	answer.listing.form === 'full'
		? claim.pollStartedAt
		: (bases[reach]?.fullAt ?? fingerprint?.fullAt ?? claim.pollStartedAt);

/**
 * Only an answer that the store now mirrors in full may be the basis of a delta. Where nothing had to be
 * read, nothing is kept that could be one.
 */
const basisAfter = (poll: Poll, answer: SpokenAnswer, done: PolledCommit): Basis | null => {
	const isRecalled = poll.bases[poll.reach] === null && answer.listing.form === 'unchanged';
	if (!done.isMirrored || isRecalled) return null;
	return {
		gen: poll.claim.gen,
		token: poll.token,
		printed: done.fingerprints[poll.reach]?.token ?? null,
		fullAt: fullAtOf(poll, answer),
		window: answer.window,
		moved: noneMoved
	};
};

type Done = { readonly changes: readonly SlotChange[]; readonly commit: PolledCommit };

/** W41: what the other kind of poll was last told, with what this one changed of it. */
const otherAfter = (
	poll: Poll,
	{ listing }: SpokenAnswer,
	{ changes, commit }: Done
): Basis | null => {
	const reach = poll.reach === 'near' ? 'whole' : 'near';
	const other = poll.bases[reach];
	// A listing whose schedules are as before would not tell them again.
	if (other === null || commit.rewritten > 0) return null;
	const isFull = listing.form === 'full';
	const moved = noteMoved(other.moved, changes, { window: other.window, isFull });
	const printed = commit.fingerprints[reach]?.token ?? null;
	return moved === null ? null : { ...other, gen: poll.claim.gen, printed, moved };
};

/** What the next polls may be told against, once this one was committed. `answer`: as it was heard. */
export const basesAfter = (poll: Poll, answer: SpokenAnswer, done: Done): Bases => {
	const own = basisAfter(poll, answer, done.commit);
	const other = otherAfter(poll, answer, done);
	return poll.reach === 'near' ? { near: own, whole: other } : { near: other, whole: own };
};
