// All connectors of this process behind one door. They share the HTTP client (address guard, rate
// limits, timeouts) and the store of kept bodies; close() ends every connection.
import type { SourceKind } from '#domain/source.ts';
import type { LookupFunction } from 'node:net';
import type { Connector } from './connector.ts';
import { LISTING_BYTES } from './fetch-files.ts';
import { createHttpClient } from './http-client.ts';
import { createKept } from './kept-bodies.ts';
import { createFhirSlots } from './providers/fhir-slots.ts';
import { searchBytes, type KeptSearch } from './providers/fhir-kept.ts';
import {
	createSmartSchedulingLinks,
	publicationBytes,
	type KeptPublication
} from './providers/smart-scheduling-links.ts';

export type ConnectorLog = {
	readonly warn: (event: string, fields?: Record<string, string | number | boolean | null>) => void;
};

export type ConnectorsOptions = {
	/** Told of oddities worth counting; ids and numbers only. */
	readonly log?: ConnectorLog;
	/** The hub permits sources that name `allowPrivate`; both are needed to reach 10.0.0.0/8 etc. */
	readonly allowPrivate: boolean;
	/** Bodies kept over all sources for the byte path, bytes; default 256 MiB. */
	readonly keptBytes?: number;
	/** Named in the User-Agent so that a publisher can reach the operator. */
	readonly contactUrl?: string;
	/** Replaces DNS (tests). */
	readonly lookup?: LookupFunction;
	/** Time for one HTTP exchange in all, ms; default 30,000. */
	readonly deadlineMs?: number;
	/** Largest body after decompression, bytes; default 32 MiB. */
	readonly bodyBytes?: number;
	/** All files or pages of one poll together, after decompression, bytes; default 128 MiB. */
	readonly listingBytes?: number;
	/** Requests a second and at once to one host; default 20 and 60. */
	readonly ratePerSecond?: number;
	readonly rateBurst?: number;
};

export type Connectors = Readonly<Record<SourceKind, Connector>> & {
	readonly close: () => Promise<void>;
};

const KEPT_BYTES = 256 * 1_048_576;

/** Creates the connectors of this process. Polls never throw for what a source does. */
export const createConnectors = (options: ConnectorsOptions): Connectors => {
	const http = createHttpClient(options);
	const half = (options.keptBytes ?? KEPT_BYTES) / 2;
	const publications = createKept<KeptPublication>(half, publicationBytes);
	const searches = createKept<KeptSearch>(half, searchBytes);
	const listingBytes = options.listingBytes ?? LISTING_BYTES;
	const fhir = createFhirSlots({
		http,
		kept: searches,
		listingBytes,
		onUncuttable: (source) => options.log?.warn('bundle_parsed_whole', { source })
	});
	return {
		'smart-scheduling-links': createSmartSchedulingLinks({
			http,
			kept: publications,
			listingBytes
		}),
		'fhir-slots': fhir,
		close: async () => {
			publications.clear();
			searches.clear();
			fhir.clear();
			await http.close();
		}
	};
};
