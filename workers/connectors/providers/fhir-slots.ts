// Connector for FHIR R4 servers: Slot searches paged to the end, directory beside, booking by plain
// FHIR. A page that fails makes the answer partial; only a whole listing is complete.
import type { Answer, SilentAnswer, SpokenAnswer } from '#domain/answer.ts';
import { toInstant } from '#domain/time.ts';
import type { Connector, PollRequest } from '../connector.ts';
import { readByDifference } from '../difference-reading.ts';
import type { FetchContext, KeptFile } from '../fetch-files.ts';
import { readInFull } from '../full-reading.ts';
import { callerOf, type HttpClient } from '../http-client.ts';
import { shelfOf, type Kept } from '../kept-bodies.ts';
import type { Ledger, Reading } from '../ledger.ts';
import { lineMark } from '../pieces.ts';
import { canNarrow, windowOf, type PollWindow } from '../poll-window.ts';
import { readAsOf } from '../read-as.ts';
import { beginRecall } from '../recall.ts';
import { silentAbout, silentFor, silentOf } from '../silent.ts';
import { createFhirBooking } from './fhir-booking.ts';
import { createFhirCancel } from './fhir-cancel.ts';
import { createFhirSubscriber } from './fhir-subscribe.ts';
import type { AskWritable } from './fhir-session.ts';
import { baseOf, createCalendars, type Calendar } from './fhir-calendar.ts';
import type { KeptSearch, Polling } from './fhir-kept.ts';
import { listWindow } from './fhir-listing.ts';
import { printOfSearch, recallSearch } from './fhir-recall.ts';
import { pollByUpdates } from './fhir-updates.ts';
import {
	entriesOfPages,
	partsOfPages,
	reopenParsed,
	type Page,
	type Searched
} from './fhir-search.ts';
import { sameFacts } from './schedule-facts.ts';
import { uselessness } from './slot-facts.ts';

const zoneCounts = (calendar: Calendar): Record<string, number> => {
	const counts: Record<string, number> = {};
	for (const { zone } of calendar.schedules.values()) {
		counts[zone.from] = (counts[zone.from] ?? 0) + 1;
	}
	return counts;
};

type Read = {
	readonly reading: Reading;
	readonly pages: readonly Page[];
	/** Cutting failed, and was not known to fail before. */
	readonly isNewlyUncuttable: boolean;
};

/** Cutting this server's pages went wrong the last time: they were kept as lines. */
const isUncuttable = (ledger: Ledger | null): boolean =>
	ledger?.parts.some(({ body }) => body.mark === lineMark) === true;

/** Reads the pages, by difference where that is certain, parsed as a whole where cutting failed. */
const readPages = (
	pages: readonly Page[],
	calendar: Calendar,
	poll: {
		readonly request: PollRequest;
		readonly window: PollWindow;
		readonly ledger: Ledger | null;
	}
): Read | null => {
	const how = { reader: calendar.reader, window: poll.window };
	const parts = partsOfPages(isUncuttable(poll.ledger) ? (reopenParsed(pages) ?? pages) : pages);
	const quick = poll.ledger === null ? null : readByDifference(poll.ledger, parts, how);
	const reading = quick ?? readInFull(parts, how);
	if (!reading.isMiscut) return { reading, pages, isNewlyUncuttable: false };
	const parsed = reopenParsed(pages);
	if (parsed === null) return null;
	const whole = readInFull(partsOfPages(parsed), how);
	return { reading: whole, pages: parsed, isNewlyUncuttable: true };
};

type Composed = { readonly answer: SpokenAnswer; readonly keep: (() => KeptSearch) | null };

const compose = (
	request: PollRequest,
	known: KeptSearch | null,
	found: {
		readonly searched: Searched;
		readonly calendar: Calendar;
		readonly read: Read;
		readonly bytes: number;
	}
): Composed => {
	const { searched, calendar, read } = found;
	const { reading, pages } = read;
	const window = windowOf(request);
	const complete = searched.fault === null && !reading.isDoubtful;
	const { facts } = calendar;
	const serverMs = pages[0]?.file.dateMs ?? null;
	const answer: SpokenAnswer = {
		state: complete ? 'complete' : 'partial',
		validAt: toInstant(serverMs ?? request.now),
		window: { from: window.from, to: window.to },
		listing: reading.listing,
		schedules: known !== null && sameFacts(known.facts, facts) ? null : facts,
		unreadSchedules: reading.unread,
		explicitEmpty: false,
		flags: reading.flags,
		refused: reading.refused,
		maxAgeMs: pages[0]?.file.maxAgeMs ?? null,
		cursor: { pages: pages.length, ignored: searched.ignored, zones: zoneCounts(calendar) },
		bytes: found.bytes,
		canNarrow: canNarrow(request, {
			flags: reading.flags,
			isWindowIgnored: reading.isWindowIgnored || searched.ignored.includes('start'),
			pages: pages.length
		}),
		fingerprint: () =>
			complete
				? printOfSearch({ answer, request, beyondAt: reading.beyondAt, calendar, pages })
				: null
	};
	const keep = (): KeptSearch => ({
		files: new Map(pages.map(({ file }) => [file.url, file])),
		ledger: reading.settle(),
		facts,
		readAs: calendar.readAs,
		serverMs,
		updatesSince: 0
	});
	return { answer, keep: complete ? keep : null };
};

