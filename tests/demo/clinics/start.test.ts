// The clinics as a whole: control port, a process of their own, memory over a restart.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { must } from '#domain/result.ts';
import { startClinics } from '../../../demo/clinics/start.ts';
import { until } from '../../support/until.ts';
import { appointmentOn, BEFORE_CHANGE, freeSlot, getJson, openClinics, send } from './support.ts';

const control = async (base: string, path: string, body: unknown): Promise<Response> =>
	fetch(`${base}/control/${path}`, { method: 'POST', body: JSON.stringify(body) });

test('[C31] the control port tells the truth of all clinics and of one', async () => {
	const { clinics, controlUrl } = await openClinics({ organisations: 2 });
	const all = await getJson<{ clinics: { key: string; counts: object }[] }>(
		`${controlUrl}/control/state`
	);
	expect(all.clinics.map(({ key }) => key)).toEqual(clinics.map(({ key }) => key));
	const one = await getJson<{ slots: unknown[]; appointments: unknown[] }>(
		`${controlUrl}/control/state?clinic=${must(clinics[0]).key}`
	);
	expect(one.slots).toHaveLength(must(clinics[0]).truth().slots.length);
	expect((await fetch(`${controlUrl}/control/state?clinic=nobody`)).status).toBe(404);
});

test('[C31] a burst, a fault, a status and a step come through the control port', async () => {
	const { clinics, controlUrl } = await openClinics({ organisations: 2 });
	const clinic = must(clinics[1]);
	const burst = await control(controlUrl, 'burst', { clinic: clinic.key, count: 3, overMs: 0 });
	const { slots } = (await burst.json()) as { slots: string[] };
	expect(slots).toHaveLength(3);
	const statusOf = (wanted: string | undefined) =>
		clinic.truth().slots.find(({ id }) => id === wanted)?.status;
	expect(slots.map(statusOf)).toEqual(['busy', 'busy', 'busy']);
	await control(controlUrl, 'fault', { clinic: clinic.key, kind: 'http_500', count: 1 });
	expect((await fetch(clinic.url)).status).toBe(500);
	await control(controlUrl, 'fault', { clinic: clinic.key, kind: 'hang' });
	await control(controlUrl, 'fault', { clinic: clinic.key, kind: 'none' });
	expect((await fetch(`${clinic.url}/metadata`)).status).toBe(200);
	await control(controlUrl, `slots/${slots[0]}`, { status: 'free' });
	expect(statusOf(slots[0])).toBe('free');
	await control(controlUrl, `slots/${slots[0]}`, { status: 'removed' });
	expect(statusOf(slots[0])).toBeUndefined();
	const step = await control(controlUrl, 'step', { ms: 86_400_000 });
	expect(((await step.json()) as { moved: number }).moved).toBeGreaterThan(0);
});

test('[C31] a burst over time goes on by itself in a still world', async () => {
	const { clinics, controlUrl } = await openClinics({ organisations: 1 });
	const clinic = must(clinics[0]);
	const burst = await control(controlUrl, 'burst', { clinic: clinic.key, count: 2, overMs: 300 });
	const { slots } = (await burst.json()) as { slots: string[] };
	await until(() =>
		slots.every((wanted) => clinic.truth().slots.find(({ id }) => id === wanted)?.status === 'busy')
	);
});

test.each([
	['burst', {}, 400],
	['burst', { clinic: 'nobody' }, 404],
	['fault', { clinic: 'larkspur-valley', kind: 'earthquake' }, 400],
	['fault', { clinic: 'nobody', kind: 'slow' }, 404],
	['step', { ms: -1 }, 400],
	['slots/nothing', { status: 'free' }, 404],
	['slots/nothing', { status: 'open' }, 400],
	['elsewhere', {}, 404]
])('[C31] POST %s with %j is %i', async (path, body, status) => {
	const { controlUrl } = await openClinics({ organisations: 1 });
	expect((await control(controlUrl, path, body)).status).toBe(status);
});

test('[C31] a page of another origin is refused', async () => {
	const { controlUrl } = await openClinics({ organisations: 1 });
	const answer = await fetch(`${controlUrl}/control/step`, {
		method: 'POST',
		body: '{"ms":1}',
		headers: { origin: 'https://elsewhere.example' }
	});
	expect(answer.status).toBe(403);
});

