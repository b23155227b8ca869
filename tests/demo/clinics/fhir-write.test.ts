// FHIR R4 servers of the simulated clinics: updates of slots, appointments, races.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import type { RunningClinic } from '../../../demo/clinics/start.ts';
import type { Bundle, Outcome } from './support.ts';
import { appointmentOn, freeSlot, getJson, openClinic, send } from './support.ts';

type Resource = { id: string; status: string; meta: { versionId: string } };

const slotBody = (id: string, status: string) => ({ resourceType: 'Slot', id, status });

const statusOf = (clinic: RunningClinic, slotId: string): string | undefined =>
	clinic.truth().slots.find(({ id }) => id === slotId)?.status;

const condition = (booking: string) => ({
	'if-none-exist': `identifier=${encodeURIComponent(`https://hub.example/ids/booking|${booking}`)}`
});

const book = (clinic: RunningClinic, slotId: string, booking: string): Promise<Response> =>
	send('POST', `${clinic.url}/Appointment`, appointmentOn(slotId, booking), condition(booking));

test.each([
	['prairie-lantern', 412],
	['cedar-harbor', 409]
])('[C17] %s answers a stale If-Match with %i', async (key, stale) => {
	const clinic = await openClinic(key);
	const { id } = freeSlot(clinic);
	const url = `${clinic.url}/Slot/${id}`;
	const put = (version: number, status: string) =>
		send('PUT', url, slotBody(id, status), { 'if-match': `W/"${version}"` });
	const held = await put(1, 'busy-tentative');
	expect([held.status, held.headers.get('etag')]).toEqual([200, 'W/"2"']);
	const late = await put(1, 'busy-tentative');
	expect(late.status).toBe(stale);
	expect(((await late.json()) as Outcome).issue[0]?.code).toBe('conflict');
	expect((await put(2, 'free')).status).toBe(200);
	expect(statusOf(clinic, id)).toBe('free');
});

test('[C17] an update without If-Match is 400, of a read-only slot 405', async () => {
	const open = await openClinic('prairie-lantern');
	const slot = freeSlot(open);
	const blind = await send('PUT', `${open.url}/Slot/${slot.id}`, slotBody(slot.id, 'busy'));
	expect(blind.status).toBe(400);
	const shut = await openClinic('copper-mesa');
	const { id } = freeSlot(shut);
	const body = slotBody(id, 'busy-tentative');
	const answer = await send('PUT', `${shut.url}/Slot/${id}`, body, { 'if-match': 'W/"1"' });
	expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
});

test('[C17] of 20 holds with the same version one wins; a taken slot cannot be held', async () => {
	const clinic = await openClinic('prairie-lantern');
	const { id } = freeSlot(clinic);
	const body = slotBody(id, 'busy-tentative');
	const answers = await Promise.all(
		Array.from({ length: 20 }, () =>
			send('PUT', `${clinic.url}/Slot/${id}`, body, { 'if-match': 'W/"1"' })
		)
	);
	const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
	expect(statuses).toEqual([200, ...Array.from({ length: 19 }, () => 412)]);
	clinic.setSlotStatus(id, 'busy');
	const late = await send('PUT', `${clinic.url}/Slot/${id}`, body, { 'if-match': '*' });
	expect(late.status).toBe(409);
});

test('[C17] an upstream hold lapses after ten minutes', async () => {
	const clinic = await openClinic('prairie-lantern');
	const { id } = freeSlot(clinic);
	await send('PUT', `${clinic.url}/Slot/${id}`, slotBody(id, 'busy-tentative'), {
		'if-match': 'W/"1"'
	});
	expect(statusOf(clinic, id)).toBe('busy-tentative');
	clinic.running.step(601_000);
	expect(statusOf(clinic, id)).not.toBe('busy-tentative');
});

