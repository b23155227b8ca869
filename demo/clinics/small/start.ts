// Starts a small practice that speaks one of the formats below, on 127.0.0.1, with faults on demand.
import { createFaults, type FaultRequest } from '../faults.ts';
import type { Handler } from '../exchange.ts';
import { CAL_COM_PATH, createCalComHandler } from '../cal-com/server.ts';
import { createOperationsHandler, OPERATIONS_PATH } from '../operations/server.ts';
import { createServed } from '../serve.ts';
import { CALENDAR_PATH, createCalendarHandler } from './calendar.ts';
import { createOffice, type Office } from './office.ts';
import {
	createGraphHandler,
	createTableHandler,
	createVendorHandler,
	GRAPH_PATH,
	TABLE_PATH,
	VENDOR_PATH
} from './vendor.ts';

const speaks = {
	calendar: { path: CALENDAR_PATH, handler: createCalendarHandler },
	vendor: { path: VENDOR_PATH, handler: createVendorHandler },
	graph: { path: GRAPH_PATH, handler: createGraphHandler },
	table: { path: TABLE_PATH, handler: createTableHandler },
	'cal-com': { path: CAL_COM_PATH, handler: createCalComHandler },
	'find-argonaut': { path: OPERATIONS_PATH, handler: createOperationsHandler('argonaut') },
	'find-ihe': { path: OPERATIONS_PATH, handler: createOperationsHandler('ihe') },
	'find-medplum': { path: OPERATIONS_PATH, handler: createOperationsHandler('medplum') }
} as const satisfies Record<string, { path: string; handler: (office: Office) => Handler }>;

export type OfficeFormat = keyof typeof speaks;

export type RunningOffice = {
	readonly url: string;
	readonly office: Office;
	/** Starts a fault; null ends all. */
	readonly setFault: (fault: FaultRequest | null) => void;
	readonly now: () => number;
	readonly close: () => Promise<void>;
};

/** `startAt`: UTC ms where its clock begins. Port 0 takes a free one. */
export const startOffice = async (
	format: OfficeFormat,
	{ startAt = Date.now(), port = 0 }: { startAt?: number; port?: number } = {}
): Promise<RunningOffice> => {
	const bootedAt = Date.now();
	const trueNow = (): number => startAt + Date.now() - bootedAt;
	const faults = createFaults(trueNow);
	const now = (): number => trueNow() + faults.skewMs();
	const office = createOffice(trueNow);
	const { path, handler } = speaks[format];
	const served = await createServed({ handler: handler(office), faults, now, port });
	return {
		url: served.url + path,
		office,
		setFault: (fault) => (fault === null ? faults.clear() : faults.set(fault)),
		now: trueNow,
		close: served.close
	};
};
