// The machine of holds, bookings and the waiting list as plain records: what the tables hold, without
// the tables. The rules that are pure in domain/ are taken from there; those that live in SQL are
// said here once more, and tests/scheduling/hold-machine.pg.test.ts holds both against each other.
// Instants and durations are whole ms of the database's clock.
import type { BookingState } from '#domain/booking.ts';
import type { HoldState } from '#domain/hold.ts';
import type { SlotStatus } from '#domain/slot.ts';
import type { WaitingState } from '#domain/waiting.ts';

export type Claim = { readonly fence: number; until: number };

export type Source = {
	readonly nr: number;
	readonly booking: 'fhir' | 'link';
	readonly minNoticeMs: number;
	readonly freshForMs: number;
	enabled: boolean;
	checkedAt: number;
	pollGen: number;
	committedGen: number;
	pollStartedAt: number;
	pollingUntil: number;
};

export type Schedule = {
	readonly nr: number;
	readonly source: Source;
	readonly regions: readonly string[];
	readonly planIds: readonly string[] | null;
};

export type Slot = {
	readonly nr: number;
	readonly schedule: Schedule;
	readonly startsAt: number;
	readonly endsAt: number;
	status: SlotStatus;
	capacity: number;
	remaining: number;
	isRemoved: boolean;
	/** By rising fence, as in the row. */
	claims: Claim[];
	fence: number;
	ownChangedAt: number;
	/** Every booking ever made of it. */
	readonly bookings: Booking[];
};

export type Hold = {
	readonly nr: number;
	readonly slot: Slot;
	readonly fence: number;
	readonly device: Device;
	readonly placedAt: number;
	state: HoldState;
	expiresAt: number;
	isExtended: boolean;
	/** It ended because its clinic gave the time to somebody else. */
	isTaken: boolean;
	booking: Booking | null;
};

export type Booking = {
	readonly nr: number;
	readonly hold: Hold;
	readonly device: Device;
	readonly replaces: Booking | null;
	/** As stored: a visit that is being cancelled is still `booked`. */
	state: BookingState;
	exclusive: boolean;
	isCancelling: boolean;
	/** How often cancelling was asked for. */
	round: number;
	/** How often a worker took it up since the last wish: with the round the fence of its word. */
	attempts: number;
};

/** What a request asked, and what it made. */
export type Request = {
	readonly print: string;
	readonly hold: Hold | null;
};

export type Device = {
	readonly nr: number;
	/** The newest last. */
	holds: Hold[];
	readonly requests: Map<number, Request>;
};

export type Wish = {
	readonly region: string;
	readonly plan: string | null;
	readonly schedule: Schedule | null;
};

export type Entry = {
	readonly nr: number;
	readonly device: Device;
	readonly wish: Wish;
	state: WaitingState;
	lapses: number;
	hold: Hold | null;
	/** Slots by number. */
	passed: Set<number>;
};

export type Limits = {
	readonly ttlMs: number;
	readonly maxLive: number;
	readonly maxPerHour: number;
};

export type Model = {
	now: number;
	readonly limits: Limits;
	readonly handOverMs: number;
	readonly sources: Source[];
	readonly schedules: Schedule[];
	readonly slots: Slot[];
	readonly devices: Device[];
	/** Holds that may still run out: what the sweep looks at. */
	open: Set<Hold>;
	/** In order of joining. */
	line: Entry[];
	made: { holds: number; bookings: number; entries: number };
};

export const createModel = (limits: Limits, handOverMs: number, now: number): Model => ({
	now,
	limits,
	handOverMs,
	sources: [],
	schedules: [],
	slots: [],
	devices: [],
	open: new Set(),
	line: [],
	made: { holds: 0, bookings: 0, entries: 0 }
});

export const addSource = (
	model: Model,
	of: Pick<Source, 'booking' | 'minNoticeMs' | 'freshForMs'>
): Source => {
	const source: Source = {
		nr: model.sources.length,
		...of,
		enabled: true,
		checkedAt: model.now,
		pollGen: 0,
		committedGen: 0,
		pollStartedAt: 0,
		pollingUntil: 0
	};
	model.sources.push(source);
	return source;
};

export const addSchedule = (
	model: Model,
	of: Pick<Schedule, 'source' | 'regions' | 'planIds'>
): Schedule => {
	const schedule = { nr: model.schedules.length, ...of };
	model.schedules.push(schedule);
	return schedule;
};

export const addSlot = (
	model: Model,
	of: Pick<Slot, 'schedule' | 'startsAt' | 'endsAt' | 'capacity'>
): Slot => {
	const slot: Slot = {
		nr: model.slots.length,
		schedule: of.schedule,
		startsAt: of.startsAt,
		endsAt: of.endsAt,
		status: 'free',
		capacity: of.capacity,
		remaining: of.capacity,
		isRemoved: false,
		claims: [],
		fence: 0,
		ownChangedAt: -1,
		bookings: []
	};
	model.slots.push(slot);
	return slot;
};

export const addDevice = (model: Model): Device => {
	const device: Device = { nr: model.devices.length, holds: [], requests: new Map() };
	model.devices.push(device);
	return device;
};