test('[C28] a live world moves by itself', async () => {
	const { clinics } = await openClinics({
		organisations: 2,
		slotCount: 2000,
		startAt: Date.parse('2026-10-26T16:00:00Z'),
		live: true,
		pace: 2000
	});
	const clinic = must(clinics[1]);
	await until(() => clinic.truth().slots.some(({ version }) => version > 1));
});

test('[C32] as a process it says when it is ready and ends when told', async () => {
	const script = new URL('../../../demo/clinics/start.ts', import.meta.url).pathname;
	const args = ['--seed', '1', '--port-base', '0', '--organisations', '1', '--slots', '20'];
	const child = spawn(process.execPath, [script, ...args], {
		stdio: ['ignore', 'pipe', 'inherit']
	});
	onTestFinished(() => void child.kill('SIGKILL'));
	const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
	const ready = JSON.parse(line) as { controlUrl: string; clinics: { url: string }[] };
	expect((await fetch(`${ready.controlUrl}/control/state`)).status).toBe(200);
	expect((await fetch(must(ready.clinics[0]).url)).status).toBe(200);
	child.kill('SIGTERM');
	expect((await once(child, 'exit'))[0]).toBe(0);
});

/** A port below the range the system hands out; null when somebody has it. */
const tryListen = async (port: number): Promise<Server | null> => {
	const server = createServer();
	const listening = new Promise<boolean>((done) => {
		server.once('listening', () => done(true)).once('error', () => done(false));
	});
	server.listen(port, '127.0.0.1');
	return (await listening) ? server : null;
};

const shut = async (server: Server | null): Promise<void> => {
	if (server === null) return;
	server.close();
	await once(server, 'close');
};

/** The first of six neighbouring ports that are free now. */
const freeBase = async (): Promise<number> => {
	for (let base = 20_000 + (process.pid % 900) * 10; base < 32_000; base += 10) {
		const servers = await Promise.all([0, 1, 2, 3, 4, 5].map((step) => tryListen(base + step)));
		await Promise.all(servers.map(shut));
		if (servers.every((server) => server !== null)) return base;
	}
	throw new Error('no free ports');
};

test('[C32] control listens on the base port, the clinics after it', async () => {
	const base = await freeBase();
	const running = await openClinics({ organisations: 2, portBase: base });
	expect(running.controlUrl).toBe(`http://127.0.0.1:${base}`);
	const ports = running.clinics.map(({ url }) => Number(new URL(url).port));
	expect(ports).toEqual([base + 1, base + 2]);
});

test.each([0, 2])('[C32] with port %i of the base taken nothing stays open', async (step) => {
	const base = await freeBase();
	const taken = must(await tryListen(base + step));
	const start = startClinics({ organisations: 3, slotCount: 30, portBase: base });
	await expect(start).rejects.toThrow('EADDRINUSE');
	const probe = await tryListen(base + 1);
	expect(probe).not.toBeNull();
	await Promise.all([shut(probe), shut(taken)]);
});

test('[C33] appointments and slots are the same after a restart', async () => {
	const stateFolder = mkdtempSync(join(tmpdir(), 'clinics-'));
	onTestFinished(() => rmSync(stateFolder, { recursive: true }));
	const options = { organisations: 2, slotCount: 200, stateFolder };
	const one = await startClinics({ ...options, startAt: BEFORE_CHANGE });
	const before = must(one.clinics[1]);
	const slot = freeSlot(before, 5);
	await send('POST', `${before.url}/Appointment`, appointmentOn(slot.id, 'b-1'));
	before.setSlotStatus(freeSlot(before, 7).id, 'busy-unavailable');
	const facts = before.truth();
	await one.close();
	const later = await openClinics({ ...options, startAt: BEFORE_CHANGE + 60_000 });
	const after = must(later.clinics[1]);
	const shown = after.truth();
	expect(shown.appointments).toEqual(facts.appointments);
	const statuses = new Map(shown.slots.map(({ id, status }) => [id, status]));
	for (const { id, status } of facts.slots) expect([id, statuses.get(id)]).toEqual([id, status]);
	expect(
		(await send('POST', `${after.url}/Appointment`, appointmentOn(slot.id, 'b-2'))).status
	).toBe(409);
});
