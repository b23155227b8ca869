// Booking at a simulated Cal.com: once, never twice; a lost answer is not a no; and what its list of
// times means.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import type { BookingOrder } from '#workers/connectors/connector.ts';
import { readsOfTimes } from '#workers/connectors/providers/cal-com-slots.ts';
import { EVENT_TYPE } from '../../../../demo/clinics/cal-com/server.ts';
import { startOffice, type RunningOffice } from '../../../../demo/clinics/small/start.ts';
import { mustClose } from '../../../support/leaks.ts';
import { startFakeServer, type Asked, type Told } from '../fake-server.ts';
import { createPoller, makeConnectors, makeSource } from '../poll-once.ts';

const startAt = Date.UTC(2026, 10, 30, 19);
const notes = { zone: 'America/Denver', calEventTypes: [{ id: EVENT_TYPE }] };
const patient: BookingOrder['patient'] = {
	givenName: 'Rosalind',
	familyName: 'Quillfeather',
	bornOn: '1961-05-23',
	phone: '+1 406 555 0123',
	email: 'rosalind@example.org',
	reason: 'Rash on the arm'
};
const orderAt = (url: string, at: number, over: Partial<BookingOrder> = {}): BookingOrder => ({
	source: makeSource({ kind: 'cal-com', url, notes }),
	bookingId: randomUUID(),
	sourceSlotId: 'x',
	scheduleKey: `event-type-${EVENT_TYPE}`,
	startsAt: toInstant(at),
	endsAt: toInstant(at + 1_800_000),
	kind: 'video',
	patient,
	signal: AbortSignal.timeout(10_000),
	...over
});

const empty = { status: 'success', data: [], pagination: { hasNextPage: false } };

let connectors: ReturnType<typeof makeConnectors>;
beforeAll(() => {
	connectors = makeConnectors({ secretOf: async () => 'cal-key' });
});
afterAll(() => connectors.close());
const cal = () => {
	const { book, findBooking } = connectors['cal-com'];
	return { book: must(book), findBooking: must(findBooking) };
};

