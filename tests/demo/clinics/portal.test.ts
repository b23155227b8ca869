// The clinic's portal behind a deep link: plain forms that book there and then.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import type { RunningClinic } from '../../../demo/clinics/start.ts';
import { freeSlot, openClinic } from './support.ts';

const portalOf = (clinic: RunningClinic, slotId: string): string =>
	`${new URL(clinic.url).origin}/book/${slotId}`;

/** The hidden fields of the page, as a browser would send them. */
const formOf = (page: string): URLSearchParams =>
	new URLSearchParams(
		[...page.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(
			([, name = '', value = '']) => [name, value]
		)
	);

const fill = (form: URLSearchParams): URLSearchParams => {
	form.set('patient-name', 'Jo <b>Patient</b>');
	form.set('patient-email', 'jo@patient.example');
	return form;
};

const post = (url: string, form: URLSearchParams): Promise<Response> =>
	fetch(url, { method: 'POST', body: form, redirect: 'manual' });

test.each(['hollow-creek', 'larkspur-valley'])(
	'[C23] the form of %s books and keeps source and referral',
	async (key) => {
		const clinic = await openClinic(key);
		const slot = freeSlot(clinic);
		const url = portalOf(clinic, slot.id);
		const page = await (await fetch(`${url}?source=slotcast&booking-referral=b-1`)).text();
		expect(page).not.toContain('<script');
		const form = formOf(page);
		expect(form.get('source')).toBe('slotcast');
		expect(form.get('booking-referral')).toBe('b-1');
		const booked = await post(url, fill(form));
		expect(booked.status).toBe(303);
		const path = must(booked.headers.get('location'));
		const confirmation = await (await fetch(new URL(path, url))).text();
		expect(confirmation).toContain('booked');
		expect(confirmation).not.toContain('jo@patient.example');
		expect(clinic.appointments()).toMatchObject([
			{ slotId: slot.id, source: 'slotcast', referral: 'b-1', status: 'booked', via: 'portal' }
		]);
		expect(clinic.truth().slots.find(({ id }) => id === slot.id)?.status).toBe('busy');
	}
);

test('[C23] the same referral gives the same appointment, by form and by link', async () => {
	const clinic = await openClinic('larkspur-valley');
	const url = portalOf(clinic, freeSlot(clinic).id);
	const form = fill(new URLSearchParams({ 'booking-referral': 'b-2' }));
	const [one, two] = [await post(url, form), await post(url, form)];
	expect(two.headers.get('location')).toBe(one.headers.get('location'));
	const link = await fetch(`${url}?booking-referral=b-2`, { redirect: 'manual' });
	expect([link.status, link.headers.get('location')]).toEqual([303, one.headers.get('location')]);
	expect(clinic.appointments()).toHaveLength(1);
});

test('[C23] a form without a way to reach the patient is shown again', async () => {
	const clinic = await openClinic('hollow-creek');
	const url = portalOf(clinic, freeSlot(clinic).id);
	const form = new URLSearchParams({ 'patient-name': 'Jo', source: '"><i>' });
	const answer = await post(url, form);
	expect(answer.status).toBe(422);
	const page = await answer.text();
	expect(page).toContain('role="alert"');
	expect(page).not.toContain('"><i>');
	expect(clinic.appointments()).toHaveLength(0);
});

test('[C23] a visit can be cancelled at the portal and its slot is free again', async () => {
	const clinic = await openClinic('hollow-creek');
	const slot = freeSlot(clinic);
	const url = portalOf(clinic, slot.id);
	const booked = await post(url, fill(new URLSearchParams({ 'booking-referral': 'b-3' })));
	const path = must(booked.headers.get('location'));
	const cancelled = await fetch(new URL(`${path}/cancel`, url), { method: 'POST' });
	expect(await cancelled.text()).toContain('cancelled');
	expect(clinic.truth().slots.find(({ id }) => id === slot.id)?.status).toBe('free');
});

test('[C35] the page after booking says how to join, and no more once cancelled', async () => {
	const clinic = await openClinic('hollow-creek');
	const url = portalOf(clinic, freeSlot(clinic).id);
	const booked = await post(url, fill(new URLSearchParams({ 'booking-referral': 'b-4' })));
	const path = must(booked.headers.get('location'));
	const page = await (await fetch(new URL(path, url))).text();
	const join = new URL(must(/id="join" href="([^"]+)"/.exec(page)?.[1]), url);
	expect((await fetch(join)).status).toBe(200);
	await fetch(new URL(`${path}/cancel`, url), { method: 'POST' });
	expect((await fetch(join)).status).toBe(404);
});

test('[C24] the loser is told and offered the next times of the same practitioner', async () => {
	const clinic = await openClinic('delta-reach', { slotCount: 200 });
	const slot = freeSlot(clinic);
	const url = portalOf(clinic, slot.id);
	const answers = await Promise.all(
		Array.from({ length: 20 }, (_, turn) =>
			post(url, fill(new URLSearchParams({ 'booking-referral': `racer-${turn}` })))
		)
	);
	expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
	const loser = must(answers.find(({ status }) => status === 409));
	const page = await loser.text();
	expect(page).toContain('taken');
	const offered = [...page.matchAll(/href="\/book\/([^?"]+)\?/g)].map(([, id]) => id);
	const next = clinic
		.truth()
		.slots.filter((each) => each.practitionerId === slot.practitionerId && each.status === 'free')
		.slice(0, 5)
		.map(({ id }) => id);
	expect(offered).toEqual(next);
	expect(clinic.appointments()).toHaveLength(1);
});

test('[C24] an unknown time is 404 and one gone by is 410', async () => {
	const clinic = await openClinic('hollow-creek');
	const slot = freeSlot(clinic);
	expect((await fetch(portalOf(clinic, 'nothing'))).status).toBe(404);
	clinic.setSlotStatus(slot.id, 'busy-unavailable');
	clinic.setFault({ kind: 'clock_skew', skewMs: slot.startAt - clinic.running.now() + 1 });
	expect((await fetch(portalOf(clinic, slot.id))).status).toBe(410);
});

test('[C25] opening a draft link keeps the slot for that visitor for five minutes', async () => {
	const clinic = await openClinic('larkspur-valley');
	const slot = freeSlot(clinic);
	const url = portalOf(clinic, slot.id);
	const statusNow = () => clinic.truth().slots.find(({ id }) => id === slot.id)?.status;
	const page = await (await fetch(`${url}?booking-referral=first`)).text();
	expect(statusNow()).toBe('busy-tentative');
	expect((await fetch(`${url}?booking-referral=second`)).status).toBe(409);
	const other = await post(url, fill(new URLSearchParams({ 'booking-referral': 'second' })));
	expect(other.status).toBe(409);
	clinic.running.step(301_000);
	expect(['free', 'busy']).toContain(statusNow());
	clinic.setSlotStatus(slot.id, 'free');
	expect((await post(url, fill(formOf(page)))).status).toBe(303);
});

test('[C25] a visitor without a referral keeps the slot by the token of the form', async () => {
	const clinic = await openClinic('larkspur-valley');
	const slot = freeSlot(clinic);
	const url = portalOf(clinic, slot.id);
	const form = formOf(await (await fetch(url)).text());
	expect(form.get('hold')).not.toBe('');
	expect((await post(url, fill(new URLSearchParams()))).status).toBe(409);
	expect((await post(url, fill(form))).status).toBe(303);
});
