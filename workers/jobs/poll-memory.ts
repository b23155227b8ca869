// What this process remembers of its own polls. Only hints: a new process knows nothing of them
// and reads in full once what changed meanwhile.
import type { Reach, SpokenAnswer } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS, type Instant } from '#domain/time.ts';
import type { PollClaim } from '#server/store/sources.ts';
import type { Moved } from './moved-slots.ts';
import { DEADLINE_MS } from './plan-poll.ts';

export type Basis = {
	/** Generation of the answer that this process committed last. */
	readonly gen: number;
	/** Token under which the connector keeps the body of the last complete one of this kind. */
	readonly token: string;
	/** Of the fingerprint that the store keeps of the same answer; null = it keeps none. */
	readonly printed: string | null;
	/** When the source was last asked for everything. */
	readonly fullAt: Instant;
	/** Of which slots that answer spoke, and what was changed of them by the other kind of poll since. */
	readonly window: SpokenAnswer['window'];
	readonly moved: Moved;
};

export type Bases = Readonly<Record<Reach, Basis | null>>;

export const noBases: Bases = { near: null, whole: null };

type Remembered = { bases: Bases; isDoubted: boolean; deadlineMs: number; marginMs: number };

export type PollMemory = {
	/** The bases of deltas; null where another process committed changes since, or it is too old. */
	readonly basesOf: (claim: PollClaim) => Bases;
	readonly keep: (sourceId: SourceId, bases: Bases) => void;
	/** E15: the last answer could not be read, so that the next one is read in full, and kept. */
	readonly doubt: (sourceId: SourceId) => void;
	readonly isDoubted: (sourceId: SourceId) => boolean;
	readonly deadlineOf: (sourceId: SourceId) => number;
	readonly setDeadline: (sourceId: SourceId, deadlineMs: number) => void;
	/** How long a claim must last: the deadline and time to compare and commit. */
	readonly leaseOf: (sourceId: SourceId) => number;
	/** A poll was overtaken, so its claim was too short: the next ones last longer. */
	readonly lengthenLease: (sourceId: SourceId) => void;
};

/** Short, because a killed worker's claim holds its source up; longer for slow commits. */
const COMMIT_MARGIN_MS = 10 * SECOND_MS;
const LONGEST_MARGIN_MS = 2 * MINUTE_MS;

const MAX_SOURCES = 20_000;
/** So often everything is read anew, whatever the connector believes to be unchanged. */
export const FULL_EVERY_MS = HOUR_MS;

/** W13, W43: the store still shows what that poll read, and it did so not too long ago. */
const isUsable = (reach: Reach, basis: Basis, claim: PollClaim): boolean => {
	const { committedGen, fingerprints, pollStartedAt } = claim;
	const isPrinted = basis.printed !== null && fingerprints[reach]?.token === basis.printed;
	return (basis.gen === committedGen || isPrinted) && pollStartedAt - basis.fullAt < FULL_EVERY_MS;
};

export const createPollMemory = (): PollMemory => {
	const remembered = new Map<SourceId, Remembered>();
	const of = (sourceId: SourceId): Remembered => {
		const known = remembered.get(sourceId);
		if (known !== undefined) return known;
		const [oldest] = remembered.keys();
		if (remembered.size >= MAX_SOURCES && oldest !== undefined) remembered.delete(oldest);
		const made = {
			bases: noBases,
			isDoubted: false,
			deadlineMs: DEADLINE_MS,
			marginMs: COMMIT_MARGIN_MS
		};
		remembered.set(sourceId, made);
		return made;
	};
	return {
		basesOf: (claim) => {
			const usable = (reach: Reach): Basis | null => {
				const basis = of(claim.sourceId).bases[reach];
				return basis !== null && isUsable(reach, basis, claim) ? basis : null;
			};
			return { near: usable('near'), whole: usable('whole') };
		},
		keep: (sourceId, bases) => Object.assign(of(sourceId), { bases, isDoubted: false }),
		doubt: (sourceId) => Object.assign(of(sourceId), { bases: noBases, isDoubted: true }),
		isDoubted: (sourceId) => of(sourceId).isDoubted,
		deadlineOf: (sourceId) => of(sourceId).deadlineMs,
		setDeadline: (sourceId, deadlineMs) => {
			of(sourceId).deadlineMs = deadlineMs;
		},
		leaseOf: (sourceId) => of(sourceId).deadlineMs + of(sourceId).marginMs,
		lengthenLease: (sourceId) => {
			const source = of(sourceId);
			source.marginMs = Math.min(2 * source.marginMs, LONGEST_MARGIN_MS);
		}
	};
};
