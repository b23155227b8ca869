// Telling a clinic of a cancellation: what is asked, kept, settled and put off.
import { expect, test } from 'vitest';
import { BookingId, DeviceKey, SourceId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { SettledBooking } from '#server/store/bookings.ts';
import type { CancelOrder, CancelOutcome, Connector } from '#workers/connectors/connector.ts';
import { createSourcePlaces } from '#workers/jobs/source-places.ts';
import { createWriteBooking } from '#workers/jobs/write-booking.ts';
import { createFakeConnector, createTestLog, makeSource, ofEveryKind } from '../fakes.ts';

const bookingId = BookingId.parse('0191d3c4-6f00-4c3e-9f6e-3f6e6c1f2a10');
const otherId = BookingId.parse('0191d3c4-6f00-4c3e-9f6e-3f6e6c1f2a11');
const deviceKey = DeviceKey.parse('a'.repeat(64));
const signal = new AbortController().signal;

const settledAs = (state: SettledBooking['state'], left: SettledBooking['left'] = null) => ({
	entries: [],
	deviceKey,
	state,
	left,
	mail: null
});

const setUp = (cancel: Connector['cancel'], attempts = 1) => {
	const did: string[] = [];
	const { log, lines } = createTestLog();
	const connector = {
		...createFakeConnector(),
		...(cancel === undefined ? {} : { cancel }),
		book: async () => ({ state: 'booked', appointmentId: 'a-2', joinUrl: null }) as const,
		findBooking: async () => ({ state: 'absent' }) as const
	};
	const order = {
		source: makeSource(),
		bookingId,
		appointmentId: 'a-1',
		sourceSlotId: 's-1',
		startsAt: toInstant(0)
	};
	const deps = {
		bookings: {
			claim: async () => ({ bookingId, sourceId: SourceId.parse(7), attempts: 1 }),
			giveBack: async () => {},
			read: async () => null,
			readCancel: async () => ({ attempts, round: 2, order }),
			settle: async (_id: BookingId, { state }: { state: SettledBooking['state'] }) => {
				did.push(`settle ${state}`);
				return settledAs(state);
			},
			keep: async (_id: BookingId, because: string) => {
				did.push(`keep ${because}`);
				return settledAs('booked');
			},
			postpone: async (_id: BookingId, ms: number) => void did.push(`postpone ${ms}`)
		},
		places: createSourcePlaces(),
		connectors: ofEveryKind(connector),
		queues: {
			addMail: async () => true,
			addBooking: async (id: BookingId, attempt = 0, ms = 0, round = 0) => {
				did.push(`arm ${id === bookingId ? 'it' : 'the other'} ${attempt} ${ms} ${round}`);
				return true;
			}
		},
		announce: (_id: BookingId, { state }: SettledBooking) => void did.push(`announce ${state}`),
		log
	};
	return { deps, did, lines, write: () => createWriteBooking(deps)(bookingId, signal) };
};

const answer = (outcome: CancelOutcome) => async () => outcome;

test('[J2] cancelled by the clinic: settled and told', async () => {
	const { write, did } = setUp(answer({ state: 'cancelled' }));
	expect(await write()).toEqual({ state: 'settled', as: 'cancelled' });
	expect(did).toEqual(['settle cancelled', 'announce cancelled']);
});

test('[J3] refused by the clinic: kept with its reason, and told', async () => {
	const { write, did } = setUp(answer({ state: 'refused', because: 'clinic_refused' }));
	expect(await write()).toEqual({ state: 'settled', as: 'booked' });
	expect(did).toEqual(['keep clinic_refused', 'announce booked']);
});

test.each([undefined, null])(
	'[J3] a kind that cannot cancel (%s): the clinic is called',
	async (no) => {
		const { write, did } = setUp(no);
		await write();
		expect(did).toEqual(['keep call_clinic', 'announce booked']);
	}
);

test('[J5] a lost answer is put off, and the next attempt carries the same key', async () => {
	const keys: string[] = [];
	const lost = async ({ key }: CancelOrder): Promise<CancelOutcome> => {
		keys.push(key);
		return { state: 'unconfirmed', detail: 'no answer' };
	};
	for (const attempts of [1, 3]) {
		const { write, did } = setUp(lost, attempts);
		const ms = 1_000 * 2 ** (attempts - 1);
		expect(await write()).toEqual({ state: 'open', retryInMs: ms });
		expect(did).toEqual([`postpone ${ms}`, `arm it ${attempts} ${ms} 2`]);
	}
	expect(new Set(keys)).toEqual(new Set([`${bookingId}-cancel-2`]));
});

test('[J5] a connector that throws has lost its answer, and quotes nobody', async () => {
	const { write, did, lines } = setUp(() => Promise.reject(new Error('Rosa Martinez')));
	expect(await write()).toMatchObject({ state: 'open' });
	expect(did[0]).toMatch(/^postpone/);
	expect(JSON.stringify(lines)).not.toContain('Rosa');
});

test('[J10] a new visit that is booked sends for the cancellation of the old one', async () => {
	const { deps, did } = setUp(undefined);
	const { order } = await deps.bookings.readCancel();
	const patient = {
		givenName: 'Rosa',
		familyName: 'Martinez',
		bornOn: '1961-05-23',
		phone: '+14065550100',
		email: null,
		reason: null,
		planId: null
	};
	const write = createWriteBooking({
		...deps,
		bookings: {
			...deps.bookings,
			readCancel: async () => null,
			read: async () => ({
				state: 'confirming',
				attempts: 1,
				createdAt: toInstant(0),
				order: { ...order, scheduleKey: 'a', endsAt: toInstant(1), kind: 'video', patient }
			}),
			settle: async () => settledAs('booked', { bookingId: otherId, round: 1 })
		}
	});
	expect(await write(bookingId, signal)).toEqual({ state: 'settled', as: 'booked' });
	expect(did).toEqual(['announce booked', 'arm the other 0 0 1']);
});
