// Cancelling at FHIR servers of both kinds (slots writable or not): read first, at its version, once;
// a lost reply is found by reading; a place that somebody else has taken stays theirs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomUUID } from 'node:crypto';
import { must } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import type { BookingOrder, CancelOrder } from '#workers/connectors/connector.ts';
import {
	startClinics,
	type RunningClinic,
	type RunningClinics
} from '../../../../demo/clinics/start.ts';
import { mustClose } from '../../../support/leaks.ts';
import { startFakeServer, type Asked, type Told } from '../fake-server.ts';
import { makeConnectors, makeSource } from '../poll-once.ts';

// Writable with 412, read-only with an empty body, writable with 409, read-only.
const keys = ['prairie-lantern', 'copper-mesa', 'cedar-harbor', 'quiet-ridge'] as const;

const patient: BookingOrder['patient'] = {
	givenName: 'Rosalind',
	familyName: 'Quillfeather',
	bornOn: '1961-05-23',
	phone: '+1 406 555 0123',
	email: null,
	reason: null
};

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
	const slotStatus = (id: string) =>
		clinic()
			.truth()
			.slots.find((slot) => slot.id === id)?.status;
	const kept = (slotId: string) =>
		clinic()
			.appointments()
			.filter((each) => each.slotId === slotId)
			.map(({ status }) => status);
	const bookAt = async (slotId: string, startAt: number, endAt: number): Promise<CancelOrder> => {
		const order: BookingOrder = {
			source: makeSource({ kind: 'fhir-slots', url: clinic().url }),
			bookingId: randomUUID(),
			sourceSlotId: slotId,
			scheduleKey: 'a',
			startsAt: toInstant(startAt),
			endsAt: toInstant(endAt),
			kind: 'video',
			patient,
			signal: AbortSignal.timeout(10_000)
		};
		const made = await must(connectors['fhir-slots'].book)(order);
		if (made.state !== 'booked') throw new Error(made.state);
		const { source, bookingId, signal } = order;
		const { appointmentId } = made;
		return { source, bookingId, signal, appointmentId, sourceSlotId: slotId, key: 'k-1' };
	};
	const used = new Set<string>();
	const booked = (): Promise<CancelOrder> => {
		const slot = must(
			clinic()
				.truth()
				.slots.find(
					({ id, status, startAt }) => status === 'free' && startAt > world.now() && !used.has(id)
				)
		);
		used.add(slot.id);
		return bookAt(slot.id, slot.startAt, slot.endAt);
	};
	const cancel = (order: CancelOrder) => must(connectors['fhir-slots'].cancel)(order);

	test('[A90] a booked appointment is cancelled and its slot is free again', async () => {
		const order = await booked();
		expect(slotStatus(order.sourceSlotId)).toBe('busy');
		expect(await cancel(order)).toEqual({ state: 'cancelled' });
		expect(kept(order.sourceSlotId)).toEqual(['cancelled']);
		expect(slotStatus(order.sourceSlotId)).toBe('free');
	});

	test('[A90] without the clinic’s own id our identifier finds it', async () => {
		const order = await booked();
		expect(await cancel({ ...order, appointmentId: null })).toEqual({ state: 'cancelled' });
		expect(kept(order.sourceSlotId)).toEqual(['cancelled']);
	});

	test('[A91] a reply that was lost is unconfirmed, and reading finds it cancelled', async () => {
		const order = await booked();
		clinic().setFault({ kind: 'reply_lost', count: 1, match: 'PUT' });
		expect(await cancel(order)).toMatchObject({ state: 'unconfirmed' });
		expect(await cancel(order)).toEqual({ state: 'cancelled' });
		expect(kept(order.sourceSlotId)).toEqual(['cancelled']);
		expect(slotStatus(order.sourceSlotId)).toBe('free');
	});

	test('[A91] who booked the freed time meanwhile keeps it', async () => {
		const order = await booked();
		const slot = must(
			clinic()
				.truth()
				.slots.find(({ id }) => id === order.sourceSlotId)
		);
		expect(await cancel(order)).toEqual({ state: 'cancelled' });
		await bookAt(slot.id, slot.startAt, slot.endAt);
		expect(await cancel(order)).toEqual({ state: 'cancelled' });
		expect(slotStatus(slot.id)).toBe('busy');
		expect(kept(slot.id).toSorted()).toEqual(['booked', 'cancelled']);
	});

	test.each(['hang', 'http_500', 'http_429'] as const)(
		'[A92] a clinic that answers with %s leaves it unconfirmed',
		async (kind) => {
			const order = await booked();
			clinic().setFault({ kind });
			const brief = { ...order, signal: AbortSignal.timeout(500) };
			expect(await cancel(brief)).toMatchObject({ state: 'unconfirmed' });
			clinic().setFault(null);
			expect(kept(order.sourceSlotId)).toEqual(['booked']);
			expect(await cancel(order)).toEqual({ state: 'cancelled' });
		}
	);
});

const bookingId = '3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f01';
const appointment = {
	resourceType: 'Appointment',
	id: 'ap1',
	meta: { versionId: '3', lastUpdated: '2026-06-01T10:00:00Z' },
	identifier: [{ system: 'urn:ietf:rfc:3986', value: `urn:uuid:${bookingId}` }],
	status: 'booked'
};
const busySlot = {
	resourceType: 'Slot',
	id: 's1',
	meta: { versionId: '7', lastUpdated: '2026-06-01T09:00:00Z' },
	status: 'busy'
};

