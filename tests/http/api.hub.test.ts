import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotId } from '#domain/ids.ts';
import { refusals } from '#domain/refusals.ts';
import { signLink } from '#server/http/links.ts';
import type { LinkClaims } from '#server/http/links.ts';
import { DEVICE_COOKIE, deviceKeyOf } from '#server/http/session.ts';
import { developmentKeys } from '#server/platform/config-variables.ts';
import { createHubWorld } from '../live/hub-world.ts';
import type { HubWorld, TestHub } from '../live/hub-world.ts';
import { makePatient } from '../scheduling/world.ts';
import { until } from '../support/until.ts';

let world: HubWorld;
let hub: TestHub;

beforeAll(async () => {
	world = await createHubWorld();
	hub = await world.startHub();
});
afterAll(async () => {
	await hub.close();
	await world.close();
});

const linkKey = Buffer.from(developmentKeys.link, 'base64');

/** One browser: keeps its cookies, speaks from the hub's own origin. */
const createBrowser = (secret = crypto.randomUUID() as string) => {
	let cookie = `${DEVICE_COOKIE}=${secret}`;
	const ask = async (method: string, path: string, body?: unknown, headers = {}) => {
		const reply = await fetch(`${hub.url}${path}`, {
			method,
			redirect: 'manual',
			headers: {
				cookie,
				origin: hub.url,
				...(body === undefined ? {} : { 'content-type': 'application/json' }),
				...headers
			},
			...(body === undefined ? {} : { body: JSON.stringify(body) })
		});
		const text = await reply.text();
		const type = reply.headers.get('content-type') ?? '';
		return {
			status: reply.status,
			headers: reply.headers,
			type,
			text,
			json: /json/.test(type) ? JSON.parse(text) : null
		};
	};
	return {
		secret,
		device: deviceKeyOf(secret),
		get: (path: string, headers = {}) => ask('GET', `/api/v1${path}`, undefined, headers),
		post: (path: string, body: unknown, headers = {}) =>
			ask('POST', `/api/v1${path}`, body, headers),
		put: (path: string, body: unknown) => ask('PUT', `/api/v1${path}`, body),
		delete: (path: string) => ask('DELETE', `/api/v1${path}`),
		visit: (path: string) => ask('GET', path),
		addCookie: (more: string) => {
			cookie = `${cookie}; ${more}`;
		}
	};
};

const addSlot = async (): Promise<SlotId> => world.addSlot(await world.addSchedule(world.sourceId));

test('[X12] the same Idempotency-Key twice is one hold and one answer, bare or quoted', async () => {
	const me = createBrowser();
	const slotId = await addSlot();
	const key = crypto.randomUUID();
	const first = await me.post('/holds', { slotId }, { 'idempotency-key': `"${key}"` });
	expect(first.status).toBe(201);
	expect(first.headers.get('location')).toBe(`/api/v1/holds/${first.json.id}`);
	const again = await me.post('/holds', { slotId }, { 'idempotency-key': key });
	expect([again.status, again.json.id]).toEqual([201, first.json.id]);
	const inBody = await me.post('/holds', { slotId, requestId: key });
	expect(inBody.json.id).toBe(first.json.id);
	const other = await me.post('/holds', { slotId: await addSlot(), requestId: key });
	expect([other.status, other.json.reason]).toEqual([422, 'request_reused']);
	const none = await me.post('/holds', { slotId });
	expect([none.status, none.json.errors[0].pointer]).toEqual([400, '#/requestId']);
});

test('[X6] the one who loses a race is told why, and the nearest open times', async () => {
	const scheduleId = await world.addSchedule(world.sourceId);
	const slotId = await world.addSlot(scheduleId);
	const near = await world.addSlot(scheduleId);
	await world.hold(slotId);
	const lost = await createBrowser().post('/holds', { slotId, requestId: crypto.randomUUID() });
	expect(lost.status).toBe(409);
	expect(lost.type).toBe('application/problem+json; charset=utf-8');
	expect(lost.json).toMatchObject({
		type: '/problems/slot-taken',
		title: 'Slot taken',
		status: 409,
		reason: 'slot_taken',
		detail: refusals.slot_taken.text
	});
	expect(lost.json.nearest[0].slot[0]).toBe(near);
	expect(lost.headers.get('cache-control')).toBe('no-store');
});

