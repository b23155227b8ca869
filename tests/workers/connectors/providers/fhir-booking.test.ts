// Booking at FHIR servers of both kinds (slots writable or not): once, never twice; a lost answer is
// not a no; a refused booking gives the slot back; the patient is in no address.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomUUID } from 'node:crypto';
import { must } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import type { BookingOrder } from '#workers/connectors/connector.ts';
import {
	startClinics,
	type RunningClinic,
	type RunningClinics
} from '../../../../demo/clinics/start.ts';
import { mustClose } from '../../../support/leaks.ts';
import { startFakeServer, type Asked, type Told } from '../fake-server.ts';
import { makeConnectors, makeSource } from '../poll-once.ts';

const patient: BookingOrder['patient'] = {
	givenName: 'Rosalind',
	familyName: 'Quillfeather',
	bornOn: '1961-05-23',
	phone: '+1 406 555 0123',
	email: 'rosalind@example.org',
	reason: 'Rash on the arm'
};

const orderOf = (over: Partial<BookingOrder> & Pick<BookingOrder, 'source'>): BookingOrder => ({
	bookingId: randomUUID(),
	sourceSlotId: 's1',
	scheduleKey: 'a',
	startsAt: toInstant(Date.UTC(2026, 5, 2, 15)),
	endsAt: toInstant(Date.UTC(2026, 5, 2, 15, 20)),
	kind: 'video',
	patient,
	signal: AbortSignal.timeout(10_000),
	...over
});

// Writable with 412, read-only with an empty body, writable with 409, read-only.
const keys = ['prairie-lantern', 'copper-mesa', 'cedar-harbor', 'quiet-ridge'] as const;

describe.each(keys)('%s', (key) => {
	let world: RunningClinics & AsyncDisposable;
	let connectors: ReturnType<typeof makeConnectors>;
	beforeAll(async () => {
		world = mustClose('clinics', await startClinics({ seed: 9, slotCount: 400, keys: [key] }));
		connectors = makeConnectors({ deadlineMs: 10_000 });
	});
	afterAll(async () => {
		await connectors.close();
		await world.close();
	});
	const clinic = (): RunningClinic => must(world.clinics[0]);
	const fhir = () => {
		const { book, findBooking } = connectors['fhir-slots'];
		return { book: must(book), findBooking: must(findBooking) };
	};
	const nextOrder = (): BookingOrder => {
		const slot = must(
			clinic()
				.truth()
				.slots.find((each) => each.status === 'free' && each.startAt > world.now())
		);
		return orderOf({
			source: makeSource({ kind: 'fhir-slots', url: clinic().url }),
			sourceSlotId: slot.id,
			startsAt: toInstant(slot.startAt),
			endsAt: toInstant(slot.endAt)
		});
	};
	const slotStatus = (order: BookingOrder) =>
		clinic()
			.truth()
			.slots.find(({ id }) => id === order.sourceSlotId)?.status;
	const kept = (order: BookingOrder) =>
		clinic()
			.appointments()
			.filter(({ slotId }) => slotId === order.sourceSlotId);

	test('[A20] a free slot is booked, found again, and busy from then on', async () => {
		const order = nextOrder();
		const outcome = await fhir().book(order);
		expect(outcome).toMatchObject({ state: 'booked' });
		expect(await fhir().findBooking(order)).toMatchObject(outcome);
		expect(slotStatus(order)).toBe('busy');
		expect(kept(order)).toHaveLength(1);
	});

	test('[A21] the same booking twice is one appointment, another one is told "taken"', async () => {
		const order = nextOrder();
		const first = await fhir().book(order);
		expect(await fhir().book(order)).toEqual(first);
		const other = { ...order, bookingId: randomUUID() };
		expect(await fhir().book(other)).toEqual({ state: 'rejected', because: 'slot_taken' });
		expect(await fhir().findBooking(other)).toEqual({ state: 'absent' });
		expect(kept(order)).toHaveLength(1);
	});

	test('[A21] of many at once exactly one gets the slot', async () => {
		const order = nextOrder();
		const orders = Array.from({ length: 12 }, () => ({ ...order, bookingId: randomUUID() }));
		const outcomes = await Promise.all(orders.map((each) => fhir().book(each)));
		expect(outcomes.filter(({ state }) => state === 'booked')).toHaveLength(1);
		expect(kept(order)).toHaveLength(1);
		expect(slotStatus(order)).toBe('busy');
	});

	test('[A22] an answer that was lost is unconfirmed, and found by asking', async () => {
		const order = nextOrder();
		clinic().setFault({ kind: 'reply_lost', count: 1, match: 'POST' });
		expect(await fhir().book(order)).toMatchObject({ state: 'unconfirmed' });
		expect(kept(order)).toHaveLength(1);
		expect(await fhir().findBooking(order)).toMatchObject({ state: 'booked' });
		expect(await fhir().book(order)).toMatchObject({ state: 'booked' });
		expect(kept(order)).toHaveLength(1);
	});

	test.each(['hang', 'http_500', 'http_429'] as const)(
		'[A22] a clinic that answers with %s leaves the booking unconfirmed',
		async (kind) => {
			const order = nextOrder();
			const brief = () => ({ ...order, signal: AbortSignal.timeout(500) });
			clinic().setFault({ kind, match: 'POST' });
			expect(await fhir().book(brief())).toMatchObject({ state: 'unconfirmed' });
			clinic().setFault({ kind });
			expect(await fhir().findBooking(brief())).toMatchObject({ state: 'unknown' });
			clinic().setFault(null);
			expect(await fhir().findBooking(order)).toEqual({ state: 'absent' });
			clinic().setSlotStatus(order.sourceSlotId, 'free');
		}
	);

	test('[A27] the hold of an attempt that failed does not refuse the next one', async () => {
		const order = nextOrder();
		clinic().setFault({ kind: 'http_500', count: 1, match: 'POST' });
		expect(await fhir().book(order)).toMatchObject({ state: 'unconfirmed' });
		expect(await fhir().findBooking(order)).toEqual({ state: 'absent' });
		expect(await fhir().book({ ...order, isRepeat: true })).toMatchObject({ state: 'booked' });
		expect(slotStatus(order)).toBe('busy');
		expect(kept(order)).toHaveLength(1);
	});

	test('[A23] a slot that is unknown, removed or not free any more is taken', async () => {
		const unknown = { ...nextOrder(), sourceSlotId: 'nobody-knows' };
		expect(await fhir().book(unknown)).toEqual({ state: 'rejected', because: 'slot_taken' });
		const busy = nextOrder();
		clinic().setSlotStatus(busy.sourceSlotId, 'busy-unavailable');
		expect(await fhir().book(busy)).toEqual({ state: 'rejected', because: 'slot_taken' });
		const removed = nextOrder();
		clinic().setSlotStatus(removed.sourceSlotId, 'removed');
		expect(await fhir().book(removed)).toEqual({ state: 'rejected', because: 'slot_taken' });
	});

	test('[A23] an id that now means another time is not booked', async () => {
		const order = nextOrder();
		const moved = { ...order, startsAt: toInstant(order.startsAt - 3_600_000) };
		expect(await fhir().book(moved)).toEqual({ state: 'rejected', because: 'slot_taken' });
		expect(slotStatus(order)).toBe('free');
	});
});

