// Lists the Slots of a window: by one search, or, where a server wants to be told whose Slots (some
// refuse a search without a schedule, FHIR R4 servers without chaining), schedule by schedule.
import type { PollWindow } from '../poll-window.ts';
import { baseOf } from './fhir-calendar.ts';
import type { Polling } from './fhir-kept.ts';
import { searchAll, slotSearch, type Searched } from './fhir-search.ts';

/** Schedules in one search: keeps its address well below 2,000 characters. */
const SCHEDULES_AT_ONCE = 20;

const nothing: Searched = { pages: [], fault: null, bytes: 0, applied: null, ignored: [] };

const joined = (before: Searched, found: Searched): Searched => ({
	pages: [...before.pages, ...found.pages],
	fault: found.fault,
	bytes: before.bytes + found.bytes,
	applied: before.applied ?? found.applied,
	ignored: [...new Set([...before.ignored, ...found.ignored])]
});

const batchesOf = (keys: readonly string[]): string[] => {
	const references = keys.map((key) => `Schedule/${encodeURIComponent(key)}`);
	const batches: string[] = [];
	for (let at = 0; at < references.length; at += SCHEDULES_AT_ONCE) {
		batches.push(references.slice(at, at + SCHEDULES_AT_ONCE).join(','));
	}
	return batches;
};

/** A batch that fails ends the listing: what came is told, nothing is taken away. */
const listBySchedules = async (polling: Polling, window: PollWindow): Promise<Searched> => {
	const { request, context, calendars, features } = polling;
	const hint = { isStale: false, along: [] };
	const had = await calendars.calendar(context, request, features, hint);
	if (!had.ok) return { ...nothing, fault: had.fault, bytes: had.bytes };
	let all: Searched = { ...nothing, bytes: had.bytes };
	for (const batch of batchesOf([...had.value.schedules.keys()].toSorted())) {
		const url = slotSearch(baseOf(request.source.url), window, `&schedule=${batch}`);
		all = joined(all, await searchAll(context, url));
		if (all.fault !== null) break;
	}
	return all;
};

/** Bad Request, Unprocessable: what a search without a schedule gets from servers that want one. */
const isScopeWanted = ({ pages, fault }: Searched): boolean =>
	pages.length === 0 && (fault?.status === 400 || fault?.status === 422);

/** A105: the Slots of the window, whichever way the server takes. */
export const listWindow = async (polling: Polling, window: PollWindow): Promise<Searched> => {
	const { request, context, calendars } = polling;
	const { url, notes } = request.source;
	if (notes.slotsBy === 'schedule' || calendars.wantsSchedules(context)) {
		return await listBySchedules(polling, window);
	}
	const searched = await searchAll(context, slotSearch(baseOf(url), window));
	if (!isScopeWanted(searched)) return searched;
	const again = await listBySchedules(polling, window);
	// Refused either way: what the server said first is the better word.
	if (again.pages.length === 0) return searched;
	calendars.noteWantsSchedules(context);
	return again;
};