test('[X14] a hold is read, released and confirmed only by the device that has it', async () => {
	const [me, other] = [createBrowser(), createBrowser()];
	const hold = await me.post('/holds', { slotId: await addSlot(), requestId: crypto.randomUUID() });
	const path = `/holds/${hold.json.id}`;
	expect((await me.get(path)).json).toMatchObject({ id: hold.json.id, state: 'held' });
	expect((await me.get('/holds')).json).toHaveLength(1);
	expect((await other.get('/holds')).json).toEqual([]);
	for (const reply of [
		await other.get(path),
		await other.delete(path),
		await other.post(`${path}/extend`, {}),
		await other.post(`${path}/confirm`, {
			requestId: crypto.randomUUID(),
			kind: 'video',
			patient: makePatient()
		})
	]) {
		expect([reply.status, reply.json.reason]).toEqual([404, 'hold_unknown']);
	}
	expect((await me.post(`${path}/extend`, {})).json).toMatchObject({ state: 'held' });
	expect((await me.post(`${path}/extend`, {})).json.reason).toBe('hold_extended');
	expect((await me.delete(path)).status).toBe(204);
	expect((await me.get(path)).json).toMatchObject({ state: 'released' });
});

test('[X14] confirming leads to a booking and its calendar file, for this device only', async () => {
	const [me, other] = [createBrowser(), createBrowser()];
	const hold = await me.post('/holds', { slotId: await addSlot(), requestId: crypto.randomUUID() });
	const confirmed = await me.post(
		`/holds/${hold.json.id}/confirm`,
		{ kind: 'video', patient: makePatient() },
		{ 'idempotency-key': crypto.randomUUID() }
	);
	expect(confirmed.status).toBe(202);
	const path = `/bookings/${confirmed.json.id}`;
	expect(confirmed.headers.get('location')).toBe(`/api/v1${path}`);
	expect((await me.get(`${path}?waitMs=20`)).json.state).toBe('confirming');
	expect(confirmed.text).not.toMatch(/Rosa|555\D?0100|mole/);
	const file = await me.get(`${path}/visit.ics`);
	expect([file.status, file.type]).toEqual([200, 'text/calendar; charset=utf-8']);
	expect(file.text).toMatch(/^BEGIN:VCALENDAR\r\n/);
	expect(file.text).not.toMatch(/Rosa|555\D?0100|mole/);
	for (const asked of [path, `${path}/visit.ics`]) {
		expect((await other.get(asked)).json.reason).toBe('booking_unknown');
	}
	const cancel = (who: typeof me) =>
		who.post(`${path}/cancel`, {}, { 'idempotency-key': crypto.randomUUID() });
	const early = await cancel(me);
	expect([early.status, early.json.reason]).toEqual([409, 'booking_unsettled']);
	expect((await cancel(other)).json.reason).toBe('booking_unknown');
	await world.sql`update bookings set state = 'booked' where id = ${confirmed.json.id}`;
	const asked = await cancel(me);
	expect([asked.status, asked.json.state]).toEqual([202, 'cancelling']);
	expect((await me.get(path)).json.state).toBe('cancelling');
});

test('[X6][X29] wrong patient details are named field by field', async () => {
	const me = createBrowser();
	const hold = await me.post('/holds', { slotId: await addSlot(), requestId: crypto.randomUUID() });
	const reply = await me.post(`/holds/${hold.json.id}/confirm`, {
		requestId: crypto.randomUUID(),
		patient: { ...makePatient(), phone: 'none', bornOn: '1961-13-40', extra: 1 }
	});
	expect(reply.status).toBe(400);
	expect(reply.json.errors).toContainEqual({
		detail:
			'Must be a telephone number of 7 to 25 digits, spaces and signs, such as +1 406 555 0100.',
		pointer: '#/patient/phone'
	});
	expect(reply.json.errors).toContainEqual({
		detail: 'Must be a date after 1900-01-01 that is not in the future, such as 1961-05-23.',
		pointer: '#/patient/bornOn'
	});
	expect(reply.text).not.toMatch(/Rosa/);
});

