// Everything the hub can do, put together from its use cases: what HTTP routes, socket handlers and
// pages are given.
import type { HubApi } from '#domain/api.ts';
import { MAX_HOLDS_PER_HOUR } from '#domain/hold.ts';
import type { BookingId, ScheduleId } from '#domain/ids.ts';
import { MAX_VISITS_PER_PERSON } from '#domain/person.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { HubStatus, QueueStatus } from '#domain/status.ts';
import type { Clock } from '#domain/time.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Sql } from '../platform/postgres.ts';
import { cancelBooking, declineBooking } from './cancel-booking.ts';
import { clinicCalendars } from './clinic-calendar.ts';
import { clinicSchedules } from './close-schedules.ts';
import { confirmBooking } from './confirm-booking.ts';
import { checkManageLink, manageLink, openManageLink } from './manage-visit.ts';
import { moveBooking } from './move-booking.ts';
import {
	extendHold,
	listHolds,
	listOverlaps,
	placeHold,
	readHold,
	releaseHold
} from './place-hold.ts';
import { nearestOpen, readBoard, readSchedules, readSlot } from './read-board.ts';
import { awaitBooking, calendarFile, listVisits, readBooking } from './read-booking.ts';
import { acknowledgeBooking, readClinic } from './read-clinic.ts';
import { readCoverage } from './read-coverage.ts';
import { readStatus } from './read-status.ts';
import { shareBriefly } from './share-briefly.ts';
import { listAlerts, listNotices, subscribeAlert, unsubscribeAlert } from './subscribe-alerts.ts';
import { joinWaiting, leaveWaiting, listWaiting, resumeWaiting } from './wait-for-times.ts';

export type HubApiDeps = {
	readonly sql: Sql;
	/** Tells other processes of committed entries; fire and forget. */
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	readonly clock: Clock;
	readonly phi: PhiCipher;
	/** Signs manage links, which lead to pages under `publicUrl`. */
	readonly linkKey: Buffer;
	readonly publicUrl: string;
	/** May fail: the reconcile loop finds the booking in Postgres. */
	readonly enqueueBooking: (bookingId: BookingId, round?: number) => Promise<void>;
	/** May fail: then alerts are looked at with the next change. */
	readonly addAlerts: (ids: readonly ScheduleId[]) => Promise<unknown>;
	/** null = Redis could not be asked. */
	readonly queueStatus: () => Promise<readonly QueueStatus[] | null>;
	readonly socketCounts: () => HubStatus['sockets'];
	readonly feedLagMs: () => number | null;
	readonly sources: HubApi['sources'];
	readonly config: {
		readonly holdTtlMs: number;
		readonly maxHoldsPerDevice: number;
		readonly maxHoldsPerHour?: number;
		readonly maxVisitsPerPerson?: number;
	};
};

/** What everybody may read of the sources may be this old, ms: it is one scan of all open times. */
const COVERAGE_FRESH_MS = 5_000;
/** Nearest times may be this old, ms: placing a hold checks again anyway. */
const NEAREST_FRESH_MS = 500;

export const createHubApi = (deps: HubApiDeps): HubApi => {
	const { sql, phi, publish, config } = deps;
	const limits = {
		ttlMs: config.holdTtlMs,
		maxLive: config.maxHoldsPerDevice,
		maxPerHour: config.maxHoldsPerHour ?? MAX_HOLDS_PER_HOUR
	};
	return {
		readBoard: readBoard(deps),
		readSchedules: readSchedules(deps),
		readSlot: readSlot(deps),
		nearestOpen: shareBriefly(nearestOpen(deps), {
			keyOf: (slotId, query, limit) => JSON.stringify([slotId, query, limit]),
			freshMs: NEAREST_FRESH_MS
		}),
		placeHold: placeHold({ sql, publish, limits }),
		readHold: readHold(deps),
		releaseHold: releaseHold(deps),
		extendHold: extendHold({ sql, limits }),
		listHolds: listHolds(deps),
		listOverlaps: listOverlaps(deps),
		confirmBooking: confirmBooking({
			sql,
			phi,
			clock: deps.clock,
			maxVisits: config.maxVisitsPerPerson ?? MAX_VISITS_PER_PERSON,
			publish,
			enqueue: deps.enqueueBooking
		}),
		cancelBooking: cancelBooking({ sql, publish, enqueue: deps.enqueueBooking }),
		declineBooking: declineBooking({ sql, publish, enqueue: deps.enqueueBooking }),
		moveBooking: moveBooking({ sql, publish, enqueue: deps.enqueueBooking }),
		manageLink: manageLink(deps),
		checkManageLink: checkManageLink(deps),
		openManageLink: openManageLink(deps),
		readBooking: readBooking(deps),
		listVisits: listVisits(deps),
		awaitBooking: awaitBooking(deps),
		calendarFile: calendarFile(deps),
		subscribeAlert: subscribeAlert(deps),
		unsubscribeAlert: unsubscribeAlert(deps),
		listAlerts: listAlerts(deps),
		listNotices: listNotices(deps),
		joinWaiting: joinWaiting(deps),
		leaveWaiting: leaveWaiting(deps),
		resumeWaiting: resumeWaiting(deps),
		listWaiting: listWaiting(deps),
		readClinic: readClinic(deps),
		acknowledgeBooking: acknowledgeBooking(deps),
		clinicSchedules: clinicSchedules(deps),
		clinicCalendars: clinicCalendars(deps),
		readCoverage: shareBriefly(readCoverage(deps), {
			keyOf: (region) => region ?? '',
			freshMs: COVERAGE_FRESH_MS
		}),
		readStatus: readStatus(deps),
		sources: deps.sources
	};
};
