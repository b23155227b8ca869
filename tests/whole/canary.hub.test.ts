// Planted canaries: a patient with unmistakable details books a visit, a clinic reads it, and then
// everything that could have kept a copy is searched. Only the clinic may know who she is.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { signLink } from '#server/http/links.ts';
import { developmentKeys } from '#server/platform/config-variables.ts';
import { dumpRedis, dumpTables } from '../support/dumps.ts';
import { connectRedis } from '../support/redis.ts';
import { startSystem, testNow, type System } from '../support/system.ts';
import { listenToRedis } from '../support/redis-monitor.ts';
import { until } from '../support/until.ts';

const canary = {
	givenName: 'Zyxandra',
	familyName: 'Canaryson',
	bornOn: '1931-07-19',
	phone: '+1 406 555 0173',
	email: 'zyx@canary-mail.example',
	reason: 'canaryreason about a very private rash',
	planId: null
};

/** As typed, and as it might be stored: digits only, base64, hex. */
const traces = (): string[] => {
	const plain = [
		canary.givenName,
		canary.familyName,
		canary.bornOn,
		canary.phone,
		'4065550173',
		canary.email,
		'canaryreason'
	];
	const encoded = plain.flatMap((text) => [
		Buffer.from(text).toString('hex'),
		Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -1)
	]);
	return [...plain, ...encoded];
};

const hits = (where: string, text: string): string[] =>
	traces()
		.filter((trace) => text.toLowerCase().includes(trace.toLowerCase()))
		.map((trace) => `${where}: ${trace}`);

type Api = (path: string, body?: unknown) => Promise<{ status: number; value: unknown }>;

const deviceApi =
	(url: string, cookie: string): Api =>
	async (path, body) => {
		const response = await fetch(`${url}/api/v1${path}`, {
			method: body === undefined ? 'GET' : 'POST',
			headers: { 'content-type': 'application/json', origin: url, cookie },
			...(body === undefined ? {} : { body: JSON.stringify(body) })
		});
		return { status: response.status, value: await response.json() };
	};

const idOf = (value: unknown): string => {
	const found = JSON.stringify(value).match(/"id":"([0-9a-f-]{36})"/)?.[1];
	expect(found).toBeDefined();
	return found ?? '';
};

const book = async (system: System, api: Api): Promise<string> => {
	const [slot] = await system.database.sql<{ id: number }[]>`
		select s.id from slots s where s.status = 'free' and s.starts_at > now() + interval '1 day'
		order by s.id limit 1`;
	const hold = await api('/holds', { slotId: slot?.id, requestId: randomUUID() });
	expect(hold.status).toBe(201);
	const confirmed = await api(`/holds/${idOf(hold.value)}/confirm`, {
		requestId: randomUUID(),
		kind: null,
		patient: canary
	});
	expect(confirmed.status).toBe(202);
	const bookingId = idOf(confirmed.value);
	await until(
		async () => JSON.stringify(await api(`/bookings/${bookingId}`)).includes('"booked"'),
		{ timeoutMs: 60_000 }
	);
	return bookingId;
};

const staffCookie = async (url: string, sourceId: SourceId): Promise<string> => {
	const token = signLink(Buffer.from(developmentKeys.link, 'base64'), {
		role: 'clinic',
		sourceId,
		exp: testNow() + 3_600_000
	});
	const response = await fetch(`${url}/enter?token=${token}`, { redirect: 'manual' });
	return response.headers
		.getSetCookie()
		.map((line) => line.split(';')[0] ?? '')
		.join('; ');
};

test('[Z11] a booked patient leaves no trace outside the encrypted rows and the clinic', async () => {
	await using system = await startSystem({ keys: ['bluestem'], slotCount: 60 });
	const [clinic] = system.clinics.clinics;
	const ear = await listenToRedis(system.redis.url);
	await using redis = connectRedis(system.redis.url);
	const hub = await system.startHub();
	const workers = await system.startWorkers();
	try {
		await until(async () => (await system.readTruth()).size > 0, { timeoutMs: 60_000 });
		const api = deviceApi(hub.url, `slotcast_device=${randomUUID()}`);
		const bookingId = await book(system, api);
		const staff = deviceApi(
			hub.url,
			await staffCookie(hub.url, must([...system.sourceIds.values()][0]))
		);
		const seen = JSON.stringify((await staff('/clinic')).value);
		expect(seen).toContain(bookingId);
		expect(seen).toContain(canary.givenName);
		await fetch(`${hub.url}/api/v1/bookings/${bookingId}?name=${canary.familyName}`);

		const patient = JSON.stringify(clinic?.appointments());
		expect(patient).toContain(canary.familyName);
		expect([
			...hits('Redis commands', ear.heard.join('\n')),
			...hits('Redis keys and values', await dumpRedis(redis.client)),
			...hits('tables', await dumpTables(system)),
			...hits('log of the hub', hub.output()),
			...hits('log of the workers', workers.output())
		]).toEqual([]);
		expect(ear.heard.length).toBeGreaterThan(20);
		const audit = await system.database.sql`select 1 from audit`;
		expect(audit.length).toBeGreaterThan(1);
	} finally {
		ear.close();
	}
});
