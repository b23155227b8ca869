// How a poll begins and what it leaves behind: whether it asks for the near days or for the whole
// window, against which earlier answer it may be told, and what the next ones may be told against.
import type { SpokenAnswer } from '#domain/answer.ts';
import { mayAskNear, NEAR_MS } from '#domain/polling/near.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import type { PollCommit } from '#server/store/commit-poll.ts';
import type { PollClaim, Suspect } from '#server/store/sources.ts';
import type { PollRequest } from '../connectors/connector.ts';
import { noneMoved, noteMoved } from './moved-slots.ts';
import { noBases, type Bases, type Basis, type PollMemory, type Reach } from './poll-memory.ts';

export type Poll = {
	readonly claim: PollClaim;
	readonly reach: Reach;
	/** As they were when it began; what it may be told against is that of its own reach. */
	readonly bases: Bases;
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

export const beginPoll = (claim: PollClaim, memory: PollMemory): Poll => {
	const isDoubtful = claim.suspect !== null || claim.isPushed;
	const bases = isDoubtful ? noBases : memory.basesOf(claim.sourceId, claim.committedGen);
	const reach = !isDoubtful && isNearEnough(claim) ? 'near' : 'whole';
	return {
		claim,
		reach,
		bases,
		token: tokenOf(claim),
		wantFull: reach === 'whole' && bases.whole === null,
		startedAt: performance.now()
	};
};

export const requestOf = (poll: Poll): Omit<PollRequest, 'signal'> => {
	const { claim, reach, bases, token, wantFull } = poll;
	return {
		source: claim.source,
		cursor: claim.cursor,
		basis: bases[reach]?.token ?? null,
		token,
		now: claim.pollStartedAt,
		wantFull,
		...(reach === 'near' && { nearMs: NEAR_MS })
	};
};

/**
 * Only an answer that the store now mirrors in full may be the basis of a delta: what a partial,
 * suspect or partly kept-out answer left in the store would never be told again.
 */
export const isMirrored = (
	answer: SpokenAnswer,
	commit: PollCommit,
	suspect: Suspect | null
): boolean =>
	(answer.state === 'complete' || answer.isUpdate === true) &&
	answer.unreadSchedules.length === 0 &&
	suspect === null &&
	commit.kept === 0;

const basisAfter = (poll: Poll, answer: SpokenAnswer): Basis => {
	const basis = poll.bases[poll.reach];
	const isFull = basis === null || answer.listing.form === 'full';
	return {
		gen: poll.claim.gen,
		token: poll.token,
		fullAt: isFull ? poll.startedAt : basis.fullAt,
		window: answer.window,
		moved: noneMoved
	};
};

/** W41: what the other kind of poll was last told, with what this one changed of it. */
const otherAfter = (
	poll: Poll,
	{ listing }: SpokenAnswer,
	{ changes, commit }: { readonly changes: readonly SlotChange[]; readonly commit: PollCommit }
): Basis | null => {
	const other = poll.bases[poll.reach === 'near' ? 'whole' : 'near'];
	// A listing whose schedules are as before would not tell them again.
	if (other === null || commit.rewritten > 0) return null;
	const isFull = listing.form === 'full';
	const moved = noteMoved(other.moved, changes, { window: other.window, isFull });
	return moved === null ? null : { ...other, gen: poll.claim.gen, moved };
};

/** What the next polls may be told against, once this one was committed. `answer`: as it was heard. */
export const basesAfter = (
	poll: Poll,
	answer: SpokenAnswer,
	done: {
		readonly changes: readonly SlotChange[];
		readonly commit: PollCommit;
		readonly isMirrored: boolean;
	}
): Bases => {
	const own = done.isMirrored ? basisAfter(poll, answer) : null;
	const other = otherAfter(poll, answer, done);
	return poll.reach === 'near' ? { near: own, whole: other } : { near: other, whole: own };
};