describe('a practice', () => {
	let running: RunningOffice;
	beforeAll(async () => {
		running = mustClose('office', await startOffice('cal-com', { startAt }));
	});
	afterAll(() => running.close());
	const free = () =>
		must(running.office.visits().find((each) => each.isFree && each.heldBy === null));
	const kept = (order: BookingOrder) =>
		running.office.bookings().filter((each) => each.startAt === order.startsAt);

	test('[A70] a free time is booked, found again by our id, and no reservation is left', async () => {
		const order = orderAt(running.url, free().startAt);
		const outcome = await cal().book(order);
		expect(outcome).toMatchObject({
			state: 'booked',
			joinUrl: expect.stringMatching(/^https:\/\/meet\./) as string
		});
		expect(await cal().findBooking(order)).toEqual(outcome);
		expect(kept(order)).toHaveLength(1);
		expect(running.office.visits().every(({ heldBy }) => heldBy === null)).toBe(true);
	});

	test('[A71] the same booking twice is one booking, another one is told "taken"', async () => {
		const order = orderAt(running.url, free().startAt);
		const first = await cal().book(order);
		expect(await cal().book(order)).toEqual(first);
		const other = { ...order, bookingId: randomUUID() };
		expect(await cal().book(other)).toEqual({ state: 'rejected', because: 'slot_taken' });
		expect(await cal().findBooking(other)).toEqual({ state: 'absent' });
		expect(kept(order)).toHaveLength(1);
	});

	test('[A71] of many at once exactly one gets the time', async () => {
		const order = orderAt(running.url, free().startAt);
		const orders = Array.from({ length: 12 }, () => ({ ...order, bookingId: randomUUID() }));
		const outcomes = await Promise.all(orders.map((each) => cal().book(each)));
		expect(outcomes.filter(({ state }) => state === 'booked')).toHaveLength(1);
		expect(outcomes.filter(({ state }) => state === 'rejected')).toHaveLength(11);
		expect(kept(order)).toHaveLength(1);
	});

	test('[A72] a lost answer is unconfirmed, keeps the reservation, and is found by asking', async () => {
		const order = orderAt(running.url, free().startAt);
		running.setFault({ kind: 'reply_lost', count: 1, match: 'POST /v2/bookings' });
		expect(await cal().book(order)).toMatchObject({ state: 'unconfirmed' });
		running.setFault(null);
		expect(await cal().findBooking(order)).toMatchObject({ state: 'booked' });
		expect(kept(order)).toHaveLength(1);
	});

	test('[A73] a reservation whose answer was lost does not refuse our next attempt', async () => {
		const visit = free();
		const order = orderAt(running.url, visit.startAt);
		running.setFault({ kind: 'reply_lost', count: 1, match: 'POST /v2/slots' });
		expect(await cal().book(order)).toMatchObject({ state: 'unconfirmed' });
		running.setFault(null);
		expect(visit.heldBy).not.toBeNull();
		expect(await cal().findBooking(order)).toEqual({ state: 'absent' });
		expect(await cal().book({ ...order, isRepeat: true })).toMatchObject({ state: 'booked' });
		expect(kept(order)).toHaveLength(1);
	});

	test('[A73] what was booked and cancelled is absent; trouble while asking is unknown', async () => {
		const order = orderAt(running.url, free().startAt);
		const outcome = await cal().book(order);
		running.office.cancel(outcome.state === 'booked' ? outcome.appointmentId : '');
		expect(await cal().findBooking(order)).toEqual({ state: 'absent' });
		running.setFault({ kind: 'http_500' });
		expect(await cal().findBooking(order)).toMatchObject({ state: 'unknown' });
		expect(await cal().book(order)).toMatchObject({ state: 'unconfirmed' });
		running.setFault(null);
	});

	test('[A75] an event type that the server does not know is misconfigured', async () => {
		const unknown = { calEventTypes: [{ id: 1 }] };
		const source = makeSource({ kind: 'cal-com', url: running.url, notes: unknown });
		const answer = await createPoller(connectors['cal-com'], source, () => startAt).poll();
		expect(answer).toMatchObject({ state: 'silent', reason: 'misconfigured' });
	});
});

test('[A75] an answer in the shapes of another version is not understood', async () => {
	const server = await startFakeServer(() => ({ body: { slots: {} } }));
	const source = makeSource({ kind: 'cal-com', url: server.url, notes });
	const answer = await createPoller(connectors['cal-com'], source, () => startAt).poll();
	expect(answer).toMatchObject({ state: 'silent', reason: 'not_understood' });
	await server.close();
});

describe('cancelling', () => {
	const cancelOrder = (order: BookingOrder) => ({
		source: order.source,
		bookingId: order.bookingId,
		appointmentId: null,
		sourceSlotId: order.sourceSlotId,
		key: 'key-1',
		signal: AbortSignal.timeout(10_000)
	});
	const cancel = () => must(connectors['cal-com'].cancel);

	test('[A78] a booking is found by our id and cancelled; again, and after a lost reply, nothing is sent', async () => {
		const running = mustClose('office', await startOffice('cal-com', { startAt }));
		const [first, second] = running.office.visits().filter(({ isFree }) => isFree);
		const orders = [first, second].map((visit) => orderAt(running.url, must(visit).startAt));
		for (const order of orders) expect(await cal().book(order)).toMatchObject({ state: 'booked' });
		const [one, other] = orders.map((order) => cancelOrder(order));
		expect(await cancel()(must(one))).toEqual({ state: 'cancelled' });
		expect(must(first).isFree).toBe(true);
		expect(await cancel()(must(one))).toEqual({ state: 'cancelled' });
		running.setFault({ kind: 'reply_lost', count: 1, match: '/cancel' });
		expect(await cancel()(must(other))).toMatchObject({ state: 'unconfirmed' });
		running.setFault({ kind: 'http_500', match: '/cancel' });
		expect(await cancel()(must(other))).toEqual({ state: 'cancelled' });
		expect(running.office.bookings().every(({ status }) => status === 'cancelled')).toBe(true);
		await running.close();
	});

	test.each([
		[200, { state: 'cancelled' }],
		[400, { state: 'refused', because: 'clinic_refused' }],
		[403, { state: 'refused', because: 'call_clinic' }],
		[404, { state: 'refused', because: 'call_clinic' }],
		[429, { state: 'unconfirmed' }],
		[503, { state: 'unconfirmed' }]
	])('[A78] a cancellation answered %i means %j', async (status, meaning) => {
		const data = [{ uid: 'u-1', status: 'accepted', metadata: { slotcastBookingId: 'b-1' } }];
		const server = await startFakeServer(({ method }) =>
			method === 'GET' ? { body: { ...empty, data } } : { status, body: {} }
		);
		const order = cancelOrder(orderAt(server.url, startAt, { bookingId: 'b-1' }));
		expect(await cancel()(order)).toMatchObject(meaning);
		expect(server.asked.map(({ url }) => url.pathname)).toEqual([
			'/v2/bookings',
			'/v2/bookings/u-1/cancel'
		]);
		await server.close();
	});
});