test('[C18] the same identifier posted again is the same appointment', async () => {
	const clinic = await openClinic('prairie-lantern');
	const slot = freeSlot(clinic);
	const first = await book(clinic, slot.id, 'b-1');
	expect(first.status).toBe(201);
	const made = (await first.json()) as Resource;
	expect(first.headers.get('location')).toBe(`${clinic.url}/Appointment/${made.id}/_history/1`);
	expect((await fetch(must(first.headers.get('location')))).status).toBe(200);
	const second = await book(clinic, slot.id, 'b-1');
	expect(second.status).toBe(200);
	expect(((await second.json()) as Resource).id).toBe(made.id);
	expect(clinic.appointments()).toHaveLength(1);
	expect(statusOf(clinic, slot.id)).toBe('busy');
	const query = `identifier=${encodeURIComponent('https://hub.example/ids/booking|b-1')}`;
	const found = await getJson<Bundle>(`${clinic.url}/Appointment?${query}`);
	expect(found.entry?.map(({ resource }) => resource.id)).toEqual([made.id]);
	expect((await getJson<Bundle>(`${clinic.url}/Appointment?slot=Slot/${slot.id}`)).total).toBe(1);
});

test('[C18] an ambiguous or unreadable If-None-Exist creates nothing', async () => {
	const clinic = await openClinic('prairie-lantern');
	for (const skip of [0, 0]) {
		await send(
			'POST',
			`${clinic.url}/Appointment`,
			appointmentOn(freeSlot(clinic, skip).id, 'b-2')
		);
	}
	expect(clinic.appointments()).toHaveLength(2);
	expect((await book(clinic, freeSlot(clinic).id, 'b-2')).status).toBe(412);
	const odd = await send(
		'POST',
		`${clinic.url}/Appointment`,
		appointmentOn(freeSlot(clinic).id, 'b-3'),
		{ 'if-none-exist': 'colour=red' }
	);
	expect(odd.status).toBe(400);
	expect(clinic.appointments()).toHaveLength(2);
});

test.each(['prairie-lantern', 'copper-mesa', 'quiet-ridge'])(
	'[C19] of 20 simultaneous appointments at %s one is created',
	async (key) => {
		const clinic = await openClinic(key);
		const slot = freeSlot(clinic);
		const answers = await Promise.all(
			Array.from({ length: 20 }, (_, turn) => book(clinic, slot.id, `racer-${turn}`))
		);
		expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
		const lost = answers.filter(({ status }) => status === 409);
		expect(lost).toHaveLength(19);
		for (const each of lost) {
			const outcome = (await each.json()) as Outcome;
			expect(outcome.resourceType).toBe('OperationOutcome');
			expect(outcome.issue[0]?.code).toBe('conflict');
		}
		expect(clinic.appointments()).toHaveLength(1);
	}
);

test('[C19] a pending appointment keeps the slot from everybody else', async () => {
	const clinic = await openClinic('prairie-lantern');
	const slot = freeSlot(clinic);
	await send('PUT', `${clinic.url}/Slot/${slot.id}`, slotBody(slot.id, 'busy-tentative'), {
		'if-match': 'W/"1"'
	});
	const body = appointmentOn(slot.id, 'b-4', { status: 'pending' });
	expect((await send('POST', `${clinic.url}/Appointment`, body)).status).toBe(201);
	expect(statusOf(clinic, slot.id)).toBe('busy-tentative');
	expect((await book(clinic, slot.id, 'b-5')).status).toBe(409);
	const made = must(clinic.appointments()[0]);
	const url = `${clinic.url}/Appointment/${made.id}`;
	const confirmed = await send('PUT', url, { ...body, id: made.id, status: 'booked' });
	expect(confirmed.status).toBe(200);
	expect(statusOf(clinic, slot.id)).toBe('busy');
});

test('[C19] an unknown slot is 404, one that has begun is 422', async () => {
	const clinic = await openClinic('prairie-lantern');
	expect((await book(clinic, 'unheard-of', 'b-6')).status).toBe(404);
	const slot = freeSlot(clinic);
	clinic.setFault({ kind: 'clock_skew', skewMs: slot.startAt - clinic.running.now() + 1 });
	expect((await book(clinic, slot.id, 'b-7')).status).toBe(422);
});

