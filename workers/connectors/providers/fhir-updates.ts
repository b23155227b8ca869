// Polls by `_lastUpdated`: only what changed since the last listing. A search never reports what
// was deleted, so such an answer is partial (it removes nothing) and every few polls the whole
// window is listed again. Used only where a listing takes many pages.
import type { SpokenAnswer } from '#domain/answer.ts';
import { toInstant } from '#domain/time.ts';
import { readInFull } from '../full-reading.ts';
import { windowOf } from '../poll-window.ts';
import { baseOf, type Calendar } from './fhir-calendar.ts';
import type { KeptSearch, Polling } from './fhir-kept.ts';
import { didApply, partsOfPages, searchAll, slotSearch } from './fhir-search.ts';

/** Listings of fewer pages are simply asked for again. */
export const PAGES_WORTH_UPDATES = 20;
/** Polls by update between two whole listings. */
export const UPDATES_IN_A_ROW = 5;
/** A server may stamp a change a little late. */
const OVERLAP_MS = 120_000;

type Usable = { readonly known: KeptSearch; readonly sinceMs: number; readonly calendar: Calendar };

/** Where only free slots are listed, a booked one just vanishes: updates would not tell. */
const usableOf = (polling: Polling): Usable | null => {
	const { request, features, known, calendars, context } = polling;
	if (known === null || known.serverMs === null || !features.hasLastUpdated) return null;
	if (request.source.notes.slotsBy === 'schedule' || calendars.wantsSchedules(context)) return null;
	if (request.nearMs !== undefined) return null;
	const isWorth = known.files.size >= PAGES_WORTH_UPDATES && !known.ledger.isOnlyFree;
	if (!isWorth || known.updatesSince >= UPDATES_IN_A_ROW) return null;
	const window = windowOf(request);
	// Slots that enter the window did not change: only a listing finds them.
	if (window.to !== known.ledger.window.to) return null;
	const calendar = calendars.current(context);
	return calendar === null ? null : { known, sinceMs: known.serverMs - OVERLAP_MS, calendar };
};

export type Updated = { readonly answer: SpokenAnswer; readonly keep: () => KeptSearch };

/** The answer of an update poll; null = list the window instead. */
export const pollByUpdates = async (polling: Polling, spent: number): Promise<Updated | null> => {
	const usable = usableOf(polling);
	if (usable === null) return null;
	const { request, context, calendars } = polling;
	const { known, sinceMs, calendar } = usable;
	const window = windowOf(request);
	const since = `ge${new Date(sinceMs).toISOString()}`;
	const url = slotSearch(baseOf(request.source.url), window, `&_lastUpdated=${since}`);
	const searched = await searchAll({ ...context, kept: new Map() }, url);
	if (searched.fault !== null) return null;
	if (!didApply(searched, '_lastUpdated', since)) {
		calendars.doubtUpdates(context);
		return null;
	}
	if (searched.pages.length >= known.files.size) return null;
	const how = { reader: calendar.reader, window };
	const reading = readInFull(partsOfPages(searched.pages), how);
	const { flags, listing } = reading;
	if (reading.isMiscut || flags.badRecords > 0 || flags.orphans > 0 || listing.form !== 'full') {
		return null;
	}
	const serverMs = searched.pages[0]?.file.dateMs ?? known.serverMs;
	const total = known.ledger.keys.distinct();
	return {
		answer: {
			state: 'partial',
			isUpdate: true,
			validAt: toInstant(serverMs ?? request.now),
			window: { from: window.from, to: window.to },
			listing: { form: 'delta', changed: listing.facts, gone: [], total },
			schedules: null,
			unreadSchedules: [],
			explicitEmpty: false,
			flags: known.ledger.flags,
			refused: known.ledger.refused,
			maxAgeMs: searched.pages[0]?.file.maxAgeMs ?? null,
			cursor: { updatesSince: known.updatesSince + 1 },
			bytes: spent + searched.bytes
		},
		keep: () => ({ ...known, serverMs, updatesSince: known.updatesSince + 1 })
	};
};