const bookAgainst = async (answer: (asked: Asked) => Told) => {
	const server = await startFakeServer(answer);
	const order = orderAt(server.url, startAt);
	const outcome = await cal().book(order);
	await server.close();
	return { outcome, asked: server.asked, order };
};

const reservation = { status: 'success', data: { reservationUid: 'r-1' } };

test.each([
	[201, { status: 'success', data: { uid: 'u', status: 'pending' } }, { state: 'unconfirmed' }],
	[
		201,
		{ status: 'success', data: { uid: 'u', status: 'rejected' } },
		{ state: 'rejected', because: 'clinic_refused' }
	],
	[201, 'nonsense', { state: 'unconfirmed' }],
	[400, {}, { state: 'rejected', because: 'clinic_refused' }],
	[401, {}, { state: 'rejected', because: 'clinic_refused' }],
	[409, {}, { state: 'rejected', because: 'slot_taken' }],
	[422, {}, { state: 'rejected', because: 'slot_taken' }],
	[429, {}, { state: 'unconfirmed' }],
	[503, {}, { state: 'unconfirmed' }]
])('[A72] a booking answered %i %j means %j', async (status, body, meaning) => {
	const { outcome } = await bookAgainst(({ method, url }) => {
		if (method === 'GET') return { body: empty };
		if (url.pathname.endsWith('/reservations')) return { status: 201, body: reservation };
		return method === 'DELETE' ? { body: {} } : { status, body };
	});
	expect(outcome).toMatchObject(meaning);
});

test('[A74] versions and key are sent; nothing of the patient is in an address or a header', async () => {
	const { asked, order } = await bookAgainst(({ method, url }) => {
		if (url.pathname.endsWith('/reservations')) return { status: 201, body: reservation };
		if (method === 'DELETE') return { body: {} };
		return { status: 201, body: { status: 'success', data: { uid: 'u', status: 'accepted' } } };
	});
	expect(asked.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
		'POST /v2/slots/reservations',
		'POST /v2/bookings',
		'DELETE /v2/slots/reservations/r-1'
	]);
	expect(asked.map(({ headers }) => headers['cal-api-version'])).toEqual([
		'2024-09-04',
		'2024-08-13',
		'2024-09-04'
	]);
	for (const { headers, url } of asked) {
		expect(headers['authorization']).toBe('Bearer cal-key');
		expect(JSON.stringify([headers, url.href])).not.toMatch(/Rosalind|Quillfeather|555|1961/);
	}
	expect(JSON.parse(asked[1]?.body ?? '')).toMatchObject({
		metadata: { slotcastBookingId: order.bookingId },
		attendee: { name: 'Rosalind Quillfeather', timeZone: 'America/Denver' }
	});
	expect(asked[0]?.body).not.toContain('Rosalind');
});

test('[A74] without a key nothing is booked: a lost answer could never be looked up', async () => {
	const keyless = makeConnectors();
	const order = orderAt('http://127.0.0.1:9/', startAt);
	expect(await keyless['cal-com'].book?.(order)).toEqual({
		state: 'rejected',
		because: 'clinic_refused'
	});
	expect(await keyless['cal-com'].findBooking?.(order)).toMatchObject({ state: 'unknown' });
	await keyless.close();
});

