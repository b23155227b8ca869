// All connectors of this process behind one door. They share the HTTP client (address guard, rate
// limits, timeouts) and the store of kept bodies; close() ends every connection.
import type { SourceKind } from '#domain/source.ts';
import type { LookupFunction } from 'node:net';
import type { Connector, SecretOf } from './connector.ts';
import { LISTING_BYTES } from './fetch-files.ts';
import { computedBytes, type KeptComputed } from './computed.ts';
import type { HostManners } from './host-manners.ts';
import { createHttpClient } from './http-client.ts';
import { createKept } from './kept-bodies.ts';
import { createCalCom } from './providers/cal-com.ts';
import { createFhirOperations } from './providers/fhir-operations.ts';
import { createFhirSlots } from './providers/fhir-slots.ts';
import { searchBytes, type KeptSearch } from './providers/fhir-kept.ts';
import { createIcalFeed } from './providers/ical-feed.ts';
import { createMapped } from './providers/mapped.ts';
import { publicationBytes, type KeptPublication } from './providers/smart-gather.ts';
import { createSmartSchedulingLinks } from './providers/smart-scheduling-links.ts';
import { createSignIn, signedIn, type SignIn } from './sign-in.ts';
import type { Tape } from './tape.ts';

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
	/** The key or token an operator was given for a source; default: none has any. */
	readonly secretOf?: SecretOf;
	/** Manners towards hosts that other processes share; default: this process's own. */
	readonly manners?: HostManners;
	/** How FHIR servers let us in; default: by the notes and the secret of the source. */
	readonly signIn?: SignIn;
	/** Takes down, or plays back, what the HTTP client hears. */
	readonly tape?: Tape;
};

export type Connectors = Readonly<Record<SourceKind, Connector>> & {
	readonly close: () => Promise<void>;
};

const KEPT_BYTES = 256 * 1_048_576;
/** Answers of a sign-in. */
const TOKEN_BYTES = 65_536;

/** Creates the connectors of this process. Polls never throw for what a source does. */
export const createConnectors = (options: ConnectorsOptions): Connectors => {
	const http = createHttpClient(options);
	const share = (options.keptBytes ?? KEPT_BYTES) / 3;
	const publications = createKept<KeptPublication>(share, publicationBytes);
	const searches = createKept<KeptSearch>(share, searchBytes);
	const computed = createKept<KeptComputed>(share, computedBytes);
	const listingBytes = options.listingBytes ?? LISTING_BYTES;
	const secretOf = options.secretOf ?? (async () => null);
	const { tape: _, ...untaped } = options;
	const tokenHttp = createHttpClient({ ...untaped, bodyBytes: TOKEN_BYTES });
	const fhirHttp = signedIn(http, options.signIn ?? createSignIn(tokenHttp, secretOf));
	const fhir = createFhirSlots({
		http: fhirHttp,
		kept: searches,
		listingBytes,
		onUncuttable: (source) => options.log?.warn('bundle_parsed_whole', { source })
	});
	const parts = { http, kept: computed, listingBytes, secretOf };
	return {
		'smart-scheduling-links': createSmartSchedulingLinks({
			http,
			kept: publications,
			listingBytes
		}),
		'fhir-slots': fhir,
		'fhir-operations': createFhirOperations({ ...parts, http: fhirHttp }),
		'cal-com': createCalCom(parts),
		ical: createIcalFeed(parts),
		mapped: createMapped(parts),
		close: async () => {
			publications.clear();
			searches.clear();
			computed.clear();
			fhir.clear();
			await Promise.all([http.close(), tokenHttp.close()]);
		}
	};
};
