// Finding and booking by `$find`, `$hold` and `$book` in three dialects: once, never twice; a lost
// answer is not a no; the patient is in no address.
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import type { BookingOrder } from '#workers/connectors/connector.ts';
import { readFound } from '#workers/connectors/providers/find-reading.ts';
import { startOffice, type RunningOffice } from '../../../../demo/clinics/small/start.ts';
import { mustClose } from '../../../support/leaks.ts';
import { startFakeServer, type Asked, type Told } from '../fake-server.ts';
import { stages } from '../office-stages.ts';
import { createPoller, factsOf, makeConnectors, makeSource, spoken } from '../poll-once.ts';

const startAt = Date.UTC(2026, 10, 30, 19);
/** What a cancellation is sent by. */
const sentBy = { argonaut: 'PUT', ihe: '$book', medplum: '$cancel' } as const;
const patient: BookingOrder['patient'] = {
	givenName: 'Rosalind',
	familyName: 'Quillfeather',
	bornOn: '1961-05-23',
	phone: '+1 406 555 0123',
	email: 'rosalind@example.org',
	reason: 'Rash on the arm'
};
let connectors: ReturnType<typeof makeConnectors>;
beforeAll(() => {
	connectors = makeConnectors({ secretOf: async () => 'fhir-key' });
});
afterAll(() => connectors.close());
const fhir = () => {
	const { book, findBooking } = connectors['fhir-operations'];
	return { book: must(book), findBooking: must(findBooking) };
};

describe.each(stages.filter(({ kind }) => kind === 'fhir-operations'))('$name', (stage) => {
	let running: RunningOffice;
	beforeAll(async () => {
		running = mustClose('office', await startOffice(stage.format, { startAt }));
	});
	afterAll(() => running.close());

	const nextOrder = async (): Promise<BookingOrder> => {
		const source = makeSource({ kind: stage.kind, url: running.url, notes: stage.notes });
		const poller = createPoller(connectors[stage.kind], source, running.now);
		const fact = must(factsOf(await poller.poll())[0]);
		const { sourceSlotId, scheduleKey, startsAt, endsAt } = fact;
		return {
			source,
			bookingId: randomUUID(),
			sourceSlotId,
			scheduleKey,
			startsAt,
			endsAt,
			kind: 'video',
			patient,
			signal: AbortSignal.timeout(10_000)
		};
	};
	const kept = (order: BookingOrder) =>
		running.office.bookings().filter((each) => each.startAt === order.startsAt);

	test('[A80] a found time is found again under a new id, kept, booked, and found by our identifier', async () => {
		const order = await nextOrder();
		const outcome = await fhir().book(order);
		expect(outcome).toMatchObject({ state: 'booked' });
		expect(outcome.state === 'booked' && outcome.joinUrl).toMatch(/^https:\/\/meet\./);
		expect(await fhir().findBooking(order)).toEqual(outcome);
		expect(kept(order)).toHaveLength(1);
	});

	test('[A81] the same booking twice is one appointment; of many at once exactly one gets the time', async () => {
		const order = await nextOrder();
		const first = await fhir().book(order);
		expect(await fhir().book(order)).toEqual(first);
		const other = { ...order, bookingId: randomUUID() };
		expect(await fhir().book(other)).toEqual({ state: 'rejected', because: 'slot_taken' });
		const next = await nextOrder();
		const orders = Array.from({ length: 8 }, () => ({ ...next, bookingId: randomUUID() }));
		const outcomes = await Promise.all(orders.map((each) => fhir().book(each)));
		expect(outcomes.filter(({ state }) => state === 'booked')).toHaveLength(1);
		expect(kept(next)).toHaveLength(1);
	});

	test('[A82] a lost answer is unconfirmed and found by asking; trouble is never a no', async () => {
		const order = await nextOrder();
		running.setFault({ kind: 'reply_lost', count: 1, match: '$book' });
		expect(await fhir().book(order)).toMatchObject({ state: 'unconfirmed' });
		running.setFault(null);
		expect(await fhir().findBooking(order)).toMatchObject({ state: 'booked' });
		expect(await fhir().book({ ...order, isRepeat: true })).toMatchObject({ state: 'booked' });
		expect(kept(order)).toHaveLength(1);
		const next = await nextOrder();
		running.setFault({ kind: 'http_500' });
		expect(await fhir().book(next)).toMatchObject({ state: 'unconfirmed' });
		expect(await fhir().findBooking(next)).toMatchObject({ state: 'unknown' });
		running.setFault(null);
	});

	const cancelOf = async (order: BookingOrder, appointmentId: string | null) =>
		await must(connectors['fhir-operations'].cancel)({
			source: order.source,
			bookingId: order.bookingId,
			appointmentId,
			sourceSlotId: order.sourceSlotId,
			key: 'change-1',
			signal: AbortSignal.timeout(10_000)
		});
	const booked = async (): Promise<{ order: BookingOrder; id: string }> => {
		const order = await nextOrder();
		const made = await fhir().book(order);
		if (made.state !== 'booked') throw new Error(made.state);
		return { order, id: made.appointmentId };
	};

	test('[A98] a booked time is cancelled in the server’s own way, is free again, and that once', async () => {
		const { order, id } = await booked();
		expect(await cancelOf(order, id)).toEqual({ state: 'cancelled' });
		expect(kept(order).map(({ status }) => status)).toEqual(['cancelled']);
		expect(await cancelOf(order, id)).toEqual({ state: 'cancelled' });
		expect(await fhir().findBooking(order)).toEqual({ state: 'absent' });
		const again = { ...order, bookingId: randomUUID() };
		expect(await fhir().book(again)).toMatchObject({ state: 'booked' });
		expect(await cancelOf(order, null)).toEqual({ state: 'cancelled' });
		expect(kept(order).map(({ status }) => status)).toEqual(['cancelled', 'booked']);
	});

	test('[A98] a lost answer to a cancellation is unconfirmed, and found cancelled by trying again', async () => {
		const { order, id } = await booked();
		running.setFault({
			kind: 'reply_lost',
			count: 1,
			match: sentBy[must(order.source.notes.find).style]
		});
		expect(await cancelOf(order, id)).toMatchObject({ state: 'unconfirmed' });
		running.setFault(null);
		expect(await cancelOf(order, id)).toEqual({ state: 'cancelled' });
		expect(kept(order).map(({ status }) => status)).toEqual(['cancelled']);
	});
});

