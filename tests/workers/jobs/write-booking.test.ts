// Telling a clinic of a booking: what is sent, asked, settled and put off.
import { expect, test } from 'vitest';
import type { BookingState } from '#domain/booking.ts';
import { BookingId, DeviceKey, SourceId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { StoredOrder } from '#server/store/booking-order.ts';
import type { Asking, SettledBooking } from '#server/store/bookings.ts';
import type { BookingLookup, BookingOutcome } from '#workers/connectors/connector.ts';
import {
	ASK_DEADLINE_MS,
	ATTEMPTS_WHILE_WAITED_FOR,
	BOOK_DEADLINE_MS,
	LONGEST_PAUSE_MS,
	PAUSE_WHILE_WAITED_FOR_MS,
	createWriteBooking,
	pauseAfter,
	type Outcome
} from '#workers/jobs/write-booking.ts';
import { createSourcePlaces } from '#workers/jobs/source-places.ts';
import { createFakeConnector, createTestLog, makeSource, ofEveryKind } from '../fakes.ts';

const bookingId = BookingId.parse('0191d3c4-6f00-4c3e-9f6e-3f6e6c1f2a10');
const sourceId = SourceId.parse(7);
const deviceKey = DeviceKey.parse('a'.repeat(64));
const signal = new AbortController().signal;

const booked: BookingOutcome = { state: 'booked', appointmentId: 'a-1', joinUrl: null };
const rejected: BookingOutcome = { state: 'rejected', because: 'slot_taken' };
const lost: BookingOutcome = { state: 'unconfirmed', detail: 'no answer' };
const found: BookingLookup = { state: 'booked', appointmentId: 'a-1', joinUrl: null };
const absent: BookingLookup = { state: 'absent' };
const unknown: BookingLookup = { state: 'unknown', detail: 'no answer' };

const stored = (over: Partial<StoredOrder>): StoredOrder => ({
	state: 'confirming',
	attempts: 1,
	createdAt: toInstant(0),
	order: {
		source: makeSource(),
		bookingId,
		sourceSlotId: 's-1',
		scheduleKey: '116',
		startsAt: toInstant(0),
		endsAt: toInstant(1),
		kind: 'video',
		patient: {
			givenName: 'Rosa',
			familyName: 'Martinez',
			bornOn: '1961-05-23',
			phone: '+14065550100',
			email: null,
			reason: null,
			planId: null
		}
	},
	...over
});

type Clinic = {
	book?: () => Promise<BookingOutcome>;
	find?: () => Promise<BookingLookup>;
};

const setUp = (over: Partial<StoredOrder>, clinic: Clinic, claimed = true) => {
	const did: string[] = [];
	const places = createSourcePlaces(1);
	let reads = 0;
	let state: BookingState = over.state ?? 'confirming';
	const { log, lines, events } = createTestLog();
	const connector = {
		...createFakeConnector(),
		book: async () => {
			did.push('book');
			return await (clinic.book ?? (async () => booked))();
		},
		findBooking: async () => {
			did.push('find');
			return await (clinic.find ?? (async () => absent))();
		}
	};
	const askings: Asking[] = [];
	const settle = async (
		_id: BookingId,
		outcome: Outcome,
		asking: Asking
	): Promise<SettledBooking | null> => {
		askings.push(asking);
		if (state === 'booked' || state === 'rejected') return null;
		({ state } = outcome);
		did.push(`settle ${state}`);
		return { entries: [], deviceKey, state, left: null, mail: null };
	};
	const write = createWriteBooking({
		bookings: {
			claim: async () => (claimed ? { bookingId, sourceId, attempts: over.attempts ?? 1 } : null),
			giveBack: async (_claimed, ms) => void did.push(`give back ${ms}`),
			read: async () => {
				reads += 1;
				return stored({ ...over, state });
			},
			readCancel: async () => null,
			keep: async () => null,
			settle,
			postpone: async (_id, ms) => void did.push(`postpone ${ms}`)
		},
		places,
		connectors: ofEveryKind(connector),
		queues: {
			addMail: async () => true,
			addBooking: async (_id, attempt, ms) => {
				did.push(`arm ${attempt} ${ms}`);
				return true;
			}
		},
		announce: (_id, settled) => void did.push(`announce ${settled.state}`),
		log
	});
	const reading = { reads: () => reads, places };
	return { write: () => write(bookingId, signal), did, askings, lines, events, ...reading };
};

test('[W14] the first attempt books, settles and tells', async () => {
	const { write, did } = setUp({}, {});
	expect(await write()).toEqual({ state: 'settled', as: 'booked' });
	expect(did).toEqual(['book', 'settle booked', 'announce booked']);
});

test('[H40] a word to be stored says which asking it comes from', async () => {
	const { write, askings } = setUp({ attempts: 3 }, { find: async () => found });
	await write();
	expect(askings).toEqual([{ attempts: 3 }]);
});

test('[W14] a refusal settles too', async () => {
	const { write, did } = setUp({}, { book: async () => rejected });
	expect(await write()).toEqual({ state: 'settled', as: 'rejected' });
	expect(did).toEqual(['book', 'settle rejected', 'announce rejected']);
});

test('[W14] a lost answer is kept as unconfirmed and asked for a second later', async () => {
	const { write, did } = setUp({}, { book: async () => lost });
	expect(await write()).toEqual({ state: 'open', retryInMs: 1_000 });
	expect(did).toEqual([
		'book',
		'settle unconfirmed',
		'announce unconfirmed',
		'postpone 1000',
		'arm 1 1000'
	]);
});

test('[W14] after a lost answer the clinic is asked, and its word settles', async () => {
	const { write, did } = setUp({ state: 'unconfirmed', attempts: 2 }, { find: async () => found });
	expect(await write()).toEqual({ state: 'settled', as: 'booked' });
	expect(did).toEqual(['find', 'settle booked', 'announce booked']);
});

test('[W14] only what the clinic does not know is sent again', async () => {
	const { write, did } = setUp({ state: 'unconfirmed', attempts: 3 }, { find: async () => absent });
	expect(await write()).toEqual({ state: 'settled', as: 'booked' });
	expect(did.slice(0, 2)).toEqual(['find', 'book']);
});

test('[W14] while the clinic cannot be asked nothing is sent', async () => {
	const { write, did } = setUp(
		{ state: 'unconfirmed', attempts: 4 },
		{ find: async () => unknown }
	);
	expect(await write()).toEqual({ state: 'open', retryInMs: 8_000 });
	expect(did).toEqual(['find', 'postpone 8000', 'arm 4 8000']);
});

test('[W14] a worker that died after sending: the next one asks before it sends', async () => {
	const { write, did } = setUp({ state: 'confirming', attempts: 2 }, { find: async () => found });
	await write();
	expect(did[0]).toBe('find');
	expect(did).not.toContain('book');
});

test('[W14] a connector that throws lost its answer', async () => {
	const { write, did, lines } = setUp(
		{},
		{
			book: async () => {
				throw new Error('Rosa Martinez');
			}
		}
	);
	expect(await write()).toMatchObject({ state: 'open' });
	expect(did).toContain('settle unconfirmed');
	expect(JSON.stringify(lines)).not.toContain('Rosa');
});

test('[W15] what somebody else has claimed or settled is left alone', async () => {
	const other = setUp({}, {}, false);
	expect(await other.write()).toEqual({ state: 'skipped' });
	expect(other.did).toEqual([]);
	const settled = setUp({ state: 'booked', attempts: 2 }, { find: async () => found });
	expect(await settled.write()).toEqual({ state: 'skipped' });
	expect(settled.did).toEqual(['find']);
});

test('[W49] while its source has no place free a booking is given back, unread', async () => {
	const { write, did, places, reads } = setUp({}, {});
	const leave = places.enter(sourceId);
	expect(await write()).toEqual({ state: 'open', retryInMs: 1_000 });
	expect(did).toEqual(['give back 1000']);
	expect(reads()).toBe(0);
	leave?.();
	expect(await write()).toEqual({ state: 'settled', as: 'booked' });
	expect(places.busy.size).toBe(0);
});

test('[W49] a place is left also by a booking that failed', async () => {
	const { write, did, places } = setUp({ attempts: 2 }, { find: async () => found });
	did.push = () => {
		throw new Error('Postgres is away');
	};
	await write();
	expect(places.busy.size).toBe(0);
});

test('[W22] a fault of ours is logged and the booking stays open', async () => {
	const { write, did, events } = setUp({ attempts: 2 }, { find: async () => found });
	did.push = () => {
		throw new Error('Postgres is away');
	};
	expect(await write()).toMatchObject({ state: 'open' });
	expect(events()).toContain('booking_failed');
});

test.each([
	[0, 1_000],
	[1, 1_000],
	[2, 2_000],
	[5, 16_000],
	[6, PAUSE_WHILE_WAITED_FOR_MS],
	[ATTEMPTS_WHILE_WAITED_FOR, PAUSE_WHILE_WAITED_FOR_MS],
	[ATTEMPTS_WHILE_WAITED_FOR + 1, LONGEST_PAUSE_MS],
	[1_000, LONGEST_PAUSE_MS]
])('[W26] after %i attempts the pause is %i ms', (attempts, expected) => {
	expect(pauseAfter(attempts)).toBe(expected);
});

test('[W26] a clinic that comes back within half an hour settles the booking within a minute', () => {
	const pauses = Array.from({ length: ATTEMPTS_WHILE_WAITED_FOR }, (_, n) => pauseAfter(n + 1));
	expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBeGreaterThanOrEqual(1_800_000);
	expect(Math.max(...pauses) + ASK_DEADLINE_MS + BOOK_DEADLINE_MS).toBeLessThanOrEqual(60_000);
});