test.each([
	['/board?specialty=nope&region=US-MT', 404, 'unknown_specialty'],
	['/board?specialty=dermatology&region=US-ZZ', 404, 'unknown_region'],
	['/board?specialty=dermatology&region=US-MT&plan=nope', 404, 'unknown_plan'],
	['/board?specialty=dermatology', 400, 'bad_request'],
	['/board?specialty=dermatology&region=US-MT&zone=Mars/Olympus', 400, 'bad_request'],
	['/board?specialty=dermatology&region=US-MT&kinds=video,telepathy', 400, 'bad_request'],
	['/board?specialty=dermatology&region=US-MT&__proto__=1&color=red', 400, 'bad_request'],
	['/board?specialty=a&specialty=b&region=US-MT', 400, 'bad_request'],
	['/slots/0', 404, 'slot_unknown'],
	['/slots/99999999', 404, 'slot_unknown'],
	['/slots/abc', 404, 'slot_unknown'],
	['/holds/not-a-uuid', 404, 'hold_unknown'],
	['/bookings/not-a-uuid', 404, 'booking_unknown'],
	['/bookings/00000000-0000-4000-8000-000000000000', 404, 'booking_unknown'],
	['/clinic', 403, 'not_allowed'],
	['/status', 403, 'not_allowed']
])('[X6] GET %s is %i %s', async (path, status, reason) => {
	const reply = await createBrowser().get(path);
	expect([reply.status, reply.json.reason, reply.json.status]).toEqual([status, reason, status]);
	expect(reply.json.type).toBe(`/problems/${reason.replaceAll('_', '-')}`);
});

test('[X6] what is not there, is no JSON or is too large is a problem too', async () => {
	const me = createBrowser();
	const missing = await me.get('/nothing');
	expect([missing.status, missing.json.type]).toEqual([404, 'about:blank']);
	const big = await me.post('/holds', { slotId: 1, requestId: 'x'.repeat(20_000) });
	expect([big.status, big.json.status]).toEqual([413, 413]);
	const torn = await fetch(`${hub.url}/api/v1/holds`, {
		method: 'POST',
		body: '{"slotId":',
		headers: { 'content-type': 'application/json' }
	});
	expect([torn.status, (await torn.json()).type]).toEqual([400, '/problems/bad-request']);
	for (const body of ['[]', '"x"', 'null', '1']) {
		const odd = await fetch(`${hub.url}/api/v1/holds`, {
			method: 'POST',
			body,
			headers: { 'content-type': 'application/json' }
		});
		expect(odd.status).toBe(400);
	}
	const form = await fetch(`${hub.url}/api/v1/holds`, { method: 'POST', body: 'slotId=1' });
	expect(form.status).toBe(400);
});

test('[X9] an unchanged board is answered 304, a changed one is not', async () => {
	const me = createBrowser();
	const slotId = await addSlot();
	const path = '/board?specialty=dermatology&region=US-MT&kinds=video&planOnly=0';
	const first = await me.get(path);
	const etag = first.headers.get('etag') ?? '';
	expect(first.headers.get('cache-control')).toBe('no-cache');
	const again = await me.get(path, { 'if-none-match': etag });
	expect([again.status, again.text]).toEqual([304, '']);
	await world.hold(slotId);
	const changed = await me.get(path, { 'if-none-match': etag });
	expect(changed.status).toBe(200);
	expect(changed.headers.get('etag')).not.toBe(etag);
});