const freeSlot = {
	resourceType: 'Slot',
	id: 's1',
	meta: { versionId: '7' },
	schedule: { reference: 'Schedule/a' },
	status: 'free',
	start: '2026-06-02T15:00:00Z',
	end: '2026-06-02T15:20:00Z'
};
const heldSlot = { ...freeSlot, meta: { versionId: '8' }, status: 'busy-tentative' };

type Script = {
	post: Told;
	put?: Told;
	found?: object[];
	lookup?: Told;
	slot?: object;
	isRepeat?: boolean;
};

const bookAt = async (script: Script) => {
	const { post, put, found = [], lookup, slot = freeSlot, isRepeat = false } = script;
	await using server = await startFakeServer(({ method, url }) => {
		if (url.pathname.endsWith('/metadata')) return { status: 404 };
		if (method === 'POST') return post;
		if (method === 'PUT') return put ?? { headers: { etag: 'W/"8"' }, body: heldSlot };
		if (url.pathname.endsWith('/Appointment')) {
			if (lookup !== undefined) return lookup;
			const entry = found.map((resource) => ({ resource }));
			return { body: { resourceType: 'Bundle', type: 'searchset', entry } };
		}
		return { headers: { etag: 'W/"7"' }, body: slot };
	});
	await using connectors = makeConnectors();
	const source = makeSource({ kind: 'fhir-slots', url: `${server.url}/fhir` });
	const order = orderOf({ source, isRepeat });
	const outcome = await must(connectors['fhir-slots'].book)(order);
	return { outcome, asked: server.asked, order };
};

const steps = (asked: readonly Asked[]): string[] =>
	asked
		.filter(({ url }) => !url.pathname.endsWith('/metadata'))
		.map(({ method, url, headers, body }) => {
			const status =
				body === '' ? '' : ` ${String((JSON.parse(body) as { status: string }).status)}`;
			return `${method} ${url.pathname}${status} ${headers['if-match'] ?? ''}`.trim();
		});

test('[A24] the slot is held at its version, booked once, then made busy', async () => {
	const appointment = { resourceType: 'Appointment', id: 'ap1', status: 'booked' };
	const { outcome, asked, order } = await bookAt({ post: { status: 201, body: appointment } });
	expect(outcome).toEqual({ state: 'booked', appointmentId: 'ap1', joinUrl: null });
	expect(steps(asked)).toEqual([
		'GET /fhir/Slot/s1',
		'PUT /fhir/Slot/s1 busy-tentative W/"7"',
		'POST /fhir/Appointment booked',
		'PUT /fhir/Slot/s1 busy W/"8"'
	]);
	const post = must(asked.find(({ method }) => method === 'POST'));
	expect(decodeURIComponent(String(post.headers['if-none-exist']))).toBe(
		`identifier=urn:ietf:rfc:3986|urn:uuid:${order.bookingId}`
	);
});

