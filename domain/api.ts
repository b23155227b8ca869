// What the hub can do, whichever door is used: HTTP routes, socket handlers and pages call these
// use cases and nothing else. Pages reach them as `event.locals.hub`.
import type { Coverage } from './coverage.ts';
import type { AlertNotice, AlertSubscription } from './alert.ts';
import type { Board, BoardQuery, ScheduleCard } from './board.ts';
import type { BookingView, ClinicSnapshot, ComingVisit } from './booking.ts';
import type { ClinicSchedule, Closing } from './closing.ts';
import type {
	CancelBooking,
	ConfirmBooking,
	JoinWaiting,
	MoveBooking,
	OpenManageLink,
	PlaceHold,
	SubscribeAlert
} from './commands.ts';
import type { HoldView, Overlap } from './hold.ts';
import type {
	AlertSubscriptionId,
	BookingId,
	DeviceKey,
	HoldId,
	ScheduleId,
	SlotId,
	SourceId,
	WaitingId
} from './ids.ts';
import type { HoldRefusal, WireSlot } from './protocol.ts';
import type { Result } from './result.ts';
import type { RereadDesk } from './reread.ts';
import type { SourceDesk } from './source-desk.ts';
import type { HubStatus } from './status.ts';
import type { Instant } from './time.ts';
import type { WaitingView } from './waiting.ts';

/** A slot with the provider that offers it. */
export type SlotView = { readonly slot: WireSlot; readonly schedule: ScheduleCard };

/** `bad_request` = a date of birth that is still to come; the schema has no clock. */
export type ConfirmRefusal =
	| 'bad_request'
	| 'hold_unknown'
	| 'hold_expired'
	| 'visit_limit'
	| 'request_reused';

export type ExtendRefusal = 'hold_unknown' | 'hold_expired' | 'hold_extended';

/** `details` of `call_clinic`: `phone` and `linkUrl`, each null when the clinic lists none. */
export type CancelRefusal =
	| 'booking_unknown'
	| 'booking_unsettled'
	| 'too_late'
	| 'call_clinic'
	| 'request_reused';

export type MoveRefusal = CancelRefusal | 'hold_unknown' | 'hold_expired' | 'other_clinic';

/** `details.left` of `birth_date_wrong`: how many tries the link still bears. */
export type ManageRefusal = 'link_expired' | 'link_locked' | 'birth_date_wrong';