test('[X6] the code lists and a slot are there for everybody', async () => {
	const me = createBrowser();
	const codes = await me.get('/codes');
	expect(codes.json.regions).toHaveLength(56);
	const slotId = await addSlot();
	const found = await me.get(`/slots/${slotId}`);
	expect(found.json.slot[0]).toBe(slotId);
	expect(found.json.schedule.zone).toBe('America/Denver');
});

test('[X14] alerts belong to the device that asked for them', async () => {
	const [me, other] = [createBrowser(), createBrowser()];
	const added = await me.post('/alerts', {
		requestId: crypto.randomUUID(),
		specialty: 'dermatology',
		region: 'US-MT'
	});
	expect(added.status).toBe(201);
	const path = `/alerts/${added.json.id}`;
	expect((await me.get('/alerts')).json).toMatchObject({ subscriptions: [{ id: added.json.id }] });
	expect((await other.get('/alerts')).json).toEqual({ subscriptions: [], notices: [] });
	expect((await other.delete(path)).json.reason).toBe('subscription_unknown');
	expect((await me.delete(path)).status).toBe(204);
	expect((await me.delete('/alerts/x')).json.reason).toBe('subscription_unknown');
});

const sign = (claims: LinkClaims, use: 'link' | 'session' = 'link') =>
	signLink(linkKey, claims, use);
const inAMinute = () => Date.now() + 60_000;

test('[X4] a private link becomes a session cookie and leads to its page', async () => {
	const me = createBrowser();
	const token = sign({ role: 'clinic', sourceId: world.sourceId, exp: inAMinute() });
	const entered = await me.visit(`/enter?token=${token}`);
	expect([entered.status, entered.headers.get('location')]).toEqual([303, '/console']);
	const cookie = entered.headers.get('set-cookie') ?? '';
	expect(cookie).toMatch(
		/^slotcast_staff=[\w.-]+; Path=\/; Max-Age=(59|60); HttpOnly; SameSite=Lax$/
	);
	expect(entered.headers.get('referrer-policy')).toBe('no-referrer');
	expect(cookie).not.toContain(token);
	me.addCookie(cookie.split(';')[0] ?? '');
	expect((await me.get('/clinic')).json).toMatchObject({ sourceId: world.sourceId });
	expect((await me.get('/status')).status).toBe(403);
});

