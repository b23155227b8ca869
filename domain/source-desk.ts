// What operators do with sources: try one, add it, pause it, take it away. A try shows what a source
// says before anything of it is published.
import { z } from 'zod';
import type { Answer, AnswerFlags, RefusedRecord, SilentReason } from './answer.ts';
import type { Result } from './result.ts';
import type { ScheduleFact } from './schedule.ts';
import type { SlotStatus } from './slot.ts';
import type { SourceSettings } from './source.ts';
import type { Instant } from './time.ts';
import type { WishProgress } from './wish.ts';

/** Who acts, as the audit names them: `operator:…`. */
export type Operator = `operator:${string}`;

/** So many schedules and slots of a try are shown. */
const SHOWN = 5;

export type TriedSchedule = Pick<
	ScheduleFact,
	'key' | 'practitionerName' | 'organizationName' | 'zone' | 'specialtyIds' | 'regions' | 'kinds'
>;

export type TriedSlot = {
	readonly startsAt: Instant;
	readonly endsAt: Instant;
	readonly status: SlotStatus;
	/** Whose it is; null = the answer does not describe the schedule. */
	readonly practitionerName: string | null;
	readonly zone: string | null;
};

export type TryReport = {
	readonly state: Answer['state'];
	/** Why it was silent, and one plain sentence; null when it spoke. */
	readonly reason: SilentReason | null;
	readonly detail: string | null;
	readonly window: { readonly from: Instant; readonly to: Instant } | null;
	readonly scheduleCount: number;
	/** Schedules that no board would show: without a specialty or a region. */
	readonly unplacedCount: number;
	readonly slotCount: number;
	readonly openCount: number;
	/** The first few, as they were told; of slots the soonest. */
	readonly schedules: readonly TriedSchedule[];
	readonly slots: readonly TriedSlot[];
	readonly flags: AnswerFlags | null;
	readonly refused: readonly RefusedRecord[];
	readonly maxAgeMs: number | null;
	readonly bytes: number;
	readonly tookMs: number;
};

const triedSchedule = (fact: ScheduleFact): TriedSchedule => ({
	key: fact.key,
	practitionerName: fact.practitionerName,
	organizationName: fact.organizationName,
	zone: fact.zone,
	specialtyIds: fact.specialtyIds,
	regions: fact.regions,
	kinds: fact.kinds
});

const nothingRead = {
	window: null,
	scheduleCount: 0,
	unplacedCount: 0,
	slotCount: 0,
	openCount: 0,
	schedules: [],
	slots: [],
	flags: null,
	maxAgeMs: null
};

/** What to show of the answer to a full read. `tookMs`: from the first request to the answer. */
export const reportOf = (answer: Answer, tookMs: number): TryReport => {
	const { state, bytes, refused = [] } = answer;
	if (answer.state === 'silent') {
		const { reason, detail } = answer;
		return { ...nothingRead, state, reason, detail, refused, bytes, tookMs };
	}
	const schedules = answer.schedules ?? [];
	const facts = answer.listing.form === 'full' ? answer.listing.facts : [];
	const byKey = new Map(schedules.map((fact) => [fact.key, fact]));
	const soonest = facts.toSorted((a, b) => a.startsAt - b.startsAt).slice(0, SHOWN);
	return {
		state,
		reason: null,
		detail: null,
		window: answer.window,
		scheduleCount: schedules.length,
		unplacedCount: schedules.filter((s) => s.specialtyIds.length === 0 || s.regions.length === 0)
			.length,
		slotCount: facts.length,
		openCount: facts.filter((fact) => fact.status === 'free' && fact.remaining > 0).length,
		schedules: schedules.slice(0, SHOWN).map(triedSchedule),
		slots: soonest.map(({ scheduleKey, startsAt, endsAt, status }) => ({
			startsAt,
			endsAt,
			status,
			practitionerName: byKey.get(scheduleKey)?.practitionerName ?? null,
			zone: byKey.get(scheduleKey)?.zone ?? null
		})),
		flags: answer.flags,
		refused,
		maxAgeMs: answer.maxAgeMs,
		bytes,
		tookMs
	};
};