const bundle = (...resources: object[]): object => ({
	resourceType: 'Bundle',
	entry: resources.map((resource) => ({ resource }))
});
const proposal = {
	resourceType: 'Appointment',
	id: 'p1',
	status: 'proposed',
	start: '2026-12-01T16:00:00Z',
	end: '2026-12-01T16:30:00Z',
	participant: [{ actor: { reference: 'Practitioner/a', display: 'Ana Ruiz' } }]
};
const source = (url: string) =>
	makeSource({
		kind: 'fhir-operations',
		url: `${url}/fhir`,
		notes: { find: { style: 'argonaut', holds: true } }
	});
const bookAgainst = async (answer: (asked: Asked) => Told) => {
	const server = await startFakeServer(answer);
	const outcome = await fhir().book({
		source: source(server.url),
		bookingId: 'b-1',
		sourceSlotId: 'Practitioner/a 2026-12-01T16:00:00.000Z',
		scheduleKey: 'Practitioner/a',
		startsAt: toInstant(Date.parse(proposal.start)),
		endsAt: toInstant(Date.parse(proposal.end)),
		kind: 'phone',
		patient,
		signal: AbortSignal.timeout(10_000)
	});
	await server.close();
	return { outcome, asked: server.asked };
};
const issue = (code: string) => ({ resourceType: 'OperationOutcome', issue: [{ code }] });

test.each([
	[200, bundle({ ...proposal, status: 'booked' }), { state: 'booked', appointmentId: 'p1' }],
	[201, { ...proposal, status: 'booked' }, { state: 'booked' }],
	[200, bundle({ ...proposal, status: 'pending' }), { state: 'unconfirmed' }],
	[200, bundle({ ...proposal, status: 'cancelled' }), { state: 'rejected', because: 'slot_taken' }],
	[200, {}, { state: 'unconfirmed' }],
	[400, issue('conflict'), { state: 'rejected', because: 'slot_taken' }],
	[404, issue('not-found'), { state: 'rejected', because: 'slot_taken' }],
	[409, {}, { state: 'rejected', because: 'slot_taken' }],
	[422, issue('business-rule'), { state: 'rejected', because: 'clinic_refused' }],
	[403, issue('forbidden'), { state: 'rejected', because: 'clinic_refused' }],
	[503, {}, { state: 'unconfirmed' }]
])('[A82] $book answered %i %j means %j', async (status, body, meaning) => {
	const { outcome } = await bookAgainst(({ url }) => {
		if (url.pathname.endsWith('$find')) return { body: bundle(proposal) };
		if (url.pathname.endsWith('$hold')) return { status: 501, body: issue('not-supported') };
		return url.pathname.endsWith('$book') ? { status, body } : { body: bundle() };
	});
	expect(outcome).toMatchObject(meaning);
});

