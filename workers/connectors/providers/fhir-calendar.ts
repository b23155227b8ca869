// What this process knows of a FHIR server between polls besides its slots: its features (a day)
// and its directory (an hour). Lost with the process, and then simply read again.
import type { PollRequest } from '../connector.ts';
import { fetchFile, type FetchContext } from '../fetch-files.ts';
import type { Unheard } from '../http-faults.ts';
import type { SlotReader } from '../ledger.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import { DAY_MS, HOUR_MS, type Instant } from '#domain/time.ts';
import { readAsOf } from '../read-as.ts';
import { createDirectory, scheduleEntriesOf, type DirectoryEntry } from './directory.ts';
import { readDirectory } from './fhir-directory.ts';
import { parseFeatures, unknownFeatures, type FhirFeatures } from './fhir-features.ts';
import { fhirJson } from './fhir-search.ts';
import { describeSchedules, type DescribedSchedule } from './schedule-facts.ts';
import { createSlotReader } from './slot-facts.ts';

export type Calendar = {
	readonly schedules: ReadonlyMap<string, DescribedSchedule>;
	readonly facts: readonly ScheduleFact[];
	/** Reads slots with this directory and these notes. */
	readonly reader: SlotReader;
	readonly readAt: Instant;
	readonly readAs: string;
};

type Known = {
	features?: FhirFeatures;
	featuresAt?: Instant;
	calendar?: Calendar;
	wantsSchedules?: boolean;
};

export type Had<T> =
	| { readonly ok: true; readonly value: T; readonly bytes: number }
	| { readonly ok: false; readonly fault: Unheard; readonly bytes: number };

export type Calendars = {
	readonly features: (context: FetchContext, base: string) => Promise<Had<FhirFeatures>>;
	/**
	 * The directory, read again when it is older than an hour, or, with `isStale`, than
	 * RETRY_MS (slots of unknown schedules were seen).
	 */
	readonly calendar: (
		context: FetchContext,
		request: Pick<PollRequest, 'source'>,
		features: FhirFeatures,
		hint: { readonly isStale: boolean; readonly along: readonly DirectoryEntry[] }
	) => Promise<Had<Calendar>>;
	/** The directory as it is known now, or null. */
	readonly current: (context: FetchContext) => Calendar | null;
	/** The server did not show that it filters by `_lastUpdated`: not relied on for the day. */
	readonly doubtUpdates: (context: FetchContext) => void;
	/** The server lists Slots only by their schedules. */
	readonly wantsSchedules: (context: FetchContext) => boolean;
	readonly noteWantsSchedules: (context: FetchContext) => void;
	readonly clear: () => void;
};

/** Servers whose features are remembered at most. */
const MAX_KNOWN = 20_000;
/** Schedules of all directories that are remembered at most: some 2 kB each. */
const MAX_SCHEDULES = 50_000;
const RETRY_MS = 60_000;
/** The directory is read again when it is older. */
export const DIRECTORY_MS = HOUR_MS;

/** `https://clinic.example/fhir` of whatever was configured. */
export const baseOf = (url: string): string => {
	const { origin, pathname } = new URL(url);
	return origin + pathname.replace(/\/+$/, '');
};

export const makeCalendar = (
	entries: readonly DirectoryEntry[],
	source: PollRequest['source'],
	readAt: Instant
): Calendar => {
	const schedules = describeSchedules(createDirectory(entries), source);
	const directory = createDirectory(scheduleEntriesOf(entries));
	return {
		schedules,
		facts: [...schedules.values()].map(({ fact }) => fact),
		reader: createSlotReader({ directory, schedules, notes: source.notes }, 'bundle'),
		readAt,
		readAs: readAsOf(source)
	};
};

/** Statuses that mean "no such page here", not "the server is in trouble". */
const isAbsent = (fault: Unheard): boolean =>
	fault.reason === 'misconfigured' || fault.reason === 'not_understood';

/** What is known of each server, bounded: what was unused for longest is forgotten first. */
const createKnown = () => {
	const sources = new Map<string, Known>();
	let remembered = 0;
	const forget = (known: Known): void => {
		remembered -= known.calendar?.schedules.size ?? 0;
		delete known.calendar;
	};
	return {
		of: (context: FetchContext): Known => {
			const name = `${context.caller.key} ${context.caller.url}`;
			const known = sources.get(name) ?? {};
			sources.delete(name);
			sources.set(name, known);
			const [oldest] = sources;
			if (sources.size > MAX_KNOWN && oldest !== undefined) {
				forget(oldest[1]);
				sources.delete(oldest[0]);
			}
			return known;
		},
		keep: (known: Known, calendar: Calendar): Calendar => {
			forget(known);
			known.calendar = calendar;
			remembered += calendar.schedules.size;
			for (const other of sources.values()) {
				if (remembered <= MAX_SCHEDULES) break;
				if (other !== known) forget(other);
			}
			return calendar;
		},
		clear: () => {
			sources.clear();
			remembered = 0;
		}
	};
};

export const createCalendars = (): Calendars => {
	const { of: knownOf, keep, clear } = createKnown();
	return {
		features: async (context, base) => {
			const known = knownOf(context);
			const { features, featuresAt } = known;
			const isFresh = featuresAt !== undefined && Math.abs(context.now - featuresAt) < DAY_MS;
			if (features !== undefined && isFresh) return { ok: true, value: features, bytes: 0 };
			const fetched = await fetchFile(
				{ ...context, kept: new Map() },
				`${base}/metadata`,
				fhirJson
			);
			if (!fetched.ok && !isAbsent(fetched)) {
				return { ok: false, fault: fetched, bytes: fetched.bytes };
			}
			known.features = fetched.ok ? parseFeatures(fetched.file.body) : unknownFeatures;
			known.featuresAt = context.now;
			return { ok: true, value: known.features, bytes: fetched.bytes };
		},
		calendar: async (context, { source }, features, hint) => {
			const known = knownOf(context);
			const ageMs = Math.abs(context.now - (known.calendar?.readAt ?? -Infinity));
			const isCurrent =
				known.calendar?.readAs === readAsOf(source) &&
				ageMs < (hint.isStale ? RETRY_MS : DIRECTORY_MS);
			if (known.calendar !== undefined && isCurrent) {
				return { ok: true, value: known.calendar, bytes: 0 };
			}
			const read = await readDirectory(context, baseOf(source.url), features, hint.along);
			if (read.ok) {
				const calendar = keep(known, makeCalendar(read.entries, source, context.now));
				return { ok: true, value: calendar, bytes: read.bytes };
			}
			if (known.calendar === undefined) return read;
			// The old directory stands until the new one can be read.
			return { ok: true, value: known.calendar, bytes: read.bytes };
		},
		current: (context) => knownOf(context).calendar ?? null,
		doubtUpdates: (context) => {
			const known = knownOf(context);
			if (known.features !== undefined) {
				known.features = { ...known.features, hasLastUpdated: false };
			}
		},
		wantsSchedules: (context) => knownOf(context).wantsSchedules === true,
		noteWantsSchedules: (context) => {
			knownOf(context).wantsSchedules = true;
		},
		clear
	};
};
