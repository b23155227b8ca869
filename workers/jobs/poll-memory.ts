// What this process remembers of its own polls. Only hints: a new process knows nothing of them
// and polls in full once.
import type { SpokenAnswer } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import type { Moved } from './moved-slots.ts';
import { DEADLINE_MS } from './plan-poll.ts';

export type Basis = {
	/** Generation of the answer that this process committed last. */
	readonly gen: number;
	/** Token under which the connector keeps the body of the last complete one of this kind. */
	readonly token: string;
	/** When the source was last asked for everything, on the monotonic clock. */
	readonly fullAt: number;
	/** Of which slots that answer spoke, and what was changed of them by the other kind of poll since. */
	readonly window: SpokenAnswer['window'];
	readonly moved: Moved;
};

/** Polls of the near days and of the whole window are each told against the last of their kind. */
export type Reach = 'near' | 'whole';

export type Bases = Readonly<Record<Reach, Basis | null>>;

export const noBases: Bases = { near: null, whole: null };

type Remembered = { bases: Bases; deadlineMs: number; marginMs: number };

export type PollMemory = {
	/** The bases of deltas; null where another process committed since, or it is too old. */
	readonly basesOf: (sourceId: SourceId, committedGen: number) => Bases;
	readonly keep: (sourceId: SourceId, bases: Bases) => void;
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

export const createPollMemory = (now: () => number = () => performance.now()): PollMemory => {
	const remembered = new Map<SourceId, Remembered>();
	const of = (sourceId: SourceId): Remembered => {
		const known = remembered.get(sourceId);
		if (known !== undefined) return known;
		const [oldest] = remembered.keys();
		if (remembered.size >= MAX_SOURCES && oldest !== undefined) remembered.delete(oldest);
		const made = { bases: noBases, deadlineMs: DEADLINE_MS, marginMs: COMMIT_MARGIN_MS };
		remembered.set(sourceId, made);
		return made;
	};
	const usable = (basis: Basis | null, committedGen: number): Basis | null => {
		if (basis === null || basis.gen !== committedGen) return null;
		return now() - basis.fullAt < FULL_EVERY_MS ? basis : null;
	};
	return {
		basesOf: (sourceId, committedGen) => {
			const { near, whole } = of(sourceId).bases;
			return { near: usable(near, committedGen), whole: usable(whole, committedGen) };
		},
		keep: (sourceId, bases) => {
			of(sourceId).bases = bases;
		},
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