type Script = { readonly read?: Told; readonly slot?: object; readonly put?: (nr: number) => Told };

const cancelAt = async ({ read, slot = busySlot, put = () => ({ body: {} }) }: Script) => {
	let puts = 0;
	await using server = await startFakeServer(({ method, url }) => {
		if (url.pathname.endsWith('/metadata')) return { status: 404 };
		const isSlot = url.pathname.includes('/Slot/');
		if (method === 'PUT') return isSlot ? {} : put((puts += 1));
		if (isSlot) return { headers: { etag: 'W/"7"' }, body: slot };
		if (url.pathname.endsWith('/Appointment')) return { body: { resourceType: 'Bundle' } };
		return read ?? { headers: { etag: 'W/"3"' }, body: appointment };
	});
	await using connectors = makeConnectors();
	const outcome = await must(connectors['fhir-slots'].cancel)({
		source: makeSource({ kind: 'fhir-slots', url: `${server.url}/fhir` }),
		bookingId,
		appointmentId: 'ap1',
		sourceSlotId: 's1',
		key: `${bookingId}-cancel-1`,
		signal: AbortSignal.timeout(10_000)
	});
	return { outcome, asked: server.asked };
};

const writes = (asked: readonly Asked[]): string[] =>
	asked
		.filter(({ method }) => method === 'PUT')
		.map(({ url, headers, body }) => {
			const { status } = JSON.parse(body) as { status: string };
			return `${url.pathname} ${status} ${headers['if-match']}`;
		});

test('[A90] the appointment is written at its version with our key, then the slot at its own', async () => {
	const { outcome, asked } = await cancelAt({});
	expect(outcome).toEqual({ state: 'cancelled' });
	expect(writes(asked)).toEqual([
		'/fhir/Appointment/ap1 cancelled W/"3"',
		'/fhir/Slot/s1 free W/"7"'
	]);
	const put = must(asked.find(({ method }) => method === 'PUT'));
	expect(put.headers['idempotency-key']).toBe(`"${bookingId}-cancel-1"`);
	// What else the clinic keeps in its record goes back as it came.
	expect(JSON.parse(put.body)).toMatchObject({ identifier: appointment.identifier });
});

test.each([
	['nothing to free', 'free', '2026-06-01T09:00:00Z', []],
	[
		'left busy by an attempt cut short',
		'busy',
		'2026-06-01T09:00:00Z',
		['/fhir/Slot/s1 free W/"7"']
	],
	['taken since', 'busy', '2026-06-01T11:00:00Z', []]
])(
	'[A91] found cancelled, the slot %s: only ours is freed',
	async (_name, status, at, expected) => {
		const { outcome, asked } = await cancelAt({
			read: { headers: { etag: 'W/"4"' }, body: { ...appointment, status: 'cancelled' } },
			slot: { ...busySlot, status, meta: { versionId: '7', lastUpdated: at } }
		});
		expect(outcome).toEqual({ state: 'cancelled' });
		expect(writes(asked)).toEqual(expected);
	}
);

test.each([
	[{ status: 409 }, 'unconfirmed', undefined, 3],
	[{ status: 412 }, 'unconfirmed', undefined, 3],
	[{ status: 503 }, 'unconfirmed', undefined, 1],
	[{ body: null }, 'unconfirmed', undefined, 1],
	[{ status: 422 }, 'refused', 'clinic_refused', 1],
	[{ status: 400 }, 'refused', 'clinic_refused', 1],
	[{ status: 405 }, 'refused', 'call_clinic', 1],
	[{ status: 403 }, 'refused', 'call_clinic', 1]
])('[A92] an answer of %j means %s %s', async (told, state, because, count) => {
	const { outcome, asked } = await cancelAt({ put: () => told });
	expect(outcome).toMatchObject(because === undefined ? { state } : { state, because });
	expect(writes(asked)).toHaveLength(count);
	expect(writes(asked).filter((line) => line.includes('Slot'))).toEqual([]);
});

test('[A92] a record that moved meanwhile is read again and cancelled at its new version', async () => {
	const { outcome, asked } = await cancelAt({ put: (nr) => ({ status: nr === 1 ? 412 : 200 }) });
	expect(outcome).toEqual({ state: 'cancelled' });
	expect(writes(asked)).toHaveLength(3);
});

test.each([
	[{ body: { ...appointment, status: 'fulfilled' } }, { state: 'refused', because: 'too_late' }],
	[{ body: { ...appointment, status: 'arrived' } }, { state: 'refused', because: 'too_late' }],
	[{ status: 410 }, { state: 'cancelled' }],
	// Not ours by its identifier, and none of ours to be found: nothing stands.
	[{ body: { ...appointment, identifier: [{ value: 'y' }] } }, { state: 'cancelled' }]
])('[A92] a record of %j needs no write', async (read, expected) => {
	const { outcome, asked } = await cancelAt({ read });
	expect(outcome).toEqual(expected);
	expect(writes(asked)).toEqual([]);
});
