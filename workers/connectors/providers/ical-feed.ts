// Connector for calendar feeds: the operator's opening hours, less what the feed keeps busy. Only
// for reading: whoever books does so at the clinic's own page or by telephone.
import type { SlotFact, SlotStatus } from '#domain/slot.ts';
import type { OperatorNotes } from '#domain/source.ts';
import { visitsWithin, type OpeningHours, type Span } from '#domain/opening-hours.ts';
import { MINUTE_MS, toInstant } from '#domain/time.ts';
import { createComputed, type Compute, type ComputedParts, type PlacedRead } from '../computed.ts';
import type { Connector } from '../connector.ts';
import { fetchFile } from '../fetch-files.ts';
import type { Window } from '../ledger.ts';
import { silentFor, silentOf } from '../silent.ts';
import { busyTimeOf, refreshMsOf, type BusyTime } from './ical-busy.ts';
import type { BusySpan } from './ical-events.ts';
import { cutCalendar } from './ical-lines.ts';
import { notedSchedule } from './noted-schedule.ts';

/** A feed is one calendar of one practitioner. */
const SCHEDULE_KEY = 'calendar';
/** A calendar is parsed as a whole; one larger than this is not a practitioner's. */
const MAX_FEED_BYTES = 8 * 1_048_576;
/** Standards digest, 5.1: no faster, whatever the feed says. */
const LEAST_INTERVAL_MS = 5 * MINUTE_MS;

export type FeedNotes = {
	readonly zone: string;
	readonly hours: readonly OpeningHours[];
	readonly slotMinutes: number;
};

/** What must be known to make slots of a calendar; null when the operator left something out. */
export const feedNotesOf = ({ zone, hours, slotMinutes }: OperatorNotes): FeedNotes | null =>
	zone === undefined || hours === undefined || slotMinutes === undefined
		? null
		: { zone, hours, slotMinutes };

const weight: Readonly<Record<SlotStatus, number>> = {
	free: 0,
	'busy-tentative': 1,
	busy: 2,
	'busy-unavailable': 3,
	'entered-in-error': 0
};

/** Each visit with the heaviest thing that lies across it. Both lists are in order of start. */
const statusesOf = (visits: readonly Span[], spans: readonly BusySpan[]): SlotStatus[] => {
	let open: BusySpan[] = [];
	let next = 0;
	return visits.map(({ startsAt, endsAt }) => {
		for (let span = spans[next]; span !== undefined && span.startsAt < endsAt; span = spans[next]) {
			open.push(span);
			next += 1;
		}
		open = open.filter((span) => span.endsAt > startsAt);
		return open.reduce<SlotStatus>(
			(worst, { kind }) => (weight[kind] > weight[worst] ? kind : worst),
			'free'
		);
	});
};

const factOf = (visit: Span, status: SlotStatus, notes: OperatorNotes): SlotFact => ({
	scheduleKey: SCHEDULE_KEY,
	startsAt: visit.startsAt,
	endsAt: visit.endsAt,
	service: '',
	status,
	capacity: 1,
	remaining: status === 'free' ? 1 : 0,
	sourceSlotId: new Date(visit.startsAt).toISOString(),
	version: '',
	kinds: null,
	bookUrl: notes.bookUrl ?? null,
	bookPhone: null
});

/**
 * The slots of a feed and the parts of it that were refused. A52: while any part of it may lie
 * anywhere, no time is called free.
 */
export const readsOfFeed = (
	busy: BusyTime,
	feed: FeedNotes,
	{ notes, window }: { readonly notes: OperatorNotes; readonly window: Window }
): PlacedRead[] => {
	const lengthMs = feed.slotMinutes * MINUTE_MS;
	const visits = visitsWithin(feed.hours, feed.zone, { ...window, lengthMs });
	const isDoubtful = busy.refused.some(({ isAnywhere }) => isAnywhere);
	const reads: PlacedRead[] = busy.refused.map(({ where, reason, isAnywhere }) => ({
		where,
		read: { kind: 'bad', reason, scheduleKey: isAnywhere ? null : SCHEDULE_KEY }
	}));
	const statuses = statusesOf(visits, busy.spans);
	for (const [at, visit] of visits.entries()) {
		const fact = factOf(visit, statuses[at] ?? 'busy', notes);
		if (isDoubtful && fact.status === 'free') continue;
		reads.push({
			where: fact.sourceSlotId,
			read: {
				kind: 'slot',
				fact,
				id: fact.sourceSlotId,
				isOffsetWrong: false,
				isStatusUnknown: false,
				isOrphan: false
			}
		});
	}
	return reads;
};

/** A55: a calendar that suddenly holds nothing is believed when it says so a second time. */
const isSuddenlyEmpty = (cursor: Readonly<Record<string, unknown>>, parts: number): boolean =>
	parts === 0 && typeof cursor['parts'] === 'number' && cursor['parts'] > 0;

const compute: Compute = async (request, context, window) => {
	const { source, cursor, now } = request;
	const feed = feedNotesOf(source.notes);
	if (feed === null) {
		return silentFor('misconfigured', 'A calendar needs a zone, opening hours and a length.', 0);
	}
	context.budget.left = Math.min(context.budget.left, MAX_FEED_BYTES);
	const fetched = await fetchFile(context, source.url, 'text/calendar');
	if (!fetched.ok) return silentOf(fetched, fetched.bytes);
	const { file, bytes } = fetched;
	const text = cutCalendar(file.body);
	if (!text.isWhole) return silentFor('not_understood', 'The calendar was cut off.', bytes);
	const busy = busyTimeOf(text, feed.zone, window);
	const isEmptied = isSuddenlyEmpty(cursor, busy.parts);
	const reads = readsOfFeed(busy, feed, { notes: source.notes, window });
	return {
		reads: isEmptied ? [] : reads,
		schedules: [notedSchedule(source, { key: SCHEDULE_KEY })],
		isWhole: !isEmptied,
		listsOnlyFree: false,
		// One odd event among few busy hours is worth telling the operator about.
		isJudged: false,
		files: [file],
		validAt: toInstant(file.dateMs ?? now),
		maxAgeMs: Math.max(LEAST_INTERVAL_MS, file.maxAgeMs ?? 0, refreshMsOf(text.properties) ?? 0),
		cursor: { parts: busy.parts },
		bytes
	};
};

/** Creates the connector. */
export const createIcalFeed = (parts: ComputedParts): Connector => ({
	...createComputed(parts, compute),
	book: null,
	findBooking: null
});
