// A simulated Cal.com, API v2: slots, reservations and bookings of one event type, with the version
// header that decides the shapes, and the key that bookings ask for.
import { z } from 'zod';
import type { Ask, Handler, Reply } from '../exchange.ts';
import type { Booking, Office, Visit } from '../small/office.ts';

/** The only event type there is. */
export const EVENT_TYPE = 1_207;
export const CAL_COM_PATH = '/v2';

const RESERVATION_MS = 300_000;

type Reservation = { readonly uid: string; readonly visit: Visit; readonly until: number };

type State = {
	readonly office: Office;
	readonly reservations: Map<string, Reservation>;
	turn: number;
};

const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply => ({
	status,
	headers: { 'content-type': 'application/json', ...headers },
	body: JSON.stringify(value)
});
const success = (status: number, data: unknown, more: object = {}): Reply =>
	json(status, { status: 'success', data, ...more });
const refused = (status: number, message: string): Reply =>
	json(status, { status: 'error', error: { code: 'BadRequestException', message } });

const iso = (at: number): string => new Date(at).toISOString();

const dropLapsed = ({ reservations, office }: State): void => {
	for (const [uid, { visit, until }] of reservations) {
		if (until > office.now()) continue;
		if (visit.heldBy === uid) visit.heldBy = null;
		reservations.delete(uid);
		office.touch();
	}
};

const listSlots = (state: State, ask: Ask): Reply => {
	const { office } = state;
	const query = ask.url.searchParams;
	if (Number(query.get('eventTypeId')) !== EVENT_TYPE) return refused(404, 'Event type not found');
	const from = Date.parse(query.get('start') ?? '');
	const to = Date.parse(query.get('end') ?? '');
	if (!(from < to)) return refused(400, 'Invalid range');
	const isEmpty = ask.fault('empty_answer') !== undefined;
	const open = office
		.visits()
		.filter(
			({ isFree, heldBy, startAt }) => isFree && heldBy === null && startAt >= from && startAt < to
		);
	const days = Map.groupBy(isEmpty ? [] : open, ({ startAt }) => iso(startAt).slice(0, 10));
	const isRange = query.get('format') === 'range';
	const data = Object.fromEntries(
		[...days].map(([day, visits]) => [
			day,
			visits.map((visit) => ({
				start: iso(visit.startAt),
				...(isRange && { end: iso(visit.endAt) })
			}))
		])
	);
	const etag = `"${office.revision()}-${isEmpty}-${from}"`;
	return { ...success(200, data), headers: { 'content-type': 'application/json', etag } };
};

const ReservationBody = z.object({
	eventTypeId: z.literal(EVENT_TYPE),
	slotStart: z.iso.datetime()
});

const reserve = (state: State, body: unknown): Reply => {
	const asked = ReservationBody.safeParse(body);
	if (!asked.success) return refused(400, 'Invalid reservation');
	const visit = state.office.at(Date.parse(asked.data.slotStart));
	if (visit === undefined || !visit.isFree || visit.heldBy !== null) {
		return refused(422, 'Slot is already reserved or booked');
	}
	state.turn += 1;
	const uid = `reservation-${state.turn}`;
	visit.heldBy = uid;
	const until = state.office.now() + RESERVATION_MS;
	state.reservations.set(uid, { uid, visit, until });
	state.office.touch();
	return success(201, {
		eventTypeId: EVENT_TYPE,
		slotStart: iso(visit.startAt),
		slotEnd: iso(visit.endAt),
		reservationUid: uid,
		reservationDuration: RESERVATION_MS / 60_000,
		reservationUntil: iso(until)
	});
};

const release = (state: State, uid: string): Reply => {
	const found = state.reservations.get(uid);
	if (found === undefined) return refused(404, 'Reservation not found');
	if (found.visit.heldBy === uid) found.visit.heldBy = null;
	state.reservations.delete(uid);
	state.office.touch();
	return json(200, { status: 'success' });
};

const BookingBody = z.object({
	start: z.iso.datetime(),
	eventTypeId: z.literal(EVENT_TYPE),
	attendee: z
		.object({
			name: z.string().min(1),
			timeZone: z.string().min(1),
			email: z.email().optional(),
			phoneNumber: z.string().optional()
		})
		.refine(({ email, phoneNumber }) => email !== undefined || phoneNumber !== undefined),
	metadata: z.record(z.string().max(40), z.string().max(500)).default({}),
	bookingFieldsResponses: z.record(z.string(), z.string()).optional()
});

const told = ({ office }: State, booking: Booking): object => ({
	uid: booking.id,
	status: booking.status === 'booked' ? 'accepted' : 'cancelled',
	start: iso(booking.startAt),
	eventType: { id: EVENT_TYPE },
	meetingUrl: `https://meet.${office.host}/${booking.id}`,
	metadata: booking.content['metadata'] ?? {}
});

const book = (state: State, body: unknown): Reply => {
	const asked = BookingBody.safeParse(body);
	if (!asked.success) return refused(400, 'Invalid booking');
	const visit = state.office.at(Date.parse(asked.data.start));
	// Reservations only hide a time from the list: they do not keep others from booking it.
	if (visit !== undefined) visit.heldBy = null;
	const { metadata, attendee } = asked.data;
	const made =
		visit === undefined
			? null
			: state.office.book(visit, 'api', { reference: attendee.name, content: { metadata } });
	if (made === null)
		return refused(422, 'User already has booking at this time or is not available');
	return success(201, told(state, made));
};

const listBookings = (state: State, ask: Ask): Reply => {
	const take = Number(ask.url.searchParams.get('take') ?? 100);
	const skip = Number(ask.url.searchParams.get('skip') ?? 0);
	const all = state.office.bookings().toReversed();
	const some = all.slice(skip, skip + take);
	const hasNextPage = skip + take < all.length;
	return success(
		200,
		some.map((booking) => told(state, booking)),
		{ pagination: { totalItems: all.length, hasNextPage } }
	);
};

const parse = (text: string): unknown => {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
};

const versions: Readonly<Record<string, string>> = { slots: '2024-09-04', bookings: '2024-08-13' };

const route = (state: State, ask: Ask): Reply => {
	const [, version, kind = '', name = '', tail = ''] = ask.url.pathname.split('/');
	if (version !== 'v2') return refused(404, 'Cannot find this');
	// Without the header an older version answers, in shapes nobody expects.
	if (ask.headers['cal-api-version'] !== versions[kind])
		return json(200, { slots: {}, bookings: [] });
	const line = `${ask.method} ${kind}`;
	if (line === 'GET slots') return listSlots(state, ask);
	if (line === 'POST slots' && name === 'reservations') return reserve(state, parse(ask.body));
	if (line === 'DELETE slots') return release(state, tail);
	if (ask.headers['authorization'] === undefined) return refused(401, 'Unauthorized');
	if (line === 'GET bookings') return listBookings(state, ask);
	if (line === 'POST bookings' && name === '') return book(state, parse(ask.body));
	if (line === 'POST bookings' && tail === 'cancel') {
		return state.office.cancel(name) ? success(200, {}) : refused(404, 'Booking not found');
	}
	return refused(404, 'Cannot find this');
};

/** Creates the server's handler over a practice. */
export const createCalComHandler = (office: Office): Handler => {
	const state: State = { office, reservations: new Map(), turn: 0 };
	return (ask) => {
		dropLapsed(state);
		return route(state, ask);
	};
};