export type HubApi = {
	readBoard(query: BoardQuery): Promise<Board>;
	readSchedules(
		ids: readonly ScheduleId[],
		query: BoardQuery | null
	): Promise<readonly ScheduleCard[]>;
	readSlot(slotId: SlotId, query: BoardQuery | null): Promise<Result<SlotView, 'slot_unknown'>>;
	/** The nearest open times to a slot: same provider first, then same rooms. At most `limit`. */
	nearestOpen(
		slotId: SlotId,
		query: BoardQuery | null,
		limit: number
	): Promise<readonly SlotView[]>;

	placeHold(device: DeviceKey, command: PlaceHold): Promise<Result<HoldView, HoldRefusal>>;
	readHold(device: DeviceKey, holdId: HoldId): Promise<Result<HoldView, 'hold_unknown'>>;
	/** H17: the device's other visits and holds at the time of a hold, soonest first. */
	listOverlaps(device: DeviceKey, holdId: HoldId): Promise<readonly Overlap[]>;
	releaseHold(
		device: DeviceKey,
		holdId: HoldId
	): Promise<Result<null, 'hold_unknown' | 'hold_expired'>>;
	/** The minutes of a live hold begin anew, once. */
	extendHold(device: DeviceKey, holdId: HoldId): Promise<Result<HoldView, ExtendRefusal>>;
	/** Live holds of this device (at most MAX_HOLDS_PER_DEVICE). */
	listHolds(device: DeviceKey): Promise<readonly HoldView[]>;

	/** Returns at once with `confirming`; the clinic's answer arrives by readBooking or socket. */
	confirmBooking(
		device: DeviceKey,
		command: ConfirmBooking
	): Promise<Result<BookingView, ConfirmRefusal>>;
	readBooking(
		device: DeviceKey,
		bookingId: BookingId
	): Promise<Result<BookingView, 'booking_unknown'>>;
	/** U41: visits made on this device that are not over and not off, soonest first, at most 20. */
	listVisits(device: DeviceKey): Promise<readonly ComingVisit[]>;
	/** Waits up to `withinMs` for the clinic's answer, then tells what is known. */
	awaitBooking(
		device: DeviceKey,
		bookingId: BookingId,
		withinMs: number
	): Promise<Result<BookingView, 'booking_unknown'>>;
	/** Returns at once with `cancelling`; the visit stands until the clinic has cancelled it. */
	cancelBooking(
		device: DeviceKey,
		command: CancelBooking
	): Promise<Result<BookingView, CancelRefusal>>;
	/**
	 * Returns the new booking at once, `confirming`. The old visit stands until the clinic has booked
	 * the new one; only then it is asked to cancel the old one.
	 */
	moveBooking(device: DeviceKey, command: MoveBooking): Promise<Result<BookingView, MoveRefusal>>;
	/** An address that leads back to this visit from any device, for whoever knows the birth date. */
	manageLink(device: DeviceKey, bookingId: BookingId): Promise<Result<string, 'booking_unknown'>>;
	/** Whether a link may be tried; tells nothing of the visit. */
	checkManageLink(token: string): Promise<Result<null, 'link_expired' | 'link_locked'>>;
	/** With the right date of birth this device may see and change the visit for an hour. */
	openManageLink(
		device: DeviceKey,
		command: OpenManageLink
	): Promise<Result<{ readonly bookingId: BookingId }, ManageRefusal>>;
	/** `text/calendar` of a booking: neutral words, no patient data. */
	calendarFile(device: DeviceKey, bookingId: BookingId): Promise<Result<string, 'booking_unknown'>>;

	subscribeAlert(
		device: DeviceKey,
		command: SubscribeAlert
	): Promise<Result<AlertSubscription, 'subscription_limit' | 'schedule_unknown'>>;
	unsubscribeAlert(
		device: DeviceKey,
		id: AlertSubscriptionId
	): Promise<Result<null, 'subscription_unknown'>>;
	listAlerts(device: DeviceKey): Promise<readonly AlertSubscription[]>;
	/** Notices of this device, newest first, of the last day, at most 20. */
	listNotices(device: DeviceKey): Promise<readonly AlertNotice[]>;

	/** Joining twice for the same is one place in line. */
	joinWaiting(
		device: DeviceKey,
		command: JoinWaiting
	): Promise<Result<WaitingView, 'waiting_limit' | 'schedule_unknown' | 'request_reused'>>;
	/** A time that was kept for this device goes to the next in line. */
	leaveWaiting(device: DeviceKey, id: WaitingId): Promise<Result<null, 'waiting_unknown'>>;
	/** After unanswered offers: yes, still waiting, in the old place. */
	resumeWaiting(device: DeviceKey, id: WaitingId): Promise<Result<null, 'waiting_unknown'>>;
	listWaiting(device: DeviceKey): Promise<readonly WaitingView[]>;

	readClinic(sourceId: SourceId): Promise<Result<ClinicSnapshot, 'not_allowed'>>;
	acknowledgeBooking(
		sourceId: SourceId,
		bookingId: BookingId
	): Promise<Result<null, 'booking_unknown'>>;
	/** The clinic will not keep this visit: its own system is asked to cancel, the patient is told. */
	declineBooking(sourceId: SourceId, bookingId: BookingId): Promise<Result<null, CancelRefusal>>;
	/** Which of a clinic's practitioners take visits here. */
	readonly clinicSchedules: ClinicSchedules;
	/** The private address under which a clinic's own calendar reads its visits. */
	readonly clinicCalendars: ClinicCalendars;
	/** B11: the sources that serve a region (its code), or all; at most 5 s old. */
	readCoverage(region: string | null): Promise<Coverage>;
	readStatus(): Promise<HubStatus>;
	/** What an operator does with sources. */
	readonly sources: SourceDesk & RereadDesk;
};

/** K25: whom patients can book at a clinic. */
export type ClinicSchedules = {
	/** By name, at most 500. */
	list(sourceId: SourceId): Promise<readonly ClinicSchedule[]>;
	/** `schedule` null = all of the clinic's; `closing` null = patients can book there again. */
	close(
		sourceId: SourceId,
		schedule: ScheduleId | null,
		closing: Closing | null
	): Promise<Result<null, 'schedule_unknown'>>;
};

/** K22: one address per clinic, which anybody who has it may read. */
export type ClinicCalendars = {
	/** Since when it works; null = there is none. */
	since(sourceId: SourceId): Promise<Instant | null>;
	/** Makes a new address, told this once, and ends the one before. */
	make(sourceId: SourceId): Promise<string>;
	end(sourceId: SourceId): Promise<void>;
	/** `text/calendar` by the secret part of the address. */
	read(token: string): Promise<Result<string, 'calendar_unknown' | 'calendar_ended'>>;
};

/** Who stands behind a request. Filled in by the session middleware, read by pages and routes. */
export type Visitor = {
	readonly device: DeviceKey;
	/** Set by a private link: may see one clinic's console, or the operator's status page. */
	readonly staff:
		| { readonly role: 'clinic'; readonly sourceId: SourceId }
		| { readonly role: 'operator' }
		| null;
};