/** O29: a try that ended so may be tried again as it is. */
export const mayTryAgain = ({
	report,
	why,
	isSecretGone
}: Pick<SourceDraft, 'report' | 'why' | 'isSecretGone'>): boolean =>
	!isSecretGone && (why !== null || (report !== null && givesNothing(report)));

/** E4: such a source is saved only when the operator insists. */
export const givesNothing = ({ state, slotCount }: TryReport): boolean =>
	state === 'silent' || slotCount === 0;

/** A private key is JSON, and often written over several lines. */
const compactJson = (text: string): string => {
	if (!text.startsWith('{')) return text;
	try {
		return JSON.stringify(JSON.parse(text));
	} catch {
		return text;
	}
};

/** What an operator hands over beside the settings: visible ASCII, as a header carries it. */
export const SourceSecret = z
	.string()
	.trim()
	.max(20_000)
	.transform(compactJson)
	.pipe(
		z
			.string()
			.regex(/^[\x21-\x7e]{1,4000}$/, 'must be 1 to 4,000 letters, digits and signs without spaces')
	);

export const DraftId = z.uuid().brand('DraftId');
export type DraftId = z.infer<typeof DraftId>;

/** Why a source is paused, in the operator's words. */
export const PauseReason = z.string().trim().max(200);

export const draftFailures = [
	/** Every worker that took it up went away meanwhile. */
	'lost',
	/** A fault of ours, in the log. */
	'broken'
] as const;
export type DraftFailure = (typeof draftFailures)[number];

/** A source that is tried, or was tried and waits for a yes; kept for an hour. */
export type SourceDraft = WishProgress & {
	readonly id: DraftId;
	readonly settings: SourceSettings;
	/** A secret is kept with it: until it is saved, or could not be read. */
	readonly hasSecret: boolean;
	/** One was typed and is kept no longer: it would have to be typed again. */
	readonly isSecretGone: boolean;
	/** What it said; null = it was not read (yet). */
	readonly report: TryReport | null;
	/** Why it could not be read, and will not be; null while it may be. */
	readonly why: DraftFailure | null;
};

export type WishedSource = {
	readonly settings: SourceSettings;
	readonly secret: string | null;
};

/** Everything here needs the operator's link; who calls has seen it. */
export type SourceDesk = {
	/** Asks a worker to read the source once, in full. */
	try(by: Operator, wish: WishedSource): Promise<DraftId>;
	/** O29: the same again, under the same id; nothing when it waits already, or needs its secret typed. */
	tryAgain(by: Operator, id: DraftId): Promise<Result<null, 'draft_unknown'>>;
	readDraft(id: DraftId): Promise<Result<SourceDraft, 'draft_unknown'>>;
	/** Polled within seconds, without a restart. `anyway`: also when the try gave nothing. Only what
	 * was read; it is not read again for it. */
	add(
		by: Operator,
		id: DraftId,
		anyway: boolean
	): Promise<
		Result<null, 'draft_unknown' | 'draft_unread' | 'source_exists' | 'source_gives_nothing'>
	>;
	pause(by: Operator, key: string, because: string): Promise<Result<null, 'source_unknown'>>;
	resume(by: Operator, key: string): Promise<Result<null, 'source_unknown'>>;
	/** Its times leave every board at once; booked visits stay and are carried through. */
	remove(by: Operator, key: string): Promise<Result<RemovedSource, 'source_unknown'>>;
	/** What a removal would touch. */
	weigh(key: string): Promise<Result<RemovedSource & { name: string }, 'source_unknown'>>;
};

export type RemovedSource = {
	/** Visits ahead or not settled: each still has to be kept, changed or cancelled at the clinic. */
	readonly visits: number;
	/** Times that somebody held: their holds end. */
	readonly holds: number;
};
