// The formats that a small practice may speak: where its server answers, and how.
import { CAL_COM_PATH, createCalComHandler } from '../cal-com/server.ts';
import type { Handler } from '../exchange.ts';
import { createOperationsHandler, OPERATIONS_PATH } from '../operations/server.ts';
import { CALENDAR_PATH, createCalendarHandler } from './calendar.ts';
import type { Office } from './office.ts';
import {
	createGraphHandler,
	createTableHandler,
	createVendorHandler,
	GRAPH_PATH,
	TABLE_PATH,
	VENDOR_PATH
} from './vendor.ts';

export const formats = {
	calendar: { path: CALENDAR_PATH, handler: createCalendarHandler },
	vendor: { path: VENDOR_PATH, handler: createVendorHandler },
	graph: { path: GRAPH_PATH, handler: createGraphHandler },
	table: { path: TABLE_PATH, handler: createTableHandler },
	'cal-com': { path: CAL_COM_PATH, handler: createCalComHandler },
	'find-argonaut': { path: OPERATIONS_PATH, handler: createOperationsHandler('argonaut') },
	'find-ihe': { path: OPERATIONS_PATH, handler: createOperationsHandler('ihe') },
	'find-medplum': { path: OPERATIONS_PATH, handler: createOperationsHandler('medplum') }
} as const satisfies Record<string, { path: string; handler: (office: Office) => Handler }>;

export type OfficeFormat = keyof typeof formats;
