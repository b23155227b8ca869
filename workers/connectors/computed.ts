// Polling for connectors whose slots are worked out from an answer rather than listed in it record
// by record: what such a poll found becomes an Answer, told by difference from the last committed.
import type { Answer, Listing, SpokenAnswer } from '#domain/answer.ts';
import { sameFact, type SlotFact, type SlotKey } from '#domain/slot.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import type { Instant } from '#domain/time.ts';
import type { SilentAnswer } from '#domain/answer.ts';
import type { Connector, PollRequest, SecretOf } from './connector.ts';
import type { FetchContext, KeptFile } from './fetch-files.ts';
import { callerOf, type HttpClient } from './http-client.ts';
import { shelfOf, type Kept } from './kept-bodies.ts';
import { MAX_RECORDS, type SlotRead, type Window } from './ledger.ts';
import { canNarrow, windowOf, type PollWindow } from './poll-window.ts';
import { sameFacts } from './providers/schedule-facts.ts';
import { uselessness } from './providers/slot-facts.ts';
import { readAsOf } from './read-as.ts';
import { silentAbout } from './silent.ts';
import { createTally, noteBad, noteSlot, type Tally } from './tally.ts';

/** A record and where it stood, for the operator. */
export type PlacedRead = { readonly where: string; readonly read: SlotRead };

/** What a poll found. */
export type Computed = {
	readonly reads: Iterable<PlacedRead>;
	readonly schedules: readonly ScheduleFact[];
	/** Everything that was asked for came: what is not listed is gone. */
	readonly isWhole: boolean;
	/** Schedules whose slots this poll does not fully know, besides those with broken records. */
	readonly unread?: readonly string[];
	/** Only free slots are ever listed: one that is no longer listed was taken. */
	readonly listsOnlyFree: boolean;
	/** The source was asked for the window alone, and could be asked for less. */
	readonly takesWindow?: boolean;
	/** Refused records are slots that we miss: when most are refused, the answer is of no use. */
	readonly isJudged: boolean;
	/** Answers that may be asked for conditionally the next time. */
	readonly files: readonly KeptFile[];
	readonly validAt: Instant;
	readonly maxAgeMs: number | null;
	readonly cursor: Readonly<Record<string, unknown>>;
	readonly bytes: number;
};

/** What is kept of the last committed poll. */
export type KeptComputed = {
	readonly files: ReadonlyMap<string, KeptFile>;
	readonly facts: ReadonlyMap<SlotKey, SlotFact>;
	readonly schedules: readonly ScheduleFact[];
	readonly readAs: string;
};

/** A SlotFact with its key, measured with `process.memoryUsage` over 100,000 of them. */
const BYTES_OF_A_FACT = 500;

export const computedBytes = (kept: KeptComputed): number => {
	let bytes = kept.facts.size * BYTES_OF_A_FACT;
	for (const file of kept.files.values()) bytes += file.body.byteLength;
	return bytes;
};

const tallyOf = (reads: Iterable<PlacedRead>, window: Window): Tally => {
	const tally = createTally();
	for (const { where, read } of reads) {
		if (tally.sums.records >= MAX_RECORDS) {
			tally.isDoubtful = true;
			break;
		}
		if (read.kind === 'other') continue;
		tally.sums.records += 1;
		if (read.kind === 'bad') noteBad(tally, where, read.reason, read.scheduleKey);
		else noteSlot(tally, read, window);
	}
	return tally;
};

/** N3: a list that loses more than this share at once is not believed to have been taken. */
const TAKEN_SHARE = 0.25;

