// Every fault on demand does what its name says, as often or as long as asked.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { createFaults, faultKinds } from '../../../demo/clinics/faults.ts';
import type { RunningClinic } from '../../../demo/clinics/start.ts';
import { until } from '../../support/until.ts';
import type { Bundle, Entry } from './support.ts';
import { appointmentOn, freeSlot, getJson, openClinic, send } from './support.ts';

const slotsUrl = (clinic: RunningClinic): string => `${clinic.url}/Slot?_count=30`;

const slotFile = async (clinic: RunningClinic): Promise<string> => {
	const manifest = await getJson<{ output: { type: string; url: string }[] }>(clinic.url);
	return must(manifest.output.find(({ type }) => type === 'Slot')).url;
};

const resources = (bundle: Bundle): Entry['resource'][] =>
	(bundle.entry ?? []).map(({ resource }) => resource);

test('[C26] a fault ends after its count, its time, or when it is cleared', () => {
	let now = 0;
	const faults = createFaults(() => now);
	const met = (line = 'GET /fhir/Slot'): boolean =>
		faults.forRequest(line)('http_500') !== undefined;
	faults.set({ kind: 'http_500', count: 2 });
	expect([met(), met(), met()]).toEqual([true, true, false]);
	faults.set({ kind: 'http_500', forMs: 1000 });
	now = 999;
	expect(met()).toBe(true);
	now = 1000;
	expect(met()).toBe(false);
	faults.set({ kind: 'http_500' });
	expect(faults.standing()).toMatchObject([{ kind: 'http_500' }]);
	faults.clear('http_500');
	expect(met()).toBe(false);
});

test('[C26] a fault meets only the requests it matches, once per request', () => {
	const faults = createFaults(() => 0);
	faults.set({ kind: 'slow', count: 1, match: 'pg=' });
	expect(faults.forRequest('GET /fhir/Slot')('slow')).toBeUndefined();
	const check = faults.forRequest('GET /fhir?pg=abc');
	expect([check('slow'), check('slow')].map((each) => each?.kind)).toEqual(['slow', 'slow']);
	expect(faults.forRequest('GET /fhir?pg=abc')('slow')).toBeUndefined();
	expect(new Set(faultKinds).size).toBe(16);
});

test('[C26] http_500 answers 500 and the next request is well again', async () => {
	const clinic = await openClinic('prairie-lantern');
	clinic.setFault({ kind: 'http_500', count: 1 });
	const answer = await fetch(slotsUrl(clinic));
	expect([answer.status, answer.headers.get('content-type')]).toEqual([
		500,
		'text/html; charset=utf-8'
	]);
	expect((await fetch(slotsUrl(clinic))).status).toBe(200);
});

test('[C26] http_429 says when to come back, in seconds or as a date', async () => {
	const clinic = await openClinic('hollow-creek');
	clinic.setFault({ kind: 'http_429', count: 1, retryAfterS: 7 });
	const seconds = await fetch(clinic.url);
	expect([seconds.status, seconds.headers.get('retry-after')]).toEqual([429, '7']);
	clinic.setFault({ kind: 'http_429', count: 1, retryAfterS: 7, asDate: true });
	const date = Date.parse(must((await fetch(clinic.url)).headers.get('retry-after')));
	expect(Math.abs(date - clinic.running.now() - 7000)).toBeLessThan(3000);
	expect((await fetch(clinic.url)).status).toBe(200);
});

test('[C26] slow answers late but well', async () => {
	const clinic = await openClinic('prairie-lantern');
	clinic.setFault({ kind: 'slow', count: 1, delayMs: 60 });
	let answered = false;
	const slow = fetch(slotsUrl(clinic)).then((answer) => {
		answered = true;
		return answer;
	});
	await fetch(slotsUrl(clinic));
	expect(answered).toBe(false);
	expect((await slow).status).toBe(200);
});