test('[A24] the patient is inside the Appointment and in no address or header', async () => {
	const { asked } = await bookAt({ post: { status: 422, body: {} } });
	for (const one of asked) {
		const visible = one.url.href + JSON.stringify(one.headers);
		for (const secret of [
			'Rosalind',
			'Quillfeather',
			'1961-05-23',
			'406 555',
			'406%20555',
			'Rash'
		]) {
			expect(visible).not.toContain(secret);
		}
	}
	const post = must(asked.find(({ method }) => method === 'POST'));
	expect(JSON.parse(post.body)).toMatchObject({
		contained: [{ resourceType: 'Patient', birthDate: '1961-05-23' }],
		participant: [{ actor: { reference: '#patient' }, status: 'accepted' }],
		slot: [{ reference: 'Slot/s1' }]
	});
});

test.each([
	[409, 'slot_taken'],
	[412, 'slot_taken'],
	[404, 'slot_taken'],
	[400, 'clinic_refused'],
	[403, 'clinic_refused'],
	[422, 'clinic_refused']
])(
	'[A25] a booking answered %i is rejected as %s and the slot is given back',
	async (status, because) => {
		const { outcome, asked } = await bookAt({ post: { status, body: '<html>no' } });
		expect(outcome).toEqual({ state: 'rejected', because });
		expect(steps(asked).at(-1)).toBe('PUT /fhir/Slot/s1 free W/"8"');
	}
);

test.each([
	['503', { status: 503 }],
	['429', { status: 429 }],
	['a reset', { body: null }],
	['a redirect', { status: 307, headers: { location: 'https://clinic.example/' } }],
	['200 without a word', { status: 200, body: '' }],
	['pending', { status: 201, body: { resourceType: 'Appointment', id: 'x', status: 'pending' } }]
])('[A22] after %s nothing is given back and nothing is repeated', async (_name, post) => {
	const { outcome, asked } = await bookAt({ post });
	expect(outcome).toMatchObject({ state: 'unconfirmed' });
	expect(steps(asked).filter((step) => step.startsWith('POST'))).toHaveLength(1);
	expect(steps(asked).filter((step) => step.includes(' free '))).toEqual([]);
});

test('[A25] a race lost at the hold posts nothing', async () => {
	for (const status of [409, 412]) {
		const { outcome, asked } = await bookAt({ post: {}, put: { status } });
		expect(outcome).toEqual({ state: 'rejected', because: 'slot_taken' });
		expect(asked.some(({ method }) => method === 'POST')).toBe(false);
	}
});

test('[A24] where slots cannot be written the Appointment alone decides', async () => {
	const appointment = { resourceType: 'Appointment', id: 'ap1', status: 'booked' };
	const { outcome, asked } = await bookAt({ post: { body: appointment }, put: { status: 405 } });
	expect(outcome).toMatchObject({ state: 'booked' });
	expect(steps(asked).filter((step) => step.startsWith('PUT'))).toHaveLength(1);
});

test('[A22] other people’s appointments of a server that ignores the identifier are not ours', async () => {
	const post = {
		status: 409,
		body: { resourceType: 'OperationOutcome', issue: [{ code: 'duplicate' }] }
	};
	const foreign = {
		resourceType: 'Appointment',
		id: 'x',
		status: 'booked',
		identifier: [{ value: 'y' }]
	};
	const { outcome } = await bookAt({ post, found: [foreign] });
	expect(outcome).toMatchObject({ state: 'unconfirmed' });
});

test('[A27] a tentative slot is taken for a first attempt and asked for by a repeat', async () => {
	const first = await bookAt({ post: {}, slot: heldSlot });
	expect(first.outcome).toEqual({ state: 'rejected', because: 'slot_taken' });
	const again = await bookAt({ post: { status: 409 }, slot: heldSlot, isRepeat: true });
	expect(again.outcome).toEqual({ state: 'rejected', because: 'slot_taken' });
	// Whose hold it is nobody knows: it is not given away.
	expect(steps(again.asked).filter((step) => step.startsWith('PUT'))).toEqual([]);
});

test('[A27] nobody is told "taken" while the clinic cannot say whether it has the booking', async () => {
	const slot = { ...freeSlot, status: 'busy' };
	const { outcome, asked } = await bookAt({
		post: {},
		slot,
		lookup: { status: 503 },
		isRepeat: true
	});
	expect(outcome).toMatchObject({ state: 'unconfirmed' });
	// A remembered search of a moment ago would not know of a booking made since.
	const lookup = must(asked.find(({ url }) => url.pathname.endsWith('/Appointment')));
	expect(lookup.headers['cache-control']).toBe('no-cache');
});

test('[A26] the way to join is told when the clinic tells it', async () => {
	const body = {
		resourceType: 'Appointment',
		id: 'ap1',
		status: 'booked',
		extension: [
			{
				url: 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.virtualService',
				extension: [{ url: 'address', valueUrl: 'https://meet.example/r/1' }]
			}
		]
	};
	const { outcome } = await bookAt({ post: { status: 201, body } });
	expect(outcome).toMatchObject({ joinUrl: 'https://meet.example/r/1' });
});