/** What differs from the facts of the last committed poll. */
const listingAfter = (
	known: ReadonlyMap<SlotKey, SlotFact>,
	facts: ReadonlyMap<SlotKey, SlotFact>,
	{ window, listsOnlyFree }: { window: Window; listsOnlyFree: boolean }
): Listing => {
	const changed: SlotFact[] = [];
	for (const [key, fact] of facts) {
		const was = known.get(key);
		if (was === undefined || !sameFact(was, fact)) changed.push(fact);
	}
	const left: [SlotKey, SlotFact][] = [];
	for (const [key, fact] of known) {
		if (fact.startsAt >= window.from && !facts.has(key)) left.push([key, fact]);
	}
	if (changed.length === 0 && left.length === 0) return { form: 'unchanged' };
	const total = facts.size;
	if (!listsOnlyFree || left.length > known.size * TAKEN_SHARE) {
		return { form: 'delta', changed, gone: left.map(([key]) => key), total };
	}
	const taken = left.map(([, fact]): SlotFact => ({ ...fact, status: 'busy', remaining: 0 }));
	return { form: 'delta', changed: [...changed, ...taken], gone: [], total };
};

type Made = { readonly answer: SpokenAnswer; readonly keep: (() => KeptComputed) | null };

const answerOf = (found: Computed, request: PollRequest, kept: KeptComputed | null): Made => {
	const window = windowOf(request);
	const tally = tallyOf(found.reads, window);
	const { facts } = tally;
	const complete = found.isWhole && !tally.isDoubtful;
	const unread = [...new Set([...tally.unread, ...(found.unread ?? [])])];
	// D5: where something was not read, "no longer listed" means nothing.
	const isComparable = kept !== null && complete && unread.length === 0;
	const listing: Listing = isComparable
		? listingAfter(kept.facts, facts, { window, listsOnlyFree: found.listsOnlyFree })
		: { form: 'full', facts: [...facts.values()] };
	const isSame = kept !== null && sameFacts(kept.schedules, found.schedules);
	const answer: SpokenAnswer = {
		state: complete ? 'complete' : 'partial',
		validAt: found.validAt,
		window: { from: window.from, to: window.to },
		listing,
		schedules: isSame ? null : found.schedules,
		unreadSchedules: unread,
		explicitEmpty: false,
		flags: tally.sums,
		refused: tally.refused,
		maxAgeMs: found.maxAgeMs,
		cursor: found.cursor,
		bytes: found.bytes,
		canNarrow:
			found.takesWindow === true &&
			canNarrow(request, { flags: tally.sums, isWindowIgnored: tally.isWindowIgnored, pages: 1 })
	};
	const keep = (): KeptComputed => ({
		files: new Map(found.files.map((file) => [file.url, file])),
		facts,
		schedules: found.schedules,
		readAs: readAsOf(request.source)
	});
	return { answer, keep: complete && unread.length === 0 ? keep : null };
};

export type ComputedParts = {
	readonly http: HttpClient;
	readonly kept: Kept<KeptComputed>;
	/** All answers of one poll together, unpacked. */
	readonly listingBytes: number;
	readonly secretOf: SecretOf;
};

export type Compute = (
	request: PollRequest,
	context: FetchContext,
	window: PollWindow
) => Promise<Computed | SilentAnswer>;

/** The reading half of a connector whose poll is `compute`. */
export const createComputed = (
	{ http, kept, listingBytes }: ComputedParts,
	compute: Compute
): Pick<Connector, 'poll' | 'settle'> => ({
	poll: async (request): Promise<Answer> => {
		const { source, token, now, signal } = request;
		const shelf = shelfOf(source.key, request.nearMs !== undefined);
		const found = kept.find(shelf, request.wantFull ? null : request.basis);
		const known = found?.readAs === readAsOf(source) ? found : null;
		const context: FetchContext = {
			http,
			budget: { left: listingBytes },
			caller: callerOf(source),
			now,
			signal,
			kept: known?.files ?? new Map<string, KeptFile>()
		};
		const computed = await compute(request, context, windowOf(request));
		if ('state' in computed) return computed;
		const { answer, keep } = answerOf(computed, request, known);
		const useless = computed.isJudged ? uselessness(answer.flags) : null;
		if (useless !== null) return silentAbout(useless, answer);
		if (keep !== null) kept.propose(shelf, { token, basis: null, make: keep });
		return answer;
	},
	settle: (sourceKey, token, committed, isNear = false) =>
		kept.settle(shelfOf(sourceKey, isNear), token, committed)
});