test('[C20] cancelling by patch frees the slot, and a cancelled one stays so', async () => {
	const clinic = await openClinic('copper-mesa');
	const slot = freeSlot(clinic);
	const created = await book(clinic, slot.id, 'b-8');
	expect([created.status, await created.text()]).toEqual([201, '']);
	const { id } = must(clinic.appointments()[0]);
	const url = `${clinic.url}/Appointment/${id}`;
	const patch = (status: string, version: number) =>
		send('PATCH', url, [{ op: 'replace', path: '/status', value: status }], {
			'content-type': 'application/json-patch+json',
			'if-match': `W/"${version}"`
		});
	expect((await patch('cancelled', 7)).status).toBe(412);
	const cancelled = await patch('cancelled', 1);
	expect(((await cancelled.json()) as Resource).status).toBe('cancelled');
	expect(statusOf(clinic, slot.id)).toBe('free');
	expect((await patch('booked', 2)).status).toBe(422);
	expect((await getJson<Resource>(url)).meta.versionId).toBe('2');
	expect((await book(clinic, slot.id, 'b-9')).status).toBe(201);
});

test('[C20] an appointment can be cancelled by PUT, and keeps what was posted', async () => {
	const clinic = await openClinic('bluestem');
	const slot = freeSlot(clinic);
	const made = (await (await book(clinic, slot.id, 'b-10')).json()) as Resource;
	const url = `${clinic.url}/Appointment/${made.id}`;
	const answer = await send('PUT', url, { ...made, status: 'cancelled' });
	expect(await answer.json()).toMatchObject({
		status: 'cancelled',
		identifier: [{ value: 'b-10' }]
	});
	expect(statusOf(clinic, slot.id)).toBe('free');
	const wrong = await send('PUT', url, { ...made, id: 'another' });
	expect(wrong.status).toBe(422);
});

test.each([
	['no JSON', 400, 'secret patient'],
	['another type', 400, { resourceType: 'Patient', name: 'secret patient' }],
	['no slot', 422, appointmentOn('x', 'b', { slot: [], comment: 'secret patient' })],
	[
		'two slots',
		422,
		appointmentOn('x', 'b', { slot: [{ reference: 'Slot/a' }, { reference: 'Slot/b' }] })
	],
	['no participant', 422, appointmentOn('x', 'b', { participant: [] })],
	['participant without status', 422, appointmentOn('x', 'b', { participant: [{ actor: {} }] })],
	['unsupported status', 422, appointmentOn('x', 'b', { status: 'arrived' })],
	['start without end', 422, appointmentOn('x', 'b', { start: '2026-10-25T10:00:00Z' })]
])('[C22] an appointment with %s is %i', async (_, status, body) => {
	const clinic = await openClinic('bluestem');
	const answer = await send('POST', `${clinic.url}/Appointment`, body);
	expect(answer.status).toBe(status);
	const text = await answer.text();
	expect(text).toContain('OperationOutcome');
	expect(text).not.toContain('secret');
	expect(clinic.appointments()).toHaveLength(0);
});

test('[C22] another media type is 415, another method 405, too large a body 413', async () => {
	const clinic = await openClinic('bluestem');
	const url = `${clinic.url}/Appointment`;
	const typed = (type: string) => ({
		method: 'POST',
		body: '{}',
		headers: { 'content-type': type }
	});
	expect((await fetch(url, typed('text/plain'))).status).toBe(415);
	expect((await send('DELETE', `${url}/1`, {})).status).toBe(405);
	expect((await send('POST', url, 'x'.repeat(1_100_000))).status).toBe(413);
	const slot = freeSlot(clinic);
	const body = { ...slotBody(slot.id, 'booked') };
	const headers = { 'if-match': 'W/"1"' };
	expect((await send('PUT', `${clinic.url}/Slot/${slot.id}`, body, headers)).status).toBe(400);
});
