// An answer that was kept, read again by the reader as it is today: what an operator sees of it, and
// what it would change, before anything is changed.
import { z } from 'zod';
import type { Answer } from './answer.ts';
import type { Result } from './result.ts';
import type { SlotChange } from './slot-diff.ts';
import type { SlotStatus } from './slot.ts';
import { reportOf, type Operator, type TryReport } from './source-desk.ts';
import type { Instant } from './time.ts';
import type { WishProgress } from './wish.ts';

export const RereadId = z.uuid().brand('RereadId');
export type RereadId = z.infer<typeof RereadId>;

/** An answer as it is kept. */
export type KeptAnswer = {
	/** Generation of the poll that heard it: its name within the source. */
	readonly gen: number;
	readonly askedAt: Instant;
	/** What was made of it then: complete, partial, or why it was silent. */
	readonly outcome: string;
	readonly bytes: number;
};

export const rereadFailures = [
	/** It is kept no longer. */
	'gone',
	/** It cannot be opened or read: a fault of ours, in the log. */
	'broken',
	/** The source is paused, is polled right now, or has said more since: nothing was changed. */
	'not_now',
	/** It says nothing that could be applied. */
	'silent',
	/** The worker went away while it was being applied: it may have been. */
	'unsure'
] as const;
export type RereadFailure = (typeof rereadFailures)[number];

export type RereadStage = 'reading' | 'read' | 'applying' | 'applied' | 'failed';

export type RereadChange = {
	readonly kind: SlotChange['kind'];
	readonly startsAt: Instant;
	/** null = the answer does not describe the schedule. */
	readonly practitionerName: string | null;
	readonly zone: string | null;
	/** As the store has it; null = not at all. */
	readonly was: SlotStatus | null;
	readonly now: SlotStatus | null;
};

export type RereadFound = {
	readonly report: TryReport;
	readonly added: number;
	readonly changed: number;
	readonly removed: number;
	/** The soonest few of these. */
	readonly examples: readonly RereadChange[];
	/** It loses so much at once that it must be seen twice: applied now, it removes nothing. */
	readonly isSuspect: boolean;
};

export type Reread = WishProgress & {
	readonly id: RereadId;
	readonly name: string;
	readonly answer: KeptAnswer | null;
	readonly stage: RereadStage;
	readonly why: RereadFailure | null;
	readonly found: RereadFound | null;
	/** Slots that were changed, once it was applied. */
	readonly changes: number | null;
	/** No newer answer of the source was committed: it may be applied. */
	readonly isNewest: boolean;
};

/** The part of the operator's desk that is about kept answers. Who calls has seen the link. */
export type RereadDesk = {
	/** The answers that are kept of a source, the newest first. */
	kept(
		key: string
	): Promise<Result<{ name: string; answers: readonly KeptAnswer[] }, 'source_unknown'>>;
	/** Asks a worker to read one of them again. `answer_gone`: it is kept no longer. */
	reread(
		by: Operator,
		key: string,
		gen: number
	): Promise<Result<RereadId, 'source_unknown' | 'answer_gone'>>;
	/** How far it is; null = there is none, or it is older than an hour. */
	readReread(key: string, id: RereadId): Promise<Reread | null>;
	/** Asks a worker to apply what was read, like a poll. Only once, and only what was read. */
	applyReread(by: Operator, key: string, id: RereadId): Promise<void>;
};

/** So many changes are shown. */
const SHOWN = 10;

const factOf = (change: SlotChange) => (change.kind === 'removed' ? change.was : change.fact);

/** What to show of an answer that was read again. `tookMs`: from the first to the last step. */
export const foundOf = (
	read: {
		readonly answer: Answer;
		readonly changes: readonly SlotChange[];
		readonly isSuspect: boolean;
	},
	tookMs: number
): RereadFound => {
	const { answer, changes, isSuspect } = read;
	const count = (kind: SlotChange['kind']): number =>
		changes.filter((change) => change.kind === kind).length;
	const schedules = answer.state === 'silent' ? [] : (answer.schedules ?? []);
	const byKey = new Map(schedules.map((fact) => [fact.key, fact]));
	const examples = changes
		.toSorted((a, b) => factOf(a).startsAt - factOf(b).startsAt)
		.slice(0, SHOWN)
		.map((change): RereadChange => {
			const { startsAt, scheduleKey } = factOf(change);
			const schedule = byKey.get(scheduleKey);
			return {
				kind: change.kind,
				startsAt,
				practitionerName: schedule?.practitionerName ?? null,
				zone: schedule?.zone ?? null,
				was: change.kind === 'added' ? null : change.was.status,
				now: change.kind === 'removed' ? null : change.fact.status
			};
		});
	return {
		report: reportOf(answer, tookMs),
		added: count('added'),
		changed: count('changed'),
		removed: count('removed'),
		examples,
		isSuspect
	};
};
