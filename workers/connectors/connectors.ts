// All connectors of this process behind one door. They share the HTTP client (address guard, rate
// limits, timeouts) and the store of kept bodies; close() ends every connection.
import type { SourceKind } from '#domain/source.ts';
import type { LookupFunction } from 'node:net';
import type { Connector } from './connector.ts';

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
	/** Requests a second and at once to one host; default 20 and 60. */
	readonly ratePerSecond?: number;
	readonly rateBurst?: number;
};

export type Connectors = Readonly<Record<SourceKind, Connector>> & {
	readonly close: () => Promise<void>;
};

/** Creates the connectors of this process. Never throws; polls answer `silent` instead. */
export const createConnectors = (_options: ConnectorsOptions): Connectors => {
	const building: Connector = {
		poll: () =>
			Promise.resolve({
				state: 'silent',
				reason: 'misconfigured',
				detail: 'This connector is not built yet.',
				retryAfterMs: null,
				bytes: 0
			}),
		settle: () => {},
		book: null,
		findBooking: null
	};
	return {
		'smart-scheduling-links': building,
		'fhir-slots': building,
		close: () => Promise.resolve()
	};
};
