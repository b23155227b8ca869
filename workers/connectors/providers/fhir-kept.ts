// What a poll of a FHIR server works with, and what is kept of it until the next one.
import type { ScheduleFact } from '#domain/schedule.ts';
import type { PollRequest } from '../connector.ts';
import type { FetchContext, KeptFile } from '../fetch-files.ts';
import type { Ledger } from '../ledger.ts';
import type { Calendars } from './fhir-calendar.ts';
import type { FhirFeatures } from './fhir-features.ts';

/** What is kept of the last committed poll of one server. */
export type KeptSearch = {
	readonly files: ReadonlyMap<string, KeptFile>;
	readonly ledger: Ledger;
	readonly facts: readonly ScheduleFact[];
	readonly readAs: string;
	/** The server's clock when the listing was read, UTC ms. */
	readonly serverMs: number | null;
	/** Polls by `_lastUpdated` since the last whole listing. */
	readonly updatesSince: number;
};

export const searchBytes = (kept: KeptSearch): number => {
	let bytes = kept.ledger.keys.bytes() + kept.ledger.ids.bytes();
	for (const file of kept.files.values()) bytes += file.body.byteLength;
	return bytes;
};

export type Polling = {
	readonly request: PollRequest;
	readonly context: FetchContext;
	readonly calendars: Calendars;
	readonly features: FhirFeatures;
	readonly known: KeptSearch | null;
};
