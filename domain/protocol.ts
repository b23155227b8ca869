// The wire between hub and viewer: socket events both ways, and the positional shapes of slots.
// Documented in docs/protocol.md. No validation here: browsers import this file.
import type { AlertNotice } from './alert.ts';
import type { Board, BoardQuery, ScheduleCard } from './board.ts';
import type { BookingView, ClinicSnapshot } from './booking.ts';
import type { HoldView } from './hold.ts';
import type { ScheduleId, SlotId } from './ids.ts';
import type { Result } from './result.ts';
import type { RoomName } from './room.ts';
import type { SlotState } from './slot.ts';

/**
 * Raised when an old client can no longer understand a new hub.
 * 1: first.
 */
export const PROTOCOL_VERSION = 1;

/** [slot, schedule, start (minutes since 1970), length (minutes), state, places left]. */
export type WireSlot = readonly [
	id: SlotId,
	scheduleId: ScheduleId,
	startMinute: number,
	minutes: number,
	state: SlotState,
	left: number
];

/**
 * A change of one slot. Opened (or re-opened) slots travel whole, because a viewer may not know
 * them; every other change is `[slot, state]`, because a viewer that does not know the slot has
 * nothing to do. The latest change of a slot holds.
 */
export type WireChange = WireSlot | readonly [id: SlotId, state: SlotState];

/** What the console learns of a booking or hold: ids and words, never who the patient is. */
export type ClinicChange =
	| {
			readonly kind: 'booking';
			readonly bookingId: string;
			readonly state: BookingView['state'];
			readonly slotId: SlotId;
			readonly scheduleId: ScheduleId;
			readonly startsAt: number;
	  }
	| {
			readonly kind: 'hold';
			readonly slotId: SlotId;
			readonly scheduleId: ScheduleId;
			readonly startsAt: number;
			readonly held: boolean;
	  }
	/** People on the waiting list for any of the clinic's practitioners. */
	| { readonly kind: 'waiting'; readonly count: number };

/** One numbered entry of a room's change log. `seq` has no holes within (room, epoch). */
export type RoomEntry<C = WireChange> = {
	readonly room: RoomName;
	readonly seq: number;
	readonly changes: readonly C[];
};

/** `auth` of the handshake. */
export type HandshakeAuth = { readonly protocol: number };

/** What a process publishes on Redis after its commit: a hint, never the truth. */
export type FeedMessage = {
	readonly epoch: string;
	readonly entries: readonly RoomEntry<unknown>[];
};

/** F5: entries (from, to] of a room folded into one message; the latest state per slot. */
export type RoomBatch<C = WireChange> = {
	readonly room: RoomName;
	readonly epoch: string;
	readonly from: number;
	readonly to: number;
	readonly changes: readonly C[];
};

/** Where a viewer stands in a room. */
export type Position = { readonly epoch: string; readonly seq: number };

export type JoinReply<C = WireChange, S = Board> = Result<
	| { readonly kind: 'current'; readonly epoch: string; readonly seq: number }
	| { readonly kind: 'delta'; readonly batch: RoomBatch<C> }
	| { readonly kind: 'snapshot'; readonly snapshot: S },
	SocketRefusal
>;

/** Refusals of the socket layer itself. */
export type SocketRefusal =
	| 'bad_request'
	| 'too_many_requests'
	| 'too_many_rooms'
	| 'unknown_room'
	| 'not_allowed'
	| 'something_broke'
	| 'busy_try_again';

type Ack<T> = (reply: T) => void;

export type PatientClientEvents = {
	/** With `have` the reply is current, a delta or (gap, other epoch) a snapshot of `query`. */
	'room:join': (
		request: { room: RoomName; have?: Position; query?: Partial<BoardQuery> },
		ack: Ack<JoinReply>
	) => void;
	'room:leave': (request: { room: RoomName }, ack: Ack<Result<null, SocketRefusal>>) => void;
	'schedules:read': (
		request: { ids: ScheduleId[]; query?: Partial<BoardQuery> },
		ack: Ack<Result<readonly ScheduleCard[], SocketRefusal>>
	) => void;
	'hold:place': (
		request: { slotId: SlotId; requestId: string },
		ack: Ack<Result<HoldView, HoldRefusal | SocketRefusal>>
	) => void;
	'hold:release': (
		request: { holdId: string },
		ack: Ack<Result<null, HoldRefusal | SocketRefusal>>
	) => void;
};

export type HoldRefusal =
	| 'slot_taken'
	| 'slot_gone'
	| 'slot_past'
	| 'too_soon'
	| 'hold_limit'
	| 'too_many_requests'
	| 'hold_expired'
	| 'hold_unknown'
	| 'request_reused';

export type PatientServerEvents = {
	'slots:changed': (batch: RoomBatch) => void;
	/**
	 * Heads of the rooms this socket follows, `[room, seq]` pairs, every BEACON_MS: those that moved
	 * since the last time, all of them once a minute. An empty list means: alive, nothing moved.
	 */
	'rooms:heads': (epoch: string, heads: readonly (readonly [RoomName, number])[]) => void;
	'alert:raised': (notice: AlertNotice) => void;
	/** A time is kept for this device, which waited for it. */
	'waiting:offered': (offer: { waitingId: string; holdId: string }) => void;
	/** One of this device's bookings moved on (confirmed by the clinic, refused, …). */
	'booking:changed': (change: { bookingId: string; state: BookingView['state'] }) => void;
	'hold:ended': (change: { holdId: string; because: 'expired' | 'released' | 'taken' }) => void;
	/** The hub is going down: come back after a random share of `withinMs`. */
	'server:draining': (hint: { withinMs: number }) => void;
	/** This viewer read too slowly and is cut; it comes back with its position. */
	'viewer:cut': (why: { reason: 'slow' | 'quota' }) => void;
};

export type ProviderClientEvents = {
	'clinic:join': (
		request: { have?: Position },
		ack: Ack<JoinReply<ClinicChange, ClinicSnapshot>>
	) => void;
	'booking:acknowledge': (
		request: { bookingId: string },
		ack: Ack<Result<null, 'booking_unknown' | SocketRefusal>>
	) => void;
};

export type ProviderServerEvents = {
	'clinic:changed': (batch: RoomBatch<ClinicChange>) => void;
	'rooms:heads': PatientServerEvents['rooms:heads'];
	'server:draining': PatientServerEvents['server:draining'];
	'viewer:cut': PatientServerEvents['viewer:cut'];
};

/** Heads reach every viewer this often, ms. Part of the idle budget of 60 kB an hour. */
export const BEACON_MS = 5_000;
/** A viewer that heard nothing for this long says "not live", ms. */
export const SILENCE_MS = 12_000;
/** Changes of a room are gathered this long before they are sent, ms. */
export const COALESCE_MS = 50;
/** At most this many changes in one log entry. */
export const MAX_CHANGES_PER_ENTRY = 500;
/** A viewer further behind than this gets a snapshot. */
export const MAX_DELTA_CHANGES = 2_000;
/** Rooms one socket may follow. */
export const MAX_ROOMS_PER_SOCKET = 20;
/** Largest inbound frame, bytes. */
export const MAX_FRAME_BYTES = 16_384;