test('[C26] hang never answers; the client has to give up', async () => {
	const clinic = await openClinic('hollow-creek');
	clinic.setFault({ kind: 'hang', count: 1 });
	const abort = new AbortController();
	const hung = fetch(clinic.url, { signal: abort.signal }).then(
		() => 'answered',
		() => 'given up'
	);
	await until(() => clinic.standingFaults().length === 0);
	expect((await fetch(clinic.url)).status).toBe(200);
	abort.abort();
	expect(await hung).toBe('given up');
});

test('[C26] truncated_page breaks the connection, or quietly ends in the middle', async () => {
	const clinic = await openClinic('prairie-lantern');
	clinic.setFault({ kind: 'truncated_page', count: 1 });
	const broken = await fetch(slotsUrl(clinic))
		.then(
			(answer) => answer.text(),
			() => 'broken'
		)
		.catch(() => 'broken');
	expect(broken).toBe('broken');
	clinic.setFault({ kind: 'truncated_page', count: 1, quiet: true });
	const quiet = await (await fetch(slotsUrl(clinic))).text();
	expect(() => JSON.parse(quiet) as unknown).toThrow(SyntaxError);
	const whole = await (await fetch(slotsUrl(clinic))).text();
	expect(whole.startsWith(quiet)).toBe(true);
});

test('[C26] invalid_json spoils a bundle, and one line of a file', async () => {
	const server = await openClinic('prairie-lantern');
	server.setFault({ kind: 'invalid_json', count: 1 });
	await expect(getJson(slotsUrl(server))).rejects.toThrow(SyntaxError);
	const clinic = await openClinic('hollow-creek');
	const url = await slotFile(clinic);
	clinic.setFault({ kind: 'invalid_json', count: 1, match: 'slot' });
	const lines = (await (await fetch(url)).text()).split('\n').filter(Boolean);
	const isBroken = (line: string): boolean => {
		try {
			JSON.parse(line);
			return false;
		} catch {
			return true;
		}
	};
	expect(lines.filter(isBroken)).toHaveLength(1);
});

test('[C26] wrong_offset keeps the wall time and takes the other offset of the year', async () => {
	const clinic = await openClinic('prairie-lantern');
	const right = resources(await getJson(slotsUrl(clinic)));
	clinic.setFault({ kind: 'wrong_offset', count: 1 });
	const wrong = resources(await getJson(slotsUrl(clinic)));
	expect(wrong).toHaveLength(right.length);
	for (const [at, slot] of wrong.entries()) {
		const start = String(slot['start']);
		const truth = String(right[at]?.['start']);
		expect(start.slice(0, 19)).toBe(truth.slice(0, 19));
		expect(Math.abs(Date.parse(start) - Date.parse(truth))).toBe(3_600_000);
	}
});

test('[C26] repeated_ids gives many slots few ids and their own times', async () => {
	const server = await openClinic('prairie-lantern');
	server.setFault({ kind: 'repeated_ids', count: 1 });
	const slots = resources(await getJson(slotsUrl(server)));
	expect(new Set(slots.map(({ id }) => id)).size).toBeLessThan(slots.length / 2);
	const keys = slots.map((slot) => JSON.stringify([slot['schedule'], slot['start']]));
	expect(new Set(keys).size).toBe(slots.length);
	const clinic = await openClinic('hollow-creek');
	clinic.setFault({ kind: 'repeated_ids', count: 1 });
	const text = await (await fetch(await slotFile(clinic))).text();
	const ids = [...text.matchAll(/"resourceType":"Slot","id":"([^"]+)"/g)].map(([, id]) => id);
	expect(new Set(ids).size).toBeLessThan(ids.length);
});