test('[A73] our id is looked for page by page; more bookings than can be looked through are unknown', async () => {
	const page = (hasNextPage: boolean, ids: string[]): Told => ({
		body: {
			status: 'success',
			data: ids.map((id) => ({ uid: id, status: 'accepted', metadata: { slotcastBookingId: id } })),
			pagination: { hasNextPage }
		}
	});
	const server = await startFakeServer(({ url }) =>
		page(true, url.searchParams.get('skip') === '300' ? ['mine'] : ['other'])
	);
	const order = orderAt(server.url, startAt, { bookingId: 'mine' });
	expect(await cal().findBooking(order)).toMatchObject({ state: 'booked', appointmentId: 'mine' });
	expect(await cal().findBooking({ ...order, bookingId: 'lost' })).toMatchObject({
		state: 'unknown'
	});
	await server.close();
});

test('[A75] times: seats, lengths, and what is refused', () => {
	const data = {
		'2026-12-01': [
			{ start: '2026-12-01T16:00:00.000Z', end: '2026-12-01T16:30:00.000Z' },
			{
				start: '2026-12-01T17:00:00.000Z',
				seatsRemaining: 3,
				seatsTotal: 8,
				end: '2026-12-01T18:00:00Z'
			},
			{ start: '2026-12-01T18:00:00.000Z' },
			{ start: 'noon', end: '2026-12-01T18:00:00Z' },
			{ start: '2026-12-01T19:00:00.000Z', end: '2026-12-01T18:00:00Z' },
			{ start: '2026-12-01T19:00:00.000Z', end: '2026-12-01T20:00:00Z', seatsRemaining: 'few' },
			null
		],
		'2026-12-02': 'none'
	};
	const read = (type: { id: number; minutes?: number }) =>
		(readsOfTimes(data, type, {}) ?? []).map(({ where, read }) =>
			read.kind === 'slot'
				? [read.fact.remaining, read.fact.capacity]
				: `${where}: ${read.kind === 'bad' ? read.reason : ''}`
		);
	const refused = [
		'event-type-7 2026-12-01 4: start is not an instant',
		'event-type-7 2026-12-01 5: ends before it starts',
		'event-type-7 2026-12-01 6: seats left are no number',
		'event-type-7 2026-12-01 7: no object',
		'event-type-7 2026-12-02: a day without a list of times'
	];
	const noEnd = 'event-type-7 2026-12-01 3: no end, and the event type is noted without a length';
	expect(read({ id: 7 })).toEqual([[1, 1], [3, 8], noEnd, ...refused]);
	expect(read({ id: 7, minutes: 45 })).toEqual([[1, 1], [3, 8], [1, 1], ...refused]);
	expect(readsOfTimes([], { id: 7 }, {})).toBeNull();
});

test('[A76] an event type that cannot be read leaves the others told and takes nothing away', async () => {
	const server = await startFakeServer(({ url }) =>
		url.searchParams.get('eventTypeId') === '2'
			? { status: 500 }
			: {
					body: {
						status: 'success',
						data: { d: [{ start: '2026-12-01T16:00:00Z', end: '2026-12-01T16:30:00Z' }] }
					}
				}
	);
	const source = makeSource({
		kind: 'cal-com',
		url: server.url,
		notes: { ...notes, kinds: ['video'], calEventTypes: [{ id: 1, kinds: ['phone'] }, { id: 2 }] }
	});
	const answer = await createPoller(connectors['cal-com'], source, () => startAt).poll();
	expect(answer).toMatchObject({
		state: 'partial',
		unreadSchedules: ['event-type-2'],
		listing: { facts: [{ scheduleKey: 'event-type-1', remaining: 1 }] },
		schedules: [
			{ key: 'event-type-1', kinds: ['phone'] },
			{ key: 'event-type-2', kinds: ['video'] }
		]
	});
	await server.close();
});