test.each([
	['cancelled', { body: bundle({ ...proposal, status: 'cancelled' }) }, 'slot_taken'],
	['fatal not-found', { status: 200, body: issue('not-found') }, 'slot_taken'],
	['forbidden', { status: 403, body: issue('forbidden') }, 'clinic_refused']
])('[A82] a hold that is %s posts no booking', async (_name, told, because) => {
	const { outcome, asked } = await bookAgainst(({ url }) => {
		if (url.pathname.endsWith('$find')) return { body: bundle(proposal) };
		return url.pathname.endsWith('$hold') ? told : { body: bundle() };
	});
	expect(outcome).toEqual({ state: 'rejected', because });
	expect(asked.some(({ url }) => url.pathname.endsWith('$book'))).toBe(false);
});

test('[A83] the patient is inside the Appointment and in no address or header; the key is sent', async () => {
	const { asked } = await bookAgainst(({ url }) => {
		if (url.pathname.endsWith('$find')) return { body: bundle(proposal) };
		if (url.pathname.endsWith('$hold')) return { body: bundle({ ...proposal, status: 'pending' }) };
		return { body: bundle({ ...proposal, status: 'booked' }) };
	});
	expect(asked.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
		'GET /fhir/Appointment/$find',
		'POST /fhir/Appointment/$hold',
		'POST /fhir/Appointment/$book'
	]);
	for (const { headers, url } of asked) {
		expect(headers['authorization']).toBe('Bearer fhir-key');
		expect(JSON.stringify([headers, url.href])).not.toMatch(/Rosalind|Quillfeather|555|1961/);
	}
	expect(asked[1]?.body).not.toContain('Rosalind');
	expect(JSON.parse(asked[2]?.body ?? '')).toMatchObject({
		parameter: [
			{
				name: 'appt-resource',
				resource: {
					status: 'pending',
					identifier: [{ value: 'urn:uuid:b-1' }],
					contained: [{ resourceType: 'Patient' }],
					participant: [
						{ actor: { reference: 'Practitioner/a' } },
						{ actor: { reference: '#patient' } }
					]
				}
			}
		]
	});
});

test('[A84] proposals that cannot be read are refused with their reason', () => {
	const answer = bundle(
		proposal,
		{ ...proposal, status: 'booked' },
		{ ...proposal, start: 'noon' },
		{ ...proposal, end: proposal.start },
		{ ...proposal, participant: [{ actor: { display: 'Somebody' } }] },
		{ resourceType: 'OperationOutcome' }
	);
	const { reads, schedules } = readFound([answer], { name: 'Clinic', notes: {} }, [
		'Practitioner/b'
	]);
	expect(
		reads.map(({ read }) => (read.kind === 'bad' ? [read.reason, read.scheduleKey] : read.kind))
	).toEqual([
		'slot',
		['not a proposal', 'Practitioner/a'],
		['start is not an instant', 'Practitioner/a'],
		['ends before it starts', 'Practitioner/a'],
		['nobody takes part', null]
	]);
	expect(schedules.map(({ key, practitionerName }) => [key, practitionerName])).toEqual([
		['Practitioner/a', 'Ana Ruiz'],
		['Practitioner/b', 'Clinic']
	]);
});

test.each([
	['leads elsewhere', 'https://elsewhere.example/fhir/Appointment/$find?page=2'],
	['runs in a circle', '']
])('[A84] a next page that %s makes the answer partial', async (_name, next) => {
	const server = await startFakeServer(({ url }) => ({
		body: {
			...bundle(proposal),
			link: [
				{ relation: 'next', url: next === '' ? url.href.replace('http://fake', server.url) : next }
			]
		}
	}));
	const answer = await createPoller(
		connectors['fhir-operations'],
		source(server.url),
		() => startAt
	).poll();
	expect(spoken(answer)).toMatchObject({
		state: 'partial',
		listing: { facts: [{ remaining: 1 }] }
	});
	await server.close();
});

const example = resolve(
	import.meta.dirname,
	'../../../../../shared/fixtures/fhir-ihe-scheduling/example-iti-scheduling-bundle.json'
);
const isPresent = existsSync(example);
test(`[A84] the IHE example, ${isPresent ? 'present' : `absent at ${example}: nothing checked`}`, () => {
	if (!isPresent) return;
	const answer: unknown = JSON.parse(readFileSync(example, 'utf8'));
	const { reads, schedules } = readFound([answer], { name: 'Clinic', notes: {} }, []);
	expect(reads.map(({ read }) => read.kind)).toEqual(['slot', 'slot', 'slot']);
	expect(schedules).toMatchObject([{ key: 'Practitioner/dr-y', practitionerName: 'Dr Y' }]);
});