/** Lists the window and composes the answer; silent when not even one page came. */
const pollByListing = async (
	polling: Polling,
	spent: number,
	onUncuttable: FhirParts['onUncuttable']
): Promise<Composed | SilentAnswer> => {
	const { request, context, calendars, features, known } = polling;
	const window = windowOf(request);
	const searched = await listWindow(polling, window);
	let bytes = spent + searched.bytes;
	if (searched.pages.length === 0 && searched.fault !== null)
		return silentOf(searched.fault, bytes);
	// After polls by update the kept listing is behind what was committed: read everything. A38: what
	// is missing from a listing that broke off would look like taken.
	const isComparable = known !== null && known.updatesSince === 0 && searched.fault === null;
	const ledger = isComparable ? known.ledger : null;
	const first = await calendars.calendar(context, request, features, {
		isStale: false,
		along: known === null ? entriesOfPages(searched.pages).filter(isDescription) : []
	});
	bytes += first.bytes;
	if (!first.ok) return silentOf(first.fault, bytes);
	let calendar = first.value;
	let read = readPages(searched.pages, calendar, { request, window, ledger });
	if (read !== null && read.reading.flags.orphans > 0) {
		const second = await calendars.calendar(context, request, features, {
			isStale: true,
			along: entriesOfPages(searched.pages).filter(isDescription)
		});
		bytes += second.bytes;
		if (second.ok && second.value !== calendar) {
			calendar = second.value;
			read = readPages(searched.pages, calendar, { request, window, ledger });
		}
	}
	if (read === null) {
		return silentFor('not_understood', 'A page of slots could not be read.', bytes);
	}
	if (read.isNewlyUncuttable) onUncuttable(request.source.key);
	return compose(request, known, { searched, calendar, read, bytes });
};

const isDescription = ({ resource }: { readonly resource: unknown }): boolean =>
	!(typeof resource === 'object' && resource !== null && 'resourceType' in resource) ||
	resource.resourceType !== 'Slot';

const contextOf = (
	parts: FhirParts,
	request: PollRequest,
	known: KeptSearch | null
): FetchContext => ({
	http: parts.http,
	budget: { left: parts.listingBytes },
	caller: callerOf(request.source),
	now: request.now,
	signal: request.signal,
	kept: known?.files ?? new Map<string, KeptFile>()
});

export type FhirParts = {
	readonly http: HttpClient;
	/** Bounds what is remembered between polls. */
	readonly kept: Kept<KeptSearch>;
	/** All pages of one poll together, unpacked. */
	readonly listingBytes: number;
	/** Told when the pages of a source cannot be cut and must be parsed as a whole: slow, not wrong. */
	readonly onUncuttable: (sourceKey: string) => void;
};

/** Creates the connector. */
export const createFhirSlots = (parts: FhirParts): Connector & { clear: () => void } => {
	const { http, kept, listingBytes } = parts;
	const calendars = createCalendars();
	const poll = async (request: PollRequest): Promise<Answer> => {
		const { source, token } = request;
		const basis = request.wantFull ? null : request.basis;
		const shelf = shelfOf(source.key, request.nearMs !== undefined);
		const found = kept.find(shelf, basis);
		const known = found?.readAs === readAsOf(source) ? found : null;
		const asking = contextOf(parts, request, known);
		const recalled = known === null ? await recallSearch(asking, request) : beginRecall();
		if ('state' in recalled) return recalled;
		const context = { ...asking, heard: recalled.heard };
		const features = await calendars.features(context, baseOf(source.url));
		const spent = recalled.bytes + features.bytes;
		if (!features.ok) return silentOf(features.fault, spent);
		const polling = { request, context, calendars, features: features.value, known };
		const composed =
			(await pollByUpdates(polling, spent)) ??
			(await pollByListing(polling, spent, parts.onUncuttable));
		if ('state' in composed) return composed;
		const { answer, keep } = composed;
		const detail = uselessness(answer.flags);
		if (detail !== null) return silentAbout(detail, answer);
		const builds = answer.listing.form === 'full' ? null : basis;
		if (keep !== null) kept.propose(shelf, { token, basis: builds, make: keep });
		return answer;
	};
	const askWritable: AskWritable = async (caller, signal, now) => {
		const budget = { left: listingBytes };
		const context = { http, caller, now, signal, budget, kept: new Map<string, KeptFile>() };
		const features = await calendars.features(context, baseOf(caller.url));
		return features.ok ? features.value.isSlotWritable : null;
	};
	const booking = createFhirBooking(http, askWritable);
	const cancel = createFhirCancel(http, askWritable);
	const subscriber = createFhirSubscriber(http);
	const settle: Connector['settle'] = (sourceKey, token, committed, isNear = false) =>
		kept.settle(shelfOf(sourceKey, isNear), token, committed);
	return { poll, settle, ...booking, cancel, subscriber, clear: calendars.clear };
};