test('[K27] a clinic closes its times over HTTP, and nobody else does', async () => {
	const me = createBrowser();
	const token = sign({ role: 'clinic', sourceId: world.sourceId, exp: inAMinute() });
	const entered = await me.visit(`/enter?token=${token}`);
	me.addCookie((entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '');
	const path = `/clinic/schedules/${world.scheduleId}/closing`;
	const stateOf = async () => (await me.get('/clinic/schedules')).json[0].closing;
	expect(await stateOf()).toBeNull();
	expect((await me.put(path, { closing: 'today' })).status).toBe(204);
	expect(await stateOf()).toBe('today');
	expect((await me.put('/clinic/schedules/all/closing', { closing: null })).status).toBe(204);
	expect(await stateOf()).toBeNull();
	expect((await me.put(path, { closing: 'later' })).json.reason).toBe('bad_request');
	expect((await me.put('/clinic/schedules/0/closing', { closing: 'off' })).status).toBe(404);
	const stranger = createBrowser();
	expect((await stranger.put(path, { closing: 'off' })).status).toBe(403);
	expect((await stranger.get('/clinic/schedules')).status).toBe(403);
	expect(await stateOf()).toBeNull();
});

test('[X4] an operator sees the status and no clinic', async () => {
	const me = createBrowser();
	const entered = await me.visit(`/enter?token=${sign({ role: 'operator', exp: inAMinute() })}`);
	expect(entered.headers.get('location')).toBe('/status');
	me.addCookie((entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '');
	expect((await me.get('/status')).json).toMatchObject({ postgres: 'up' });
	expect((await me.get('/clinic')).status).toBe(403);
	const path = '/clinic/bookings/00000000-0000-4000-8000-000000000000/acknowledge';
	expect((await me.post(path, {})).status).toBe(403);
	const decline = path.replace('acknowledge', 'decline');
	expect((await me.post(decline, {})).json).toMatchObject({ reason: 'not_allowed' });
});

test('[X4] a link that ended, was forged or is a session opens nothing', async () => {
	const me = createBrowser();
	const operator = { role: 'operator' } as const;
	for (const token of [
		sign({ ...operator, exp: Date.now() - 1 }),
		sign({ ...operator, exp: inAMinute() }, 'session'),
		signLink(Buffer.alloc(32), { ...operator, exp: inAMinute() }),
		'',
		'x.y'
	]) {
		const reply = await me.visit(`/enter?token=${token}`);
		expect([reply.status, reply.json.reason]).toEqual([403, 'link_expired']);
		expect(reply.headers.get('set-cookie')).toBeNull();
	}
	const link = sign({ ...operator, exp: inAMinute() });
	me.addCookie(`slotcast_staff=${link}`);
	expect((await me.get('/status')).status).toBe(403);
});

test('[X3] a new visitor gets a device cookie once, that no script can read', async () => {
	const first = await fetch(`${hub.url}/api/v1/holds`);
	const cookie = first.headers.get('set-cookie') ?? '';
	expect(cookie).toMatch(
		/^slotcast_device=[0-9a-f-]{36}; Path=\/; Max-Age=34560000; HttpOnly; SameSite=Lax$/
	);
	const again = await fetch(`${hub.url}/api/v1/holds`, {
		headers: { cookie: cookie.split(';')[0] ?? '' }
	});
	expect(again.headers.get('set-cookie')).toBeNull();
	const odd = await fetch(`${hub.url}/api/v1/holds`, {
		headers: { cookie: 'slotcast_device=1234' }
	});
	expect(odd.headers.get('set-cookie')).toMatch(/^slotcast_device=/);
	expect((await fetch(`${hub.url}/healthz`)).headers.get('set-cookie')).toBeNull();
});

test('[X5] the log holds no id of a person, no token, no search and no cookie', async () => {
	const me = createBrowser();
	const hold = await me.post('/holds', { slotId: await addSlot(), requestId: crypto.randomUUID() });
	await me.get(`/holds/${hold.json.id}`);
	await me.get('/board?specialty=psychiatry&region=US-MT');
	const token = sign({ role: 'operator', exp: inAMinute() });
	await me.visit(`/enter?token=${token}`);
	await me.visit('/console/some-secret-path');
	const last = '/api/v1/codes';
	await me.get('/codes');
	await until(() => hub.lines.some((line) => line.includes(last)));
	const log = hub.lines.join('');
	for (const secret of [hold.json.id, token, me.secret, me.device, 'psychiatry', 'some-secret']) {
		expect(log).not.toContain(secret);
	}
	expect(log).toMatch(/"route":"\/api\/v1\/holds\/:id","status":200/);
	expect(log).toMatch(/"route":"\/enter","status":303/);
	expect(log).toMatch(/"route":"page","status":404/);
});

test('[X2] a page of another site changes nothing', async () => {
	const me = createBrowser();
	const slotId = await addSlot();
	const body = { slotId, requestId: crypto.randomUUID() };
	for (const headers of [
		{ origin: 'https://evil.example' },
		{ origin: 'null' },
		{ origin: `${hub.url}.evil.example` }
	]) {
		const reply = await me.post('/holds', body, headers);
		expect([reply.status, reply.json.reason]).toEqual([403, 'not_allowed']);
	}
	expect((await me.get('/holds')).json).toEqual([]);
	expect((await me.post('/holds', body)).status).toBe(201);
});

test('[X13] text is compressed with brotli or gzip', async () => {
	for (const coding of ['br', 'gzip']) {
		const reply = await fetch(`${hub.url}/api/v1/codes`, {
			headers: { 'accept-encoding': coding }
		});
		expect(reply.headers.get('content-encoding')).toBe(coding);
		expect(reply.headers.get('vary')).toMatch(/Accept-Encoding/i);
		expect(Object.keys(await reply.json())).toContain('specialties');
	}
});

test('[X16] pages get the hub and the visitor', async () => {
	const seen: unknown[] = [];
	await using served = await world.startHub({
		pages: (req, res) => {
			seen.push(req.hub === served.hub, req.visitor.device, req.headers['x-forwarded-proto']);
			res.send('page');
		}
	});
	const secret = crypto.randomUUID();
	const reply = await fetch(`${served.url}/board/x`, {
		headers: { cookie: `${DEVICE_COOKIE}=${secret}`, 'x-forwarded-proto': 'https' }
	});
	expect(await reply.text()).toBe('page');
	expect(seen).toEqual([true, deviceKeyOf(secret), 'http']);
});

test('[X10] alive, ready and the version are told without a cookie', async () => {
	expect(await (await fetch(`${hub.url}/healthz`)).json()).toEqual({ status: 'alive' });
	const ready = await fetch(`${hub.url}/readyz`);
	expect([ready.status, (await ready.json()).status]).toEqual([200, 'ready']);
	expect(await (await fetch(`${hub.url}/version`)).json()).toEqual({
		version: '0.0.0',
		protocol: 1
	});
});

test('[X22] a place in line over HTTP: joined once, seen, left, and refused in words', async () => {
	const ana = createBrowser();
	const wish = { requestId: crypto.randomUUID(), specialty: 'dermatology', region: 'US-MT' };
	const joined = await ana.post('/waiting', wish);
	expect(joined.status).toBe(201);
	expect(joined.headers.get('location')).toBe(`/api/v1/waiting/${joined.json.id}`);
	expect(joined.json).toMatchObject({ state: 'waiting', ahead: 0, offer: null });
	expect((await ana.post('/waiting', wish)).json.id).toBe(joined.json.id);
	expect((await ana.get('/waiting')).json).toHaveLength(1);
	expect((await createBrowser().get('/waiting')).json).toEqual([]);
	const path = `/waiting/${joined.json.id}`;
	expect((await createBrowser().delete(path)).json).toMatchObject({ reason: 'waiting_unknown' });
	expect((await ana.post(`${path}/resume`, {})).status).toBe(204);
	expect((await ana.delete(path)).status).toBe(204);
	expect((await ana.delete(path)).status).toBe(404);
	const unknown = await ana.post('/waiting', { ...wish, specialty: 'alchemy' });
	expect(unknown.json).toMatchObject({ status: 404, reason: 'unknown_specialty' });
	expect((await ana.post('/waiting/none/resume', {})).json.reason).toBe('waiting_unknown');
});

test('[K24] a calendar program reads a clinic’s visits by their address alone, until it is ended', async () => {
	const url = new URL(await world.api.clinicCalendars.make(world.sourceId));
	const ask = (headers: Record<string, string> = {}) =>
		fetch(`${hub.url}${url.pathname}`, { headers });
	const first = await ask();
	expect(first.status).toBe(200);
	expect(first.headers.get('content-type')).toBe('text/calendar; charset=utf-8');
	expect(first.headers.get('cache-control')).toContain('private');
	expect(first.headers.get('set-cookie')).toBeNull();
	expect(await first.text()).toMatch(/^BEGIN:VCALENDAR\r\n/);
	const etag = first.headers.get('etag') ?? '';
	expect((await ask({ 'if-none-match': etag })).status).toBe(304);
	await world.api.clinicCalendars.end(world.sourceId);
	const ended = await ask();
	expect(ended.status).toBe(410);
	expect(await ended.json()).toMatchObject({ reason: 'calendar_ended' });
	expect((await fetch(`${hub.url}/calendar/nobody.ics`)).status).toBe(404);
	const secret = url.pathname.slice('/calendar/'.length, -'.ics'.length);
	expect(hub.lines.join('\n')).not.toContain(secret);
	expect(hub.lines.join('\n')).toContain('/calendar/:token.ics');
});