test('[C26] empty_answer is well formed and says there is nothing', async () => {
	const server = await openClinic('prairie-lantern');
	server.setFault({ kind: 'empty_answer', count: 1 });
	expect(await getJson(slotsUrl(server))).toMatchObject({ resourceType: 'Bundle', total: 0 });
	expect((await getJson(slotsUrl(server))).total).toBeGreaterThan(0);
	const clinic = await openClinic('hollow-creek');
	const url = await slotFile(clinic);
	const etag = must((await fetch(url)).headers.get('etag'));
	clinic.setFault({ kind: 'empty_answer', count: 1 });
	const empty = await fetch(url, { headers: { 'if-none-match': etag } });
	expect([empty.status, await empty.text()]).toEqual([200, '']);
	const well = await fetch(url, { headers: { 'if-none-match': etag } });
	expect(well.status).toBe(304);
});

test('[C26] clock_skew moves the date, the transaction time and what is stamped', async () => {
	const clinic = await openClinic('hollow-creek');
	clinic.setFault({ kind: 'clock_skew', skewMs: 900_000 });
	const answer = await fetch(clinic.url);
	const { transactionTime } = (await answer.json()) as { transactionTime: string };
	const ahead = Date.parse(transactionTime) - clinic.running.now();
	expect(Math.abs(ahead - 900_000)).toBeLessThan(5000);
	expect(Date.parse(must(answer.headers.get('date')))).toBeGreaterThan(
		clinic.running.now() + 890_000
	);
	const { id } = freeSlot(clinic);
	clinic.setSlotStatus(id, 'busy');
	const stamped = must(clinic.truth().slots.find((slot) => slot.id === id)).updatedAt;
	expect(stamped).toBeGreaterThan(clinic.running.now() + 890_000);
});

test('[C26] slow_loris drips the answer', async () => {
	const clinic = await openClinic('hollow-creek');
	clinic.setFault({ kind: 'slow_loris', count: 1, delayMs: 1, match: 'bulk-publish' });
	const answer = await fetch(clinic.url);
	const reader = must(answer.body).getReader();
	const first = must((await reader.read()).value);
	expect(first.length).toBeLessThan(200);
	await reader.cancel();
});

test('[C27] when a reply is lost the appointment exists and asking again finds it', async () => {
	const clinic = await openClinic('prairie-lantern');
	const slot = freeSlot(clinic);
	clinic.setFault({ kind: 'reply_lost', count: 1 });
	const identifier = encodeURIComponent('https://hub.example/ids/booking|b-1');
	const post = () =>
		send('POST', `${clinic.url}/Appointment`, appointmentOn(slot.id, 'b-1'), {
			'if-none-exist': `identifier=${identifier}`
		});
	await expect(post()).rejects.toThrow('fetch failed');
	expect(clinic.appointments()).toHaveLength(1);
	const found = await getJson(`${clinic.url}/Appointment?identifier=${identifier}`);
	expect(found.total).toBe(1);
	expect((await post()).status).toBe(200);
	expect(clinic.appointments()).toHaveLength(1);
});

test('[C27] a lost reply of the portal is found by the same referral', async () => {
	const clinic = await openClinic('larkspur-valley');
	const url = `${new URL(clinic.url).origin}/book/${freeSlot(clinic).id}`;
	const body = new URLSearchParams({
		'patient-name': 'A',
		'patient-phone': '1',
		'booking-referral': 'b-2'
	});
	clinic.setFault({ kind: 'reply_lost', count: 1 });
	await expect(fetch(url, { method: 'POST', body })).rejects.toThrow('fetch failed');
	const { id } = must(clinic.appointments()[0]);
	const link = await fetch(`${url}?booking-referral=b-2`, { redirect: 'manual' });
	expect(link.headers.get('location')).toBe(`/book/confirmed/${id}`);
});

test('[C27] a refusal is not lost and does not use up the fault', async () => {
	const clinic = await openClinic('prairie-lantern');
	clinic.setFault({ kind: 'reply_lost', count: 1 });
	const refused = await send('POST', `${clinic.url}/Appointment`, appointmentOn('unknown', 'b-3'));
	expect(refused.status).toBe(404);
	expect(clinic.standingFaults()).toHaveLength(1);
});
